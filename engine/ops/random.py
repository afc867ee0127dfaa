"""Randomness: dropout, random tensors, and tensors filled with draws.

Each draw takes one key of the generator given (default: `engine.generator.chosen`), whatever its size; results depend on
the key alone. What is drawn has no history: PyTorch's gradients of these functions are zeros.
"""

from __future__ import annotations

from operator import index

from engine import backends
from engine.generator import chosen
from engine.ops._op import check_floats, expect_bools, expect_numbers, expect_tensors, is_number, op, sizes
from engine.ops.shape import broadcast_shapes
from engine.tensor import Tensor, wrap

__all__ = [
    "bernoulli", "dropout", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm",
]  # fmt: skip
METHODS = "bernoulli bernoulli_ exponential_ multinomial normal_ random_ uniform_".split()

_EXACT = {"float32": 2**24, "float64": 2**53}  # integers up to here are floats of their own
_LARGEST = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
_LIMITS = {
    "bool": (0, 1),
    "uint8": (0, 255),
    **{f"int{n}": (-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 16, 32, 64)},
}


def _key(generator):
    return chosen(generator).next_key()


def _float(name, dtype):
    """A float dtype; NotImplementedError (in PyTorch too) for others."""
    dtype = backends.dtype(dtype or backends.DEFAULT_FLOAT)
    if dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {dtype}, expected float32 or float64")
    return dtype


# ---- dropout


@op
def dropout_keyed(k, x, *, p, key):
    """x with a share p of its elements times 0 and the others divided by 1 - p; `key` decides which.

    The gradient draws the same numbers once more, so nothing is kept for it.
    """
    check_floats("dropout", input=x)
    return k.dropout(x, p, key), (lambda g: k.dropout(g, p, key),)


def dropout(input, p=0.5, training=True, inplace=False, generator=None):
    """While training, zero each element with probability p and scale the others by 1 / (1 - p)."""
    expect_tensors("dropout", input=input)
    expect_bools("dropout", training=training, inplace=inplace)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    y = dropout_keyed(input, p=p, key=_key(generator))
    return input._replace(y, "dropout_") if inplace else y


# ---- tensors filled with draws


def _fill(x, values, name):
    return x._replace(wrap(values, x._k), name)


def _from_to(name, names, positional, named):
    """The values of `from` and `to` (0 and None unless given), given by position in the order of `names` or by name."""
    given = {**dict(zip(names, positional, strict=False)), **named}
    if len(given) < len(positional) + len(named) or set(given) - {"from", "to"}:
        raise TypeError(f"{name}() takes `from`, `to` and `generator`, got {positional} and {named}")
    return given.get("from", 0), given.get("to")


def uniform_(x, *limits, generator=None, **named):
    """Fill x with draws from [`from`, `to`), 0 and 1 unless given: of 24 bits in float32, of 53 in float64."""
    low, high = _from_to("uniform_", ("from", "to"), limits, named)
    high = 1 if high is None else high
    expect_numbers("uniform_", **{"from": low, "to": high})
    low, high = float(low), float(high)
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    if not max(high - low, abs(low), abs(high)) <= _LARGEST[_float("uniform_", x.dtype).name]:
        raise RuntimeError(f"uniform_: the range from {low} to {high} is too wide for {x.dtype}")
    return _fill(x, x._k.uniform(x.shape, low, high, _key(generator), x.dtype), "uniform_")


def normal_(x, mean=0.0, std=1.0, *, generator=None):
    """Fill x with draws from the normal distribution (Box and Muller 1958)."""
    if not std >= 0:
        raise RuntimeError(f"normal_ expects std >= 0.0, but found std {std}")
    _float("normal_", x.dtype)
    return _fill(x, x._k.normal(x.shape, mean, std, _key(generator), x.dtype), "normal_")


def exponential_(x, lambd=1.0, *, generator=None):
    """Fill x with draws from the exponential distribution of density lambd * exp(-lambd * x)."""
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    _float("exponential_", x.dtype)
    return _fill(x, x._k.exponential(x.shape, lambd, _key(generator), x.dtype), "exponential_")


def bernoulli_(x, p=0.5, *, generator=None):
    """Fill x with ones, each with probability `p` (a number, or a float Tensor that broadcasts to x), and zeros."""
    return _fill(x, _coins(x._k, "bernoulli_", x.shape, p, generator, x.dtype), "bernoulli_")


