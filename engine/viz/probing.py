"""Asking a model by its input: occlusion, which hides parts of an image, and maximisation, which makes an image up."""

from __future__ import annotations

import numpy as np

import engine
from engine import autograd
from engine.progress import progress
from engine.viz.watching import Watching, as_images, check_channel, chosen, scores_of


def occlusion(model, images, classes=None, size: int = 5, stride: int = 2, fill: float = 0.0) -> np.ndarray:
    """The probability of a class with a square of the image hidden, [N, rows, columns]: one per place of the square, which
    is `size` pixels wide, moves by `stride` and is `fill` inside (Zeiler and Fergus 2013, section 4.2).

    classes  an int, N of them, or None: the best of each whole image
    """
    x = as_images("occlusion", images).numpy()
    n, _, h, w = x.shape
    if not all(isinstance(v, int) and v >= 1 for v in (size, stride)) or size > min(h, w):
        raise ValueError(f"occlusion: size and stride must be 1 to {min(h, w)}, got size={size!r}, stride={stride!r}")
    tops, lefts = range(0, h - size + 1, stride), range(0, w - size + 1, stride)
    out = np.empty((n, len(tops), len(lefts)), "float32")
    with engine.no_grad(), Watching("occlusion", model, together=True):
        if classes is None:
            classes = scores_of("occlusion", model(engine.from_numpy(x.copy()))).numpy().argmax(1)
        for i, top in enumerate(progress(tops, "occlusion")):
            for j, left in enumerate(lefts):
                hidden = x.copy()
                hidden[:, :, top : top + size, left : left + size] = fill
                shares = scores_of("occlusion", model(engine.from_numpy(hidden))).softmax(1)
                out[:, i, j] = chosen("occlusion", shares, classes).numpy()
    return out


def maximise(model, layer: str, channel: int, input_size, steps: int = 128, rate: float = 1.0, decay: float = 0.01,
             shift: int = 2, seed: int = 0) -> np.ndarray:  # fmt: skip
    """An image [C, H, W] that excites a feature map, or an output of a fully connected layer, as much as it can.

    Gradient ascent on the mean of the map from weak noise, by steps of `rate` along the gradient divided by its RMS; each
    shrinks the image by `decay` and follows a random shift of up to `shift` pixels, which keep it free of noise
    (Yosinski et al. 2015, arXiv:1506.06579).
    """
    rng = np.random.default_rng(seed)
    if len(tuple(input_size)) != 3:
        raise ValueError(f"maximise: input_size must be (C, H, W), got {input_size!r}")
    image = rng.normal(0, 0.1, (1, *input_size)).astype("float32")
    with Watching("maximise", model, layer) as seen:
        for _ in progress(range(steps), "maximise"):
            moved = rng.integers(-shift, shift + 1, 2)
            x = engine.from_numpy(np.roll(image, moved, (2, 3)))
            x.requires_grad_()
            model(x)
            check_channel("maximise", layer, channel, seen.output.shape[1])
            (g,) = autograd.grad(seen.output[:, channel].mean(), x)
            g = np.roll(g.numpy(), -moved, (2, 3))
            image = (1 - decay) * image + rate * 0.1 * g / (np.sqrt(np.mean(g * g)) + 1e-8)
    return image[0]
