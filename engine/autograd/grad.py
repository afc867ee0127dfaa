"""grad and backward: gradients of several results at once, returned or accumulated."""

from __future__ import annotations

from engine.tape import backpropagate
from engine.tensor import Tensor, wrap


def _roots(what, tensors, gradients):
    """Pairs of a Node and the gradient to start from."""
    tensors = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
    gradients = (gradients,) if isinstance(gradients, Tensor) or gradients is None else tuple(gradients)
    if len(gradients) == 1:
        gradients *= len(tensors) if gradients[0] is None else 1
    if len(gradients) != len(tensors):
        raise RuntimeError(f"{what}: got {len(tensors)} tensors and {len(gradients)} gradients")
    for i, t in enumerate(tensors):
        if t._node is None:
            raise RuntimeError(f"{what}: element {i} of tensors does not require grad and does not have a grad_fn")
    return [(t._node, t._seed(what, g)) for t, g in zip(tensors, gradients, strict=True)]


def _refuse(what, create_graph):
    if create_graph:
        raise NotImplementedError(f"{what}(create_graph=True): gradients of gradients are not offered")


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False):
    """Add the gradients of the sum of `tensors`, each weighted by its entry of `grad_tensors`, to every leaf's `.grad`."""
    _refuse("backward", create_graph)
    backpropagate(_roots("backward", tensors, grad_tensors), bool(retain_graph))


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    allow_unused=None,
    materialize_grads=False,
):
    """The gradients of the sum of `outputs` (weighted by `grad_outputs`) with respect to `inputs`, as a tuple.

    `.grad` of no tensor is touched, and only what leads from outputs to inputs is run. An input that the
    outputs do not depend on raises RuntimeError; with `allow_unused` its gradient is None, with
    `materialize_grads` zeros.
    """
    _refuse("grad", create_graph)
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads=True is for inputs that may be unused, got allow_unused=False")
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    for i, t in enumerate(inputs):
        if t._node is None:
            raise RuntimeError(f"grad: input {i} (shape {t.shape}) does not require grad")
    roots = _roots("grad", outputs, grad_outputs)
    found = backpropagate(roots, bool(retain_graph), wanted={t._node for t in inputs})
    gradients = []
    for i, t in enumerate(inputs):
        g = found.get(t._node)
        if g is not None:
            gradients.append(wrap(t._k.copy(g), t._k))
        elif materialize_grads:
            gradients.append(wrap(t._k.full(t.shape, 0, t.dtype), t._k))
        elif allow_unused:
            gradients.append(None)
        else:
            raise RuntimeError(
                f"grad: one of the differentiated tensors (input {i}, shape {t.shape}) appears to not have been used "
                "in the graph; pass allow_unused=True if that is intended"
            )
    return tuple(gradients)
