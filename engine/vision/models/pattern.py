"""from_pattern: a network from the lecture's description of one, [(CONV-RELU)*N-POOL?]*M-(FC-RELU)*K,SOFTMAX."""

from __future__ import annotations

from collections import OrderedDict

from engine import nn
from engine.vision.models.common import channels, initialize
from engine.vision.models.pattern_parser import Pattern, PatternError, Word, parse

CHANNELS, MOST_CHANNELS, UNITS = 32, 512, 256  # of the first convolution, of the widest, of a fully connected layer
LEAST_SIDE = 4  # pixels that an optional pooling leaves


def from_pattern(
    pattern: str, in_shape=(3, 32, 32), num_classes: int = 10, width: float = 1.0, **counts: int
) -> nn.Sequential:
    """The network that `pattern` describes, for images [N, *in_shape]: an nn.Sequential that ends in logits [N, num_classes].

    "[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX": layers with "-" between, round or square brackets around what "*2" repeats.
    Letters take their numbers from keywords: from_pattern("[(CONV-RELU)*N-POOL?]*M-(FC-RELU)*K,SOFTMAX", N=2, M=3, K=1).

    CONV      3x3, stride 1, padded so that maps keep their size; CONV5 5x5; CONV/2 stride 2; CONV5/2 both. 32 channels, and
              twice as many behind every halving (from the convolution that halves on), up to 512; times width
    POOL      largest of 2x2, stride 2; POOL3/2 of 3x3 with stride 2. POOL? only while it leaves 4 pixels a side
    FC        256 units times width; FC100 100 units (not scaled)
    SOFTMAX   the scores, whose softmax is part of nn.CrossEntropyLoss: a fully connected layer, or in a network of
              convolutions that names no FC a 1x1 convolution and the mean over all positions (Springenberg et al. 2014),
              so that "[CONV-RELU-CONV/2-RELU]*3,SOFTMAX" consists of convolutions alone

    Layers are named conv1_1, conv1_1_relu, ..., pool1, conv2_1, ..., fc1, fc1_relu, scores. PatternError, a ValueError,
    shows what is wrong and where.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern is a str such as '[CONV-RELU-POOL]*2,SOFTMAX', got {type(pattern).__name__}")
    sizes = tuple(in_shape)
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"in_shape must be the channels, height and width of an image, got {in_shape!r}")
    for letter, count in counts.items():
        if len(letter) != 1 or not letter.isalpha() or not isinstance(count, int) or count < 0:
            raise ValueError(f"a letter of the pattern stands for a number from 0 on, got {letter}={count!r}")
    read = parse(pattern, {letter.upper(): count for letter, count in counts.items()})
    for letter in counts:
        if letter.upper() not in read.letters:
            raise ValueError(f"there is no letter {letter} behind a * in the pattern {pattern!r}")
    builder = _Builder(read, sizes, width)
    for word in read.words:
        getattr(builder, word.kind.lower())(word)
    return builder.finished(num_classes)


class _Builder:
    """Adds a layer for each word and knows the shape of what comes out: `shape` [C, H, W], or [units]."""

    def __init__(self, pattern: Pattern, shape, width: float):
        self.pattern, self.shape, self.width = pattern, shape, width
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.stage, self.number = 1, 0  # of the convolutions
        self.fully_connected = 0
        self.behind = ""  # the layer whose output a RELU is for

    def conv(self, word: Word) -> None:
        size, stride = word.size or 3, word.stride or 1
        if size % 2 == 0:
            raise self.pattern.error("filters of even size have no middle; CONV takes 1, 3, 5, ...", word)
        inputs, height, width = self._maps(word)
        if stride > 1:
            self._halved()
        self.number += 1
        outputs = channels(min(CHANNELS << min(self.stage - 1, 9), MOST_CHANNELS), self.width)
        self.shape = outputs, (height - 1) // stride + 1, (width - 1) // stride + 1
        name = f"conv{self.stage}_{self.number}"
        self._add(name, nn.Conv2d(inputs, outputs, size, stride, padding=size // 2))

    def pool(self, word: Word) -> None:
        size = word.size or 2
        stride = word.stride or size
        outputs, height, width = self._maps(word)
        down = [(side - size) // stride + 1 for side in (height, width)]
        if word.optional and min(down) < LEAST_SIDE:
            return
        if min(down) < 1:
            raise self.pattern.error(f"POOL of {size}x{size}, but the maps are {height}x{width} here", word)
        self.shape = outputs, *down
        self._add(f"pool{self.stage}", nn.MaxPool2d(size, stride))
        self._halved()

    def relu(self, word: Word) -> None:
        self._add(f"{self.behind}_relu" if self.behind else "relu", nn.ReLU())

    def fc(self, word: Word) -> None:
        self._flatten()
        self.fully_connected += 1
        units = word.size or channels(UNITS, self.width)
        self._add(f"fc{self.fully_connected}", nn.Linear(self.shape[0], units))
        self.shape = (units,)

    def finished(self, num_classes: int) -> nn.Sequential:
        """The network, with the layer of scores at its end."""
        convolutional = "CONV" in self.pattern.mentioned and "FC" not in self.pattern.mentioned
        if convolutional:
            self._add("scores", nn.Conv2d(self.shape[0], num_classes, 1))
            self._add("mean", nn.AdaptiveAvgPool2d(1))
            self._add("flatten", nn.Flatten())
        else:
            self._flatten()
            self._add("scores", nn.Linear(self.shape[0], num_classes))
        net = nn.Sequential(self.layers)
        initialize(net, linear=True)
        return net

    def _maps(self, word: Word):
        if len(self.shape) != 3:
            raise self.pattern.error(f"{word.kind} behind FC, which leaves no maps", word)
        return self.shape

    def _halved(self) -> None:
        self.stage, self.number = self.stage + 1, 0

    def _flatten(self) -> None:
        if len(self.shape) == 3:
            c, h, w = self.shape
            self.shape = (c * h * w,)
            self._add("flatten", nn.Flatten())

    def _add(self, name: str, layer: nn.Module) -> None:
        free = name if name not in self.layers else next(f"{name}_{i}" for i in range(2, 9999) if f"{name}_{i}" not in self.layers)  # fmt: skip
        self.layers[free] = layer
        if not isinstance(layer, nn.ReLU):
            self.behind = free


__all__ = ["PatternError", "from_pattern"]
