"""One pass of a model with an eye on a layer: evaluation mode, layers apart, and what the layer gave.

Everything of engine.viz looks at models through this: any Module serves, by the paths of `named_modules()`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import numpy as np

import engine
from engine import nn
from engine.progress import progress

PIXELS = 2**18  # that go through a model at once: 256 images of 32x32, 5 of 224x224, with VGG-16's maps about 1 GB


def as_images(what, images):
    """`images`, [N, C, H, W] or one [C, H, W], a Tensor or an array, as a new float32 Tensor of a batch.

    ValueError for other shapes, for the order [N, H, W, C] and for bytes.
    """
    x = images.detach().numpy() if isinstance(images, engine.Tensor) else np.asarray(images)
    x = x[None] if x.ndim == 3 else x
    if x.ndim != 4:
        raise ValueError(f"{what}: images must be [N, C, H, W] or one [C, H, W], got shape {x.shape}")
    if x.shape[3] in (1, 3) and x.shape[1] not in (1, 3):
        raise ValueError(
            f"{what}: images of shape {x.shape} have their channels last; pass images.transpose(0, 3, 1, 2), [N, C, H, W]"
        )
    if x.dtype.kind != "f":
        raise ValueError(f"{what}: images must be floats prepared as for training, got {x.dtype}; pass images / 255")
    return engine.from_numpy(np.array(x, "float32"))


def in_parts(what: str, x: np.ndarray) -> Iterator[np.ndarray]:
    """The images [N, C, H, W] in batches of about PIXELS, with a progress bar named `what`; one empty batch of none."""
    count = max(PIXELS // max(x.shape[2] * x.shape[3], 1), 1)
    return (x[i : i + count] for i in progress(range(0, max(len(x), 1), count), what))


def layer_of(what: str, model: nn.Module, layer: str) -> nn.Module:
    """The module of `model` at the path `layer`; ValueError with the paths there are."""
    modules = dict(model.named_modules())
    if layer not in modules or not layer:
        names = ", ".join(name for name in modules if name)
        raise ValueError(f"{what}: {type(model).__name__} has no layer {layer!r}; there are {names or 'none'}")
    return modules[layer]


def check_channel(what: str, layer: str, channel, count: int) -> None:
    """ValueError unless `channel` is one of the `count` feature maps of `layer`."""
    if not isinstance(channel, (int, np.integer)) or not 0 <= channel < count:
        raise ValueError(f"{what}: layer {layer!r} has channels 0..{count - 1}, got {channel!r}")


class Watching:
    """`with Watching(what, model, layer) as seen: y = model(x)`, then `seen.output` is what the layer gave, a Tensor on
    the tape, and `y` depends on it; of a layer that is called several times, its last call.

    Inside, the model is in evaluation mode and, unless `together`, no layers are computed as one, so that every ReLU and
    pooling is seen.
    """

    def __init__(self, what: str, model: nn.Module, layer: str | None = None, together: bool = False):
        if not isinstance(model, nn.Module):
            raise TypeError(f"{what}: model must be a Module, got {type(model).__name__}")
        self.what, self.model, self.layer, self.together = what, model, layer, together
        self.watched = None if layer is None else layer_of(what, model, layer)
        self.seen = None

    def __enter__(self) -> Watching:
        if any(_is_new(m) for m in self.model.modules()):
            text = f"{self.what}: the model was never trained: its batch norms have seen nothing"
            warnings.warn(text, stacklevel=_level_outside())
        self.training = [(m, m.training) for m in self.model.modules()]
        self.handles = [] if self.together else [m.register_forward_hook(_look_on) for m, _ in self.training]
        if self.watched is not None:
            self.handles.append(self.watched.register_forward_hook(self._keep))
        self.model.eval()
        return self

    def __exit__(self, *exception) -> None:
        for handle in self.handles:
            handle.remove()
        for module, training in self.training:
            module.training = training

    @property
    def output(self):
        """[N, C, H, W], or [N, F] of a fully connected layer."""
        if self.seen is None:
            raise ValueError(f"{self.what}: layer {self.layer!r} was not called in the model's forward pass")
        return self.seen

    def _keep(self, module, inputs, output):
        if not isinstance(output, engine.Tensor):
            raise ValueError(
                f"{self.what}: layer {self.layer!r} ({type(module).__name__}) gives a {type(output).__name__}, "
                "not a Tensor; choose a layer inside it"
            )
        self.seen = output
        return output.clone()  # a ReLU behind it may write on what it is given


def _look_on(*_):
    """A hook that only keeps layers from being computed as one."""


def _is_new(module: nn.Module) -> bool:
    """Whether this is a norm that counts its batches and has seen none; of other layers nobody can tell."""
    seen = getattr(module, "num_batches_tracked", None)
    return isinstance(seen, engine.Tensor) and seen.item() == 0


def _level_outside() -> int:
    """The stacklevel of the first caller outside of engine.viz, for a warning given where this is called."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("engine.viz."):
        level, frame = level + 1, frame.f_back
    return level


def scores_of(what, y):
    """The class scores [N, K] that a model gave; ValueError where it gave something else."""
    if not isinstance(y, engine.Tensor) or y.ndim != 2:
        got = f"shape {y.shape}" if isinstance(y, engine.Tensor) else type(y).__name__
        raise ValueError(f"{what}: the model must give scores of classes [N, K], got {got}")
    return y


def chosen(what, scores, classes):
    """The score [N] of the class asked for of each image; of the best one where `classes` is None."""
    n, count = scores.shape
    if classes is None:
        classes = scores.detach().numpy().argmax(1)
    classes = np.broadcast_to(np.asarray(classes, "int64"), (n,)) if np.ndim(classes) == 0 else np.asarray(classes)
    if (
        classes.shape != (n,)
        or classes.dtype.kind not in "iu"
        or (n and not 0 <= classes.min() <= classes.max() < count)
    ):
        raise ValueError(f"{what}: classes must be one of 0..{count - 1}, or {n} of them, got {classes.tolist()}")
    return scores[engine.arange(n), engine.from_numpy(np.array(classes, "int64"))]