def random_(x, *limits, generator=None, **named):
    """Fill x with integers from `from` to `to` - 1: `x.random_(to)`, `x.random_(from, to)`, `x.random_()`.

    `from` is 0 unless given; without `to` the largest integer that x's dtype holds exactly comes last.
    """
    names = ("to",) if len(limits) == 1 and "to" not in named else ("from", "to")
    low, high = _from_to("random_", names, limits, named)
    name = x.dtype.name
    largest = _EXACT[name] if name in _EXACT else _LIMITS[name][1]
    values = _integers(x._k, "random_", x.shape, low, largest + 1 if high is None else high, generator, x.dtype)
    return _fill(x, values, "random_")


def _integers(k, name, shape, low, high, generator, dtype):
    """Draws from low..high-1 in any dtype."""
    if isinstance(low, bool) or isinstance(high, bool):
        raise TypeError(f"{name}: the limits must be integers, got {low} and {high}")
    low, high = index(low), index(high)
    if high <= low:
        raise RuntimeError(f"{name} expects 'from' to be less than 'to', but got from={low} >= to={high}")
    least, largest = _LIMITS.get(dtype.name, _LIMITS["int64"])
    if low < least or high - 1 > largest:
        raise RuntimeError(f"{name}: the range from {low} to {high - 1} is out of bounds for {dtype}")
    return k.cast(k.integers(shape, low, high, _key(generator)), dtype)


def _coins(k, name, shape, p, generator, dtype):
    """Ones with probability p (a number or a Tensor), zeros elsewhere."""
    if isinstance(p, Tensor):
        _float(name, p.dtype)
        if p.ndim > len(shape) or any(n not in (1, s) for n, s in zip(p.shape[::-1], shape[::-1], strict=False)):
            raise RuntimeError(f"{name}: p of shape {p.shape} does not broadcast to {shape}")
        least, most = (p._array.min(), p._array.max()) if p.numel() else (0, 1)
        p = k.cast(p._array, backends.dtype("float64"))
    else:
        if not is_number(p):
            raise TypeError(f"{name}: p must be a number or a Tensor, got {p!r}")
        least = most = p
        p = k.full((), p, backends.dtype("float64"))
    if not (least >= 0 and most <= 1):
        raise RuntimeError(f"{name} expects p to be in [0, 1], but got p from {least} to {most}")
    u = k.uniform(shape, 0.0, 1.0, _key(generator), backends.dtype("float64"))
    return k.cast(k.lt(u, p), dtype)


# ---- random tensors


def _shape(shape, size):
    """The sizes of a random tensor, given one by one, as a tuple or as size=."""
    if bool(shape) == (size is not None):
        raise TypeError(f"sizes are given one by one, as a tuple or as size=, got {shape} and size={size}")
    return sizes(shape if size is None else (size,))


