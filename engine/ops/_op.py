"""@op: how a function `(k, arrays, params) -> (y, vjps)` becomes an operation on Tensors, and the table of them all.

`k` is the backend, positional arguments are raw arrays, keyword-only ones are parameters without gradient.
`y` is an array or a tuple of arrays; `vjps` is one callable per array input (or one for all, returning a tuple),
or None where no gradient exists. An optional array has the default None; `*arrays` takes a list of Tensors.

Tensors first, then parameters, may be passed by position in the order of the signature, as in PyTorch.
"""

from __future__ import annotations

import inspect
from functools import lru_cache, wraps

from engine import backends
from engine.geometry import ShapeError
from engine.grad_mode import mode
from engine.ops._arguments import (
    KINDS,
    NUMPYS_NAMES,
    binder,
    is_number,
    not_a_tensor,
    of_wrong_kind,
    rename,
    shown,
)
from engine.tape import Node, now, overwritten
from engine.tensor import Tensor, mark_view, record, wrap

OPS: dict[str, object] = {}  # name -> the function as it was written; tests/op_table.py has a row for each
ONTO: set = (
    set()
)  # operations whose kernel is of their name and takes, second, the array to write, which may be the first


class DtypeError(TypeError, NotImplementedError):
    """Dtypes that do not fit. Both a TypeError and, as in PyTorch, a RuntimeError, of which NotImplementedError is one."""


class OutOfRange(IndexError, RuntimeError):
    """Positions outside of what there is. Both an IndexError and, as in PyTorch in places, a RuntimeError."""


def op(f=None, *, arithmetic=False, floats=False, bools=True, view=False, onto=False):
    """Register `f` under its name and return the operation on Tensors.

    arithmetic: two operands, one of which may be a Python number; their dtypes are matched by PyTorch's rules
    floats:     integer inputs are computed in float32 (division, exp, ...), as in PyTorch
    bools:      of two operands one may be bool
    view:       the output shares its input's memory
    onto:       one of ONTO
    """
    if f is None:
        return lambda g: op(g, arithmetic=arithmetic, floats=floats, bools=bools, view=view, onto=onto)
    name = f.__name__
    if name in OPS:
        raise ValueError(f"op {name!r} is defined twice")
    OPS[name] = f
    signature = list(inspect.signature(f).parameters.values())[1:]
    arrays = [p for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD]
    params = [p for p in signature if p.kind is p.KEYWORD_ONLY]
    names = [p.name for p in signature]
    aliases = {a: n for a, n in {**NUMPYS_NAMES, "input": names[0]}.items() if n in names and a not in names}
    if any(p.kind is p.VAR_POSITIONAL for p in signature):
        made = _listed(f, name, params, aliases)
    elif arithmetic:
        made = _binary(f, name, floats, bools)
    else:
        made = _general(f, name, arrays, params, view, floats, aliases)
    if onto:
        ONTO.add(made)
    return wraps(f, assigned=("__name__", "__doc__", "__module__", "__qualname__"))(made)


def _binary(f, name, floats, bools):
    """Two operands, kept short because arithmetic is called the most."""

    def apply(input, other):
        a, b = input, other
        try:
            x, y = a._array, b._array
        except AttributeError:
            if not bools and (a is True or a is False or b is True or b is False):
                raise _bool_operand(name) from None
            a, b = _operands(name, a, b)
            x, y = a._array, b._array
        if not bools and (x.dtype.kind == "b" or y.dtype.kind == "b"):
            raise _bool_operand(name)
        if x.dtype is not y.dtype or a._k is not b._k or (floats and x.dtype.kind != "f"):
            a, b = _matched(name, a, b, floats)
            x, y = a._array, b._array
        k = a._k
        try:
            z, vjps = f(k, x, y)
        except ValueError:
            raise ShapeError(f"{name}: shapes {x.shape} and {y.shape} cannot be broadcast together") from None
        out = wrap(z, k)
        p, q = a._node, b._node
        if (p is not None or q is not None) and vjps is not None and mode.grad:
            if p is None:
                vjps = (None, vjps[1])
            elif q is None:
                vjps = (vjps[0], None)
            out._node = Node(name, k, (p, q), vjps, (a._version, b._version, out._version))
        return out

    return apply


def _bool_operand(name):
    return RuntimeError(f"{name}: bool operands are not supported; use a ^ b or ~a for masks, or x.int() to calculate")


