"""Gradients kept within bounds: scaled to a total norm, or cut off element by element (Pascanu et al. 2012).

`foreach` of PyTorch says how to compute, not what: it is accepted and changes nothing.
"""

from __future__ import annotations

import math
import warnings
from types import GeneratorType

from engine.functions import tensor
from engine.grad_mode import no_grad
from engine.ops.pointwise import clamp_max
from engine.ops.reduce import vector_norm
from engine.ops.shape import stack
from engine.tensor import Tensor


def _listed(tensors):
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters):
    return [p.grad for p in parameters if p.grad is not None]


@no_grad()
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm (of any order, inf too) of all tensors as one vector: that of their norms. 0 when there are none.

    RuntimeError, when asked for, if it is infinite or nan.
    """
    tensors = _listed(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return tensor(0.0)
    total = vector_norm(stack([vector_norm(t, ord=norm_type) for t in tensors]), ord=norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite ({total.item()}), so it "
            "cannot be clipped. To scale by it anyway, set `error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients by max_norm / total_norm, in place, where that is less than 1."""
    factor = clamp_max(float(max_norm) / (total_norm + 1e-6), 1.0)
    for g in _gradients(_listed(parameters)):
        g.mul_(factor)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients of the parameters, in place, so that their total norm is at most `max_norm`.

    Returns the total norm before, a Tensor. Parameters without gradient do not count.
    """
    given, parameters = parameters, _listed(parameters)
    if isinstance(given, GeneratorType) and not parameters:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Deprecated name of `clip_grad_norm_`."""
    warnings.warn(
        "`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Cut every element of the gradients off at +-`clip_value`, in place."""
    limit = float(clip_value)
    for g in _gradients(_listed(parameters)):
        g.clamp_(-limit, limit)