def rand(*shape, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform draws from [0, 1), float32 unless `dtype` says otherwise."""
    k, dtype = backends.for_device(device), _float("rand", dtype)
    return wrap(k.uniform(_shape(shape, size), 0.0, 1.0, _key(generator), dtype), k).requires_grad_(requires_grad)


def randn(*shape, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Draws from the standard normal distribution, float32 unless `dtype` says otherwise."""
    k, dtype = backends.for_device(device), _float("randn", dtype)
    return wrap(k.normal(_shape(shape, size), 0.0, 1.0, _key(generator), dtype), k).requires_grad_(requires_grad)


def randint(low=None, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Draws from low..high-1, int64 unless `dtype` says otherwise; `randint(high, size)` starts at 0."""
    if high is None and size is not None:
        low, high = None, low
    elif isinstance(high, (tuple, list)) and size is None:
        low, high, size = 0, low, high
    if high is None or not isinstance(size, (tuple, list)):
        raise TypeError(f"randint() takes (high, size) or (low, high, size) with a tuple size, got {low, high, size}")
    k, dtype = backends.for_device(device), backends.dtype(dtype or "int64")
    array = _integers(k, "randint", sizes((size,)), 0 if low is None else low, high, generator, dtype)
    return wrap(array, k).requires_grad_(requires_grad)


def randperm(n, *, generator=None, dtype=None, device=None, requires_grad=False):
    """The numbers 0..n-1 in random order, int64 unless `dtype` says otherwise."""
    k, dtype = backends.for_device(device), backends.dtype(dtype or "int64")
    if isinstance(n, (bool, tuple, list)):
        raise TypeError(f"randperm(): n must be an integer, got {n!r}")
    (n,) = sizes((n,))
    if n - 1 > _LIMITS.get(dtype.name, _LIMITS["int64"])[1]:
        raise RuntimeError(f"randperm: {n - 1} does not fit into {dtype}")
    return wrap(k.cast(k.permutation(n, _key(generator)), dtype), k).requires_grad_(requires_grad)


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None):
    """`rand` in input's shape, dtype and on its device unless given."""
    return _like(rand, "rand_like", input, (), generator, dtype, device, requires_grad)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None):
    """`randn` in input's shape, dtype and on its device unless given."""
    return _like(randn, "randn_like", input, (), generator, dtype, device, requires_grad)


def randint_like(
    input, low=None, high=None, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None
):
    """`randint` in input's shape, dtype and on its device unless given; `randint_like(input, high)` starts at 0."""
    if high is None and low is None:
        raise TypeError("randint_like() is missing its argument 'high'")
    limits = (0, low) if high is None else (low or 0, high)
    return _like(randint, "randint_like", input, limits, generator, dtype, device, requires_grad)


def _like(make, name, input, limits, generator, dtype, device, requires_grad):
    expect_tensors(name, input=input)
    return make(
        *limits,
        size=input.shape,
        generator=generator,
        dtype=dtype or input.dtype,
        device=device or input.device,
        requires_grad=requires_grad,
    )


def bernoulli(input, p=None, *, generator=None):
    """Ones with the probabilities that the float Tensor `input` holds (or all with the number `p`), zeros elsewhere."""
    expect_tensors("bernoulli", input=input)
    array = _coins(input._k, "bernoulli", input.shape, input if p is None else p, generator, input.dtype)
    return wrap(array, input._k)


def normal(mean, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal draws of mean `mean` and standard deviation `std`: Tensors (broadcast) or numbers, then with a `size`.

    The dtype is that of `mean`, else of `std`; for numbers float32 unless `dtype` says otherwise.
    """
    expect_numbers("normal", **{n: v for n, v in (("mean", mean), ("std", std)) if not isinstance(v, Tensor)})
    tensors = [t for t in (mean, std) if isinstance(t, Tensor)]
    if not tensors:
        if size is None:
            raise TypeError("normal() takes a size where mean and std are numbers")
        return normal_(rand(size=size, dtype=dtype, device=device), mean, std, generator=generator).requires_grad_(
            requires_grad
        )
    if size is not None:
        raise TypeError("normal() takes a size only where mean and std are numbers")
    dtype, k = _float("normal", tensors[0].dtype), tensors[0]._k
    if len(tensors) == 2:
        broadcast_shapes(mean.shape, std.shape)
        k = backends.common("normal", k, tensors[1]._k)
    mean, std = (k.cast(v._array, dtype) if isinstance(v, Tensor) else k.full((), v, dtype) for v in (mean, std))
    if std.size and not std.min() >= 0:
        raise RuntimeError("normal expects all elements of std >= 0.0")
    flat = k.add(mean, std)  # for its shape
    return wrap(k.add(k.mul(k.normal(flat.shape, 0.0, 1.0, _key(generator), dtype), std), mean), k)


def multinomial(input, num_samples, replacement=False, *, generator=None):
    """int64 [num_samples] or [rows, num_samples]: categories drawn with the weights that `input` holds.

    input: float [categories] or [rows, categories], not negative, finite, not all 0. Without replacement no category
    is drawn twice, and those of weight 0 come after all others.
    """
    expect_tensors("multinomial", input=input)
    expect_bools("multinomial", replacement=replacement)
    p, k = input._array, input._k
    if p.dtype.kind != "f":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {p.dtype}")
    if p.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got shape {p.shape}")
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {num_samples}")
    if not replacement and num_samples > p.shape[-1]:
        raise RuntimeError(
            f"cannot sample n_sample > prob_dist.size(-1) samples without replacement: {num_samples} > {p.shape[-1]}"
        )
    rows = p.reshape(-1, p.shape[-1])
    if rows.size and not (rows.min() >= 0 and rows.max() < float("inf")):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if rows.size and not rows.max(1).min() > 0:
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    drawn = k.multinomial(rows, num_samples, replacement, _key(generator))
    return wrap(drawn.reshape(*p.shape[:-1], num_samples), k)
