"""Is a derivative right? Compared with a central difference along a random direction, in float64.

For f(x) and random v (shape of the output) and u (shape of the inputs), <u, vjp(v)> must equal the change of
<v, f> along u. One number per function, whatever its shape; no Jacobian is built.
"""

from __future__ import annotations

from engine.generator import Generator
from engine.grad_mode import no_grad
from engine.ops.random import normal_
from engine.tensor import Tensor, wrap


class GradcheckError(RuntimeError):
    """The derivative disagrees with finite differences."""


def _random_like(t, generator):
    return normal_(wrap(t._k.full(t.shape, 0.0, t.dtype), t._k), generator=generator)


def _dot(a, b):
    return (a * b).sum().item()


def gradcheck(func, inputs, eps=1e-6, atol=1e-7, rtol=1e-5, raise_exception=True, seed=0):
    """True when func's gradients agree with central differences of step `eps`.

    func:   Tensors -> a Tensor or a tuple of Tensors
    inputs: a Tensor or a tuple; those checked must be float64 leaves with requires_grad=True
    Differences beyond atol + rtol * |numeric| raise GradcheckError, or return False.
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [t for t in inputs if isinstance(t, Tensor) and t.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient")
    for t in checked:
        if t.dtype.name != "float64":
            raise ValueError(f"gradcheck needs float64 inputs (float32 is too coarse for differences), got {t.dtype}")
    generator = Generator().manual_seed(seed)

    def outputs():
        y = func(*inputs)
        return [t for t in (y if isinstance(y, tuple) else (y,)) if t.dtype.kind == "f"]

    ys = outputs()
    vs = [_random_like(y, generator) for y in ys]
    us = [_random_like(t, generator) for t in checked]
    for t in checked:
        t.grad = None
    total = sum(((y * v).sum() for y, v in zip(ys[1:], vs[1:], strict=True)), (ys[0] * vs[0]).sum())
    if total.requires_grad:
        total.backward()
    analytic = sum(_dot(u, t.grad) for u, t in zip(us, checked, strict=True) if t.grad is not None)

    def shifted(sign):
        with no_grad():
            before = [t._array for t in checked]
            try:
                for t, u in zip(checked, us, strict=True):
                    t._array = (t + u * (sign * eps))._array
                return sum(_dot(y, v) for y, v in zip(outputs(), vs, strict=True))
            finally:
                for t, array in zip(checked, before, strict=True):
                    t._array = array

    numeric = (shifted(1) - shifted(-1)) / (2 * eps)
    if abs(analytic - numeric) <= atol + rtol * abs(numeric):
        return True
    if raise_exception:
        raise GradcheckError(
            f"the gradient disagrees with a central difference: analytic {analytic:.10g}, numeric {numeric:.10g} "
            f"along a random direction (tolerance {atol} + {rtol} * |numeric|)"
        )
    return False
