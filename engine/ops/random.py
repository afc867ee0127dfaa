"""Randomness: dropout, and the random tensors that initialisation and shuffling draw."""

from __future__ import annotations

from operator import index

from engine import backends
from engine.generator import chosen
from engine.ops._op import check_floats, expect_tensors, op, sizes
from engine.tensor import wrap

__all__ = ["dropout", "rand", "randint", "randn", "randperm"]
METHODS = "normal_ uniform_".split()


@op
def dropout_keyed(k, x, *, p, key):
    """x with a share p of its elements set to 0 and the others divided by 1 - p; `key` decides which."""
    check_floats("dropout", input=x)
    mask = k.dropout_mask(x.shape, p, key, x.dtype)
    return k.mul(x, mask), (lambda g: k.mul(g, mask),)


def dropout(x, p=0.5, training=True, inplace=False, generator=None):
    """While training, zero each element with probability p and scale the others by 1 / (1 - p)."""
    expect_tensors("dropout", input=x)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return x
    y = dropout_keyed(x, p=p, key=chosen(generator).next_key())
    return x._replace(y, "dropout_") if inplace else y


def uniform_(x, a=0.0, b=1.0, generator=None):
    """Fill x with draws from [a, b)."""
    return _fill(x, x._k.uniform(x.shape, a, b, chosen(generator).next_key(), x.dtype), "uniform_")


def normal_(x, mean=0.0, std=1.0, generator=None):
    """Fill x with draws from the normal distribution."""
    if std < 0:
        raise RuntimeError(f"normal_ expects std >= 0.0, but found std {std}")
    return _fill(x, x._k.normal(x.shape, mean, std, chosen(generator).next_key(), x.dtype), "normal_")


def _fill(x, values, name):
    return x._replace(wrap(values, x._k), name)


def rand(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform draws from [0, 1)."""
    return _made("uniform", size, (0.0, 1.0), generator, dtype, device, requires_grad)


def randn(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Draws from the standard normal distribution."""
    return _made("normal", size, (0.0, 1.0), generator, dtype, device, requires_grad)


def _made(kind, size, limits, generator, dtype, device, requires_grad):
    k = backends.for_device(device)
    draw = getattr(k, kind)
    array = draw(sizes(size), *limits, chosen(generator).next_key(), backends.dtype(dtype or "float32"))
    return wrap(array, k).requires_grad_(requires_grad)


def randint(low, high=None, size=None, *, generator=None, device=None):
    """int64 draws from low..high-1; `randint(high, size)` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    low, high = index(low), index(high)
    if high <= low:
        raise RuntimeError(f"randint expects low < high, got low={low}, high={high}")
    k = backends.for_device(device)
    return wrap(k.integers(sizes((size,)), low, high, chosen(generator).next_key()), k)


def randperm(n, *, generator=None, device=None):
    """The numbers 0..n-1 in random order, int64."""
    k = backends.for_device(device)
    (n,) = sizes((n,))
    return wrap(k.permutation(n, chosen(generator).next_key()), k)