def _general(f, name, arrays, params, view, floats, aliases):
    """Any number of arrays, some optional, and parameters."""
    n = len(arrays)
    names = [shown(p.name) for p in arrays]
    required = sum(p.default is p.empty for p in arrays)
    bind = binder(name, arrays, params, aliases)

    def checked(inputs):
        """The common backend of the inputs; TypeError for what is no Tensor."""
        k = None
        for i, t in enumerate(inputs):
            if isinstance(t, Tensor):
                k = backends.common(name, k, t._k)
            elif t is not None or i < required:
                raise not_a_tensor(name, names[i], t)
        return k

    def apply(*args, **options):
        inputs = bind(args, options) if options or len(args) != n else args
        first = inputs[0]
        k = first._k if type(first) is Tensor else None
        xs = []
        for t in inputs:
            if t is None and len(xs) >= required:
                xs.append(None)
                continue
            if k is None or getattr(t, "_k", None) is not k:
                k = checked(inputs)
            xs.append(t._array)
        if floats and xs[0].dtype.kind != "f":
            inputs = [cast(first, backends.DEFAULT_FLOAT), *inputs[1:]]
            xs[0] = inputs[0]._array
        y, vjps = f(k, *xs, **options)
        out = record(name, k, y, vjps, inputs)
        if view:
            for t in out if type(out) is tuple else (out,):
                if k.shares_memory(t._array, xs[0]):
                    mark_view(t, first)
        return out

    return apply


def _listed(f, name, params, aliases):
    """A list of Tensors as the first argument."""
    param_names = [p.name for p in params]

    def apply(tensors, *args, **kwargs):
        rename(kwargs, aliases)
        if isinstance(tensors, Tensor):
            raise TypeError(f"{name}(): argument 'tensors' must be a list or tuple of Tensors, got one Tensor")
        tensors = list(tensors)
        if not tensors:
            raise ShapeError(f"{name}() expected a list with at least one Tensor, got none")
        for i, t in enumerate(tensors):
            if not isinstance(t, Tensor):
                raise not_a_tensor(name, f"tensors[{i}]", t)
        k = tensors[0]._k
        for t in tensors[1:]:
            if t._k is not k:
                k = backends.common(name, k, t._k)
        dtype = tensors[0].dtype
        for t in tensors[1:]:
            dtype = backends.promote(dtype, t.dtype)
        tensors = [t if t.dtype == dtype else cast(t, dtype) for t in tensors]
        if len(args) > len(params):
            raise TypeError(f"{name}() takes at most {1 + len(params)} arguments, got {1 + len(args)}")
        kwargs.update(zip(param_names, args, strict=False))
        y, vjps = f(k, *[t._array for t in tensors], **kwargs)
        return record(name, k, y, vjps, tensors)

    return apply


def numpys_names(f):
    """`f` with `axis` and `keepdims` for `dim` and `keepdim`: for functions that are no operations themselves."""

    @wraps(f)
    def wrapper(*args, **kwargs):
        if kwargs:
            rename(kwargs, NUMPYS_NAMES)
        return f(*args, **kwargs)

    return wrapper


def expect_tensors(name, **arguments):
    """TypeError unless every argument is a Tensor."""
    for argument, value in arguments.items():
        if not isinstance(value, Tensor):
            raise not_a_tensor(name, argument, value)


def expect_bools(name, **arguments):
    """TypeError unless every argument is True or False."""
    for argument, value in arguments.items():
        if not KINDS["a bool"](value):
            raise of_wrong_kind(name, argument, "a bool", value)


def expect_numbers(name, **arguments):
    """TypeError unless every argument is a number."""
    for argument, value in arguments.items():
        if not is_number(value):
            raise of_wrong_kind(name, argument, "a number", value)


@lru_cache(maxsize=4096, typed=True)
def _constant(k, value, dtype):
    return k.full((), value, dtype)


def _operands(name, a, b):
    """Tensors for the operands of which one is a Python number (which never widens the other's dtype)."""
    t, number = (a, b) if isinstance(a, Tensor) else (b, a)
    if not isinstance(t, Tensor) or isinstance(number, Tensor):
        raise not_a_tensor(name, "input", t)
    if not is_number(number):
        raise not_a_tensor(name, "other", number)
    if not isinstance(number, (int, float)):  # NumPy's scalars of a Python type's kind included
        number = number.item()
    dtype = backends.promote_number(t._array.dtype, number)
    make = _constant.__wrapped__ if number == 0 else _constant  # 0.0 and -0.0 are equal as keys of a cache
    try:
        constant = wrap(make(t._k, number, dtype), t._k)
    except OverflowError:
        raise RuntimeError(
            f"{name}: {number} does not fit into {dtype}; convert the tensor first, e.g. with .long()"
        ) from None
    return (t, constant) if t is a else (constant, t)


def operands(name, a, b):
    """Two operands of an operation as Tensors of one backend and dtype; one of them may be a Python number."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        a, b = _operands(name, a, b)
    return _matched(name, a, b, floats=False)


def _matched(name, a, b, floats):
    """Both operands on one backend and in one dtype, by PyTorch's rules."""
    if a._k is not b._k:
        k = backends.common(name, a._k, b._k)
        a, b = (t if t._k is k else record("to", k, t._array, (lambda g: g,), (t,)) for t in (a, b))
    dtype = backends.promote(a._array.dtype, b._array.dtype, a._array.ndim == 0, b._array.ndim == 0)
    if floats and dtype.kind != "f":
        dtype = backends.DEFAULT_FLOAT
    return tuple([t if t._array.dtype is dtype else cast(t, dtype) for t in (a, b)])


