"""What an output owes to the pixels: saliency, guided backpropagation, the deconvnet, integrated gradients, Grad-CAM.

All of them are one walk back through the tape; guided backpropagation and the deconvnet differ in what a ReLU lets through:

    saliency    g where the ReLU's input was above 0                       (Simonyan et al. 2013, arXiv:1312.6034)
    deconvnet   g where g is above 0                                       (Zeiler and Fergus 2013, arXiv:1311.2901)
    guided      g where both are                                           (Springenberg et al. 2014, arXiv:1412.6806)

Max pooling's derivative puts values where the maxima were (the switches), that of a convolution is the transposed filters
and that of batch norm in evaluation mode its scale: with the ReLU's rule that is the deconvnet, of any model. Other
activations (tanh, leaky ones) keep their own derivative in all three.
"""

from __future__ import annotations

import numpy as np

import engine
from engine import autograd
from engine.nn import functional as F
from engine.progress import progress
from engine.viz.watching import Watching, as_images, check_channel, chosen, in_parts, scores_of


def saliency(model, images, classes=None) -> np.ndarray:
    """The size of the gradient of a class's score by each pixel, the largest of the channels: [N, H, W].

    images   [N, C, H, W] or one [C, H, W], prepared as for training
    classes  whose scores: an int, N of them, or None: the best of each image
    """
    return np.abs(_by_scores("saliency", model, images, classes, None)).max(1)


def guided_backprop(model, images, classes=None) -> np.ndarray:
    """The gradient of a class's score by the pixels [N, C, H, W], of which every ReLU passes only what is above 0."""
    return _by_scores("guided_backprop", model, images, classes, _guided)


def deconvnet(model, layer: str, images, channel: int | None = None, strongest: bool = False) -> np.ndarray:
    """What activations of a layer stand for, projected back to the pixels: [N, C, H, W].

    layer      a path of `model.named_modules()`, best a ReLU or a pooling
    channel    the feature map to project; None: all of them
    strongest  of the map only its largest activation
    """

    def project(x, _):
        with Watching("deconvnet", model, layer) as seen:
            model(x)
        maps = seen.output
        return _projected(x, maps, _seed("deconvnet", layer, maps, channel, strongest), _rectified)

    return _over("deconvnet", images, None, project)


def integrated_gradients(model, images, classes=None, baseline=None, steps: int = 32) -> np.ndarray:
    """The share of each value of the image in a class's score [N, C, H, W]: their sum is the score less that of the
    baseline, but for the error of `steps` steps (Sundararajan et al. 2017, arXiv:1703.01365).

    baseline  an image [C, H, W], or a number; None: 0, the mean of images normalised so
    """
    what = "integrated_gradients"
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{what}: steps must be a positive int, got {steps!r}")
    start = np.asarray(0 if baseline is None else baseline, "float32")

    def share(pixels, chosen_ones):
        x = pixels.detach().numpy()
        if start.ndim and start.shape != x.shape[1:]:
            raise ValueError(f"{what}: baseline must be a number or an image {x.shape[1:]}, got shape {start.shape}")
        if chosen_ones is None:
            with engine.no_grad(), Watching(what, model):
                chosen_ones = scores_of(what, model(pixels)).numpy().argmax(1)
        total = np.zeros_like(x)
        for step in progress(range(steps), "steps"):
            between = engine.from_numpy(start + (step + 0.5) / steps * (x - start)).requires_grad_()
            total += _gradient(what, model, between, chosen_ones, None)
        return total / steps * (x - start)

    return _over(what, images, classes, share)


def grad_cam(model, layer: str, images, classes=None) -> np.ndarray:
    """Where in the image a layer speaks for a class, [N, H, W] of at least 0: its maps, weighted by the mean gradient of
    the score, summed, what is below 0 cut off, enlarged to the image (Selvaraju et al. 2016, arXiv:1610.02391)."""

    def locate(x, classes):
        with Watching("grad_cam", model, layer) as seen:
            score = chosen("grad_cam", scores_of("grad_cam", model(x)), classes)
        maps = seen.output
        if maps.ndim != 4:
            raise ValueError(
                f"grad_cam: layer {layer!r} gives shape {maps.shape}; choose one that gives maps [N, C, H, W]"
            )
        (g,) = autograd.grad(score.sum(), maps)
        weights = g.numpy().mean((2, 3), keepdims=True)
        cam = np.maximum((weights * maps.detach().numpy()).sum(1, keepdims=True), 0)
        return F.interpolate(engine.from_numpy(cam), x.shape[2:], mode="bilinear", align_corners=False).numpy()[:, 0]

    return _over("grad_cam", images, classes, locate)


def _over(what, images, classes, look):
    """`look(x, classes)` of the images in batches, [N, ...]: each x a leaf that gradients reach, also within no_grad."""
    x = as_images(what, images).numpy()
    classes = None if classes is None else np.asarray(classes)
    if classes is not None and classes.ndim and classes.shape != x.shape[:1]:
        raise ValueError(
            f"{what}: classes must be one for all images or one for each of {len(x)}, got {classes.tolist()}"
        )
    found, done = [], 0
    with engine.enable_grad():
        for part in in_parts(what, x):
            own = classes[done : done + len(part)] if classes is not None and classes.ndim else classes
            found.append(look(engine.from_numpy(part).requires_grad_(), own))
            done += len(part)
    return np.concatenate(found)


def _by_scores(what, model, images, classes, rule):
    return _over(what, images, classes, lambda x, own: _gradient(what, model, x, own, rule))


def _gradient(what, model, x, classes, rule):
    """What the scores of `classes` owe to x, by `rule` where the way back meets a ReLU."""
    with Watching(what, model):
        score = chosen(what, scores_of(what, model(x)), classes)
    return _projected(x, score, np.ones(score.shape, "float32"), rule)


def _seed(what, layer, maps, channel, strongest):
    """The activations above 0 that are to be projected, 0 elsewhere."""
    a = np.maximum(maps.detach().numpy(), 0)
    if channel is not None:
        check_channel(what, layer, channel, a.shape[1])
        a = np.where((np.arange(a.shape[1]) == channel).reshape(-1, *[1] * (a.ndim - 2)), a, 0)
    if strongest:
        flat = a.reshape(len(a), -1)
        a = np.where(flat == flat.max(1, keepdims=True), flat, 0).reshape(a.shape)
    return a


def _projected(x, y, seed, rule):
    """`seed` sent back from y to x, by `rule` where it meets a ReLU."""
    if rule is not None:
        _change_relus(y._node, rule)
    return autograd.grad(y, x, engine.from_numpy(np.ascontiguousarray(seed)))[0].numpy()


def _change_relus(root, rule):
    """The recorded ReLUs before `root` get `rule`(k, their own derivative): the tape of this pass alone is changed."""
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name == "relu":
            node.vjps = (rule(node.k, node.vjps[0]),)
        stack += node.parents


def _rectified(k, _):
    return k.relu


def _guided(k, derivative):
    return lambda g: k.relu(derivative(g))
