"""NumPy standing in for CuPy: arrays that mix with NumPy's as little as a GPU's do, and have no method that CuPy's lack.

Every wait for the GPU that CuPy would make is counted in `waits`.
"""

from __future__ import annotations

import types

import numpy as np

from stand_in import memory
from stand_in.names import ARRAY, MODULE, SPECIAL

waits = 0


def _wait():
    global waits
    waits += 1


class Array(np.ndarray):
    """Memory of the GPU, as far as Python can tell."""

    def __getattribute__(self, name):
        if not name.startswith("_") and name not in ARRAY:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        return super().__getattribute__(name)

    def __array_finalize__(self, source):
        pass

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        inputs = tuple(_plain(a, ufunc.__name__) for a in inputs)
        if out is not None:
            kwargs["out"] = tuple(_plain(a, ufunc.__name__) for a in out)
        made = getattr(ufunc, method)(*inputs, **kwargs)
        return out[0] if out is not None and out[0] is not None else _wrapped(made)

    def __array_function__(self, function, types_, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} of a CuPy array")

    def __getitem__(self, index):
        return _wrapped(np.ndarray.__getitem__(_bare(self), _index(index)))

    def __setitem__(self, index, value):
        np.ndarray.__setitem__(_bare(self), _index(index), _plain(value, "assignment"))

    def __bool__(self):
        _wait()
        return bool(_bare(self))

    def __int__(self):
        _wait()
        return int(_bare(self))

    def __float__(self):
        _wait()
        return float(_bare(self))

    def __index__(self):
        _wait()
        return _bare(self).__index__()

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    @property
    def flags(self):
        """CuPy's have these three."""
        flags = _bare(self).flags
        return types.SimpleNamespace(
            c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata
        )

    @property
    def base(self):
        base = np.ndarray.base.__get__(self)
        return base if type(base) is Array else None

    @property
    def data(self):
        """Where the first element lies."""
        return types.SimpleNamespace(ptr=_bare(self).ctypes.data)

    def set(self, source, stream):
        """A copy from NumPy, when the stream comes to it."""
        assert type(source) is np.ndarray and source.shape == self.shape and source.dtype == self.dtype
        stream.log.append(("copy", (_bare(self), source)))

    def get(self):
        """A copy in NumPy."""
        _wait()
        return _bare(self).copy()

    def item(self, *index):
        _wait()
        return _bare(self).item(*index)

    def tolist(self):
        _wait()
        return _bare(self).tolist()

    def tobytes(self):
        _wait()
        return _bare(self).tobytes()


def _method(name):
    def method(self, *args, **kwargs):
        args = tuple(_plain(a, name) for a in args)
        kwargs = {key: _plain(a, name) for key, a in kwargs.items()}
        return _wrapped(getattr(_bare(self), name)(*args, **kwargs))

    return method


for _name in sorted(
    ARRAY
    & set(dir(np.ndarray))
    - {
        "T",
        "mT",
        "base",
        "data",
        "device",
        "dtype",
        "flags",
        "flat",
        "item",
        "itemsize",
        "nbytes",
        "ndim",
        "set",
        "shape",
        "size",
        "strides",
        "tobytes",
        "tolist",
    }
):
    if callable(getattr(np.ndarray, _name)):
        setattr(Array, _name, _method(_name))


def _bare(a):
    return np.ndarray.view(a, np.ndarray)


def _plain(a, what):
    """NumPy's array behind an Array; TypeError for an array that is NumPy's own."""
    if type(a) is Array:
        return _bare(a)
    if isinstance(a, np.ndarray):
        raise TypeError(f"{what}: Unsupported type <class 'numpy.ndarray'>")
    if isinstance(a, (list, tuple)):
        return type(a)(_plain(v, what) for v in a)
    return a


def _index(index):
    return _plain(index, "index")


def _wrapped(y):
    """Arrays and NumPy's numbers as Arrays: CuPy's results have no dimension where NumPy's are numbers."""
    if isinstance(y, np.generic):
        y = np.asarray(y)
    if isinstance(y, np.ndarray):
        return np.ndarray.view(y, Array)
    return type(y)(map(_wrapped, y)) if isinstance(y, (list, tuple)) else y


def _function(f):
    def function(*args, **kwargs):
        out = kwargs.get("out")
        made = f(*(_plain(a, f.__name__) for a in args), **{key: _plain(a, f.__name__) for key, a in kwargs.items()})
        return out if out is not None else _wrapped(made)

    return function


class _Functions:
    """The names of a module of CuPy's, as NumPy's or SciPy's functions."""

    def __init__(self, name, names, truth):
        self._name, self._names, self._truth = name, names, truth

    def __getattr__(self, name):
        if name not in self._names:
            raise AttributeError(f"module {self._name!r} has no attribute {name!r}")
        value = getattr(self._truth, name)
        if isinstance(value, types.ModuleType):
            return _Functions(f"{self._name}.{name}", dir(value), value)
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        return _function(value) if callable(value) and not isinstance(value, type) else value


class _Ufunc:
    def __init__(self, ufunc):
        self._ufunc, self._call = ufunc, _function(ufunc)
        self.__name__ = ufunc.__name__

    def __call__(self, *args, **kwargs):
        return self._call(*args, **kwargs)

    def accumulate(self, a, axis=0, dtype=None):
        """CuPy runs sums and products alone."""
        assert self.__name__ in ("add", "multiply")
        return _wrapped(self._ufunc.accumulate(_plain(a, "accumulate"), axis, dtype))

    def at(self, a, index, *values):
        self._ufunc.at(_bare(a), _index(index), *(_plain(v, "at") for v in values))


class _Module(_Functions):
    ndarray = Array

    @staticmethod
    def asarray(a, dtype=None):
        """From NumPy's memory as well."""
        memory.pool_request(a)
        return _wrapped(
            np.array(_plain(a, "asarray") if type(a) is Array else a, dtype, copy=None if type(a) is Array else True)
        )

    @staticmethod
    def empty(shape, dtype=float):
        return _wrapped(memory.allocated(np.empty(shape, dtype)))

    @staticmethod
    def diagonal(a, *args):
        """One may write to CuPy's."""
        view = np.diagonal(_plain(a, "diagonal"), *args)
        view.flags.writeable = True
        return _wrapped(view)

    @staticmethod
    def asnumpy(a):
        return a.get()


xp = _Module("cupy", MODULE, np)


def special():
    from scipy import special as truth

    return _Functions("cupyx.scipy.special", SPECIAL, truth)