@op
def cast(k, x, *, dtype):
    """x in another dtype; the gradient comes back in x's own."""
    before = x.dtype
    y = k.cast(x, dtype)
    return y, (lambda g: k.cast(g, before),) if before.kind == "f" and y.dtype.kind == "f" else None


def converted(name, x, dtype):
    """The Tensor x in `dtype`, given as `engine.zeros` takes it; x itself where it has it, or for None."""
    expect_tensors(name, input=x)
    if dtype is None or (wanted := backends.dtype(dtype)) == x.dtype:
        return x
    return cast(x, dtype=wanted)


def over(x, f, *args, **kwargs):
    """f(x, ...) in the place of x, which takes over values and history.

    Where the derivative needs what x holds now, it is computed from a copy. Where there is none to record, a kernel that
    can writes onto x itself.
    """
    name = f"{f.__name__}_"
    expect_tensors(name, input=x)
    if f in ONTO and x._array.dtype.kind == "f" and not (mode.grad and x._node is not None):
        return x._overwrite(getattr(x._k, f.__name__), name)
    since = now()
    result = f(x, *args, **kwargs)
    if result._node is not None and overwritten(x._array, result._node, since):
        copy = wrap(x._k.copy(x._array), x._k)
        copy._node = x._node
        result = f(copy, *args, **kwargs)
    if result._node is not None and result.dtype != x.dtype and result.dtype.kind == x.dtype.kind:
        result = cast(result, dtype=x.dtype)
    return x._replace(result, name)


def in_place(apply):
    """The in-place form of an operation: `x.add_(y)` from `add`. Returns x."""
    name = apply.__name__ + "_"

    def method(input, *args, **kwargs):
        return over(input, apply, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"In-place form of `{apply.__name__}`."
    return method


def dims(name, dim, ndim):
    """`dim` (None: all, an int or several, negative from the end) as a tuple of axes; IndexError when out of range."""
    if dim is None:
        return tuple(range(ndim))
    if type(dim) is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    axes = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    out = []
    for d in axes:
        if isinstance(d, bool) or not hasattr(d, "__index__"):
            raise TypeError(f"{name}(): dim must be an integer or several, got {d!r}")
        d = d.__index__()
        limit = max(ndim, 1)
        if not -limit <= d < limit:
            raise IndexError(
                f"{name}(): Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {d})"
            )
        out.append(d % limit)
    if len(set(out)) != len(out):
        raise RuntimeError(f"{name}(): dim {dim} appears multiple times")
    return tuple(out) if ndim else ()


def one_axis(name, dim, x):
    """`dim`, one integer, as an axis of the array x, and x, which gets an axis if it has none."""
    return one_dim(name, dim, x.ndim), x if x.ndim else x.reshape(1)


def one_dim(name, dim, ndim):
    """`dim`, one integer, as one of `ndim` axes; 0 where there are none."""
    if type(dim) is int and -ndim <= dim < ndim:
        return dim % ndim
    if isinstance(dim, (tuple, list)) or dim is None:
        raise TypeError(f"{name}(): dim must be one integer, got {dim!r}")
    (axis,) = dims(name, dim, ndim) or (0,)
    return axis


def sizes(size):
    """Sizes given one by one or as one tuple; TypeError for what is no integer, RuntimeError below 0."""
    size = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    for s in size:
        if isinstance(s, bool) or not hasattr(s, "__index__"):
            raise TypeError(f"sizes must be integers, got {size}")
        if s < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {s}: {list(size)}")
    return size


def check_floats(name, **arrays):
    """DtypeError unless every array given (None: absent) has one and the same float dtype."""
    for a in arrays.values():
        if a is not None and a.dtype is not backends.DEFAULT_FLOAT:
            break
    else:
        return
    first = None
    for argument, a in arrays.items():
        if a is None:
            continue
        if a.dtype.kind != "f":
            fix = (
                "x.float() / 255, or a transform such as ToTensor" if a.dtype.name == "uint8" else f"{argument}.float()"
            )
            raise DtypeError(f"{name} got {argument} of dtype {a.dtype}, expected float32 or float64\n  Fix: {fix}")
        if first is None:
            first = argument, a.dtype
        elif a.dtype != first[1]:
            raise DtypeError(
                f"{name} got {argument} of dtype {a.dtype} but {first[0]} of dtype {first[1]}: "
                f"they must agree\n  Fix: convert one with .float() or .double()"
            )
