"""PyTorch's files, .pt, .pth or .th: the zip archive written since version 1.6 and the row of pickles before it.

In both a pickle describes nested data in which Tensors refer to storages, flat blocks of elements outside the pickle.
It is run by our interpreter of pickled data with a fixed table of names; a storage has the size that its entry has,
and a Tensor lies inside its storage, or there is an error.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy

from engine import backends
from engine.functions import from_numpy
from engine.nn.parameter import Parameter
from engine.serialization.archive import Archive
from engine.serialization.elements import FileFormatError, byte_count, checked_shape, elements, itemsize
from engine.serialization.pickled_data import DATA
from engine.serialization.unpickler import Function, Part, Unpickler
from engine.tape import Version
from engine.tensor import Tensor

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_EXPANSION = 16  # how many times the size of its file a Tensor that repeats elements may have


class StorageType(Part):
    """torch.FloatStorage and its like: the kind of elements."""

    def __init__(self, kind: str):
        self.kind = kind


class Storage(Part):
    """A flat array, shared by the Tensors that lie in it; `limit` is the size of the file."""

    def __init__(self, kind: str, array: numpy.ndarray, limit: int):
        self.kind, self.array, self.limit = kind, array, limit
        self.version = Version()


def _tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    """A Tensor at `offset` of a storage, as _rebuild_tensor_v2 and its forerunner without the last three have it."""
    shape = checked_shape(size, storage.kind, "a Tensor in its pickle")
    if len(stride) != len(shape) or any(type(s) is not int or s < 0 for s in (offset, *stride)):
        raise FileFormatError(f"a Tensor of shape {shape} in its pickle has strides or an offset that are none")
    if hooks or metadata:
        raise FileFormatError("a Tensor in its pickle carries hooks or marks of another kind of number")
    array, stride = storage.array, tuple(0 if n == 1 else s for n, s in zip(shape, stride, strict=True))
    if 0 in shape:
        array = numpy.empty(shape, array.dtype)
    else:
        end = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) + 1
        if end > storage.array.size:
            raise FileFormatError(
                f"a Tensor of shape {shape} and strides {stride} from element {offset} reaches element {end} of a storage "
                f"of {storage.array.size}"
            )
        if byte_count(shape, storage.kind) > _EXPANSION * storage.limit + 2**20:
            raise FileFormatError(
                f"a Tensor of shape {shape} repeats the elements of a storage of {storage.array.size}"
            )
        width = array.itemsize
        array = numpy.ndarray(shape, array.dtype, array, offset * width, tuple(s * width for s in stride))
    t = from_numpy(array)
    t._version = storage.version  # an in-place change of one is a change of all that share it
    return t.requires_grad_(_may_require_grad(t, requires_grad))


def _parameter(t, requires_grad, hooks):
    if hooks:
        raise FileFormatError("a Parameter in its pickle carries hooks")
    return Parameter(t.detach(), _may_require_grad(t, requires_grad))


def _may_require_grad(t, wanted):
    if wanted and t.dtype.kind != "f":
        raise FileFormatError(f"a Tensor of dtype {t.dtype} in its pickle requires a gradient")
    return wanted


def _device(kind, index=None):
    """cpu and cuda as devices of ours, others by name: where a Tensor was is data, no order."""
    name = kind if index is None else f"{kind}:{index}"
    return backends.device(name) if kind in ("cpu", "cuda") and (index or 0) >= 0 else name


def _size(sizes):
    return checked_shape(sizes, "u1", "a torch.Size in its pickle")


_HOOKS = (OrderedDict, dict, type(None))
_REBUILD = (Storage, int, tuple, tuple, bool, _HOOKS, _HOOKS)
TORCH: dict = {
    **DATA,
    "torch._utils _rebuild_tensor": Function(_tensor, _REBUILD[:4], 4),
    "torch._utils _rebuild_tensor_v2": Function(_tensor, _REBUILD, 6),
    "torch._utils _rebuild_parameter": Function(_parameter, (Tensor, bool, _HOOKS), 3),
    "torch Size": Function(_size, ((tuple, list),), 1),
    "torch device": Function(_device, (str, int), 1),
    **{f"torch {name}": numpy.dtype(name) for name in "float32 float64 int64 int32 int16 int8 uint8 bool".split()},
}
for _name, _kind in (
    ("Float", "f4"), ("Double", "f8"), ("Half", "f2"), ("BFloat16", "bf16"), ("Long", "i8"), ("Int", "i4"),
    ("Short", "i2"), ("Char", "i1"), ("Byte", "u1"), ("Bool", "b1"),
):  # fmt: skip
    TORCH[f"torch {_name}Storage"] = StorageType(_kind)


def _storage_id(pid, known: dict, length: int):
    """(kind, key, number of elements, Storage if one of that key is `known`) from a persistent id of `length` parts."""
    if type(pid) is not tuple or len(pid) != length or pid[0] != "storage":
        raise FileFormatError("its pickle refers to something outside itself that is no storage of elements")
    kind, key, count = pid[1], pid[2], pid[4]
    if type(kind) is not StorageType or type(key) is not str or type(count) is not int or count < 0:
        raise FileFormatError("its pickle refers to a storage in an unknown way")
    if length == 6 and pid[5] is not None:
        raise FileFormatError("its pickle refers to a view of a storage, which PyTorch no longer writes")
    storage = known.get(key)
    if storage is not None and (storage.kind, storage.array.size) != (kind.kind, count):
        raise FileFormatError(f"its pickle describes storage {key[:40]!r} in two ways")
    return kind.kind, key, count, storage


def read_zip(archive: Archive, size: int):
    """The object in an archive of PyTorch's, a file of `size` bytes."""
    pickles = [name for name in archive.names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise FileFormatError(
            f"its zip archive has {len(pickles)} entries FOLDER/data.pkl, a file of PyTorch's has one"
        )
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in archive.names:
        raise FileFormatError("it is a TorchScript archive, a program; load it in PyTorch and save its state_dict()")
    order = _byte_order(archive, f"{root}byteorder")
    storages: dict[str, Storage] = {}

    def persistent(pid):
        kind, key, count, storage = _storage_id(pid, storages, 5)
        if storage is None:
            name, wanted = f"{root}data/{key}", count * itemsize(kind)
            if archive.size_of(name) != wanted:
                raise FileFormatError(
                    f"storage {key!r} has {count} elements, {wanted} bytes, but its entry has {archive.size_of(name)}"
                )
            storage = storages[key] = Storage(kind, elements(archive.stored(name), kind, order), size)
        return storage

    return Unpickler(archive.stored(pickles[0]), TORCH, persistent).load()


def _byte_order(archive, name):
    if name not in archive.names:
        return "<"  # files written before version 2.1, on little-endian machines but for the rarest
    order = {b"little": "<", b"big": ">"}.get(archive.stored(name))
    if order is None:
        raise FileFormatError(f"its entry {name!r} is neither 'little' nor 'big'")
    return order


def read_legacy(data: bytes):
    """The object in a file of PyTorch's from before version 1.6: five pickles, then the storages one by one.

    Storages are little-endian, whatever the third pickle says of the machine that wrote them.
    """
    storages: dict[str, Storage] = {}
    left = len(data)

    def persistent(pid):
        nonlocal left
        kind, key, count, storage = _storage_id(pid, storages, 6)
        if storage is None:
            left -= count * itemsize(kind)
            if left < 0:
                raise FileFormatError(
                    f"storage {key[:40]!r} has {count} elements, more than a file of {len(data)} bytes"
                )
            empty = numpy.empty(count, {"bf16": "f4", "f2": "f4"}.get(kind, kind))
            storage = storages[key] = Storage(kind, empty, len(data))
        return storage

    machine = Unpickler(data, TORCH, persistent)
    magic = machine.load()
    protocol = machine.load(machine.position)
    system = machine.load(machine.position)
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or type(system) is not dict:
        raise FileFormatError(
            f"it starts like a file of PyTorch's, but of protocol {str(protocol)[:40]}, not {_PROTOCOL}"
        )
    result = machine.load(machine.position)
    keys = machine.load(machine.position)
    if type(keys) is not list or not all(type(k) is str for k in keys) or sorted(keys) != sorted(storages):
        raise FileFormatError("its list of storages is not that of the storages its Tensors lie in")
    for key in keys:
        storage = storages[key]
        count = machine.number("<q")
        if count != storage.array.size:
            raise FileFormatError(f"storage {key[:40]!r} has {count} elements, its Tensors expect {storage.array.size}")
        storage.array[...] = elements(machine.take(count * itemsize(storage.kind)), storage.kind)
    if machine.position != len(data):
        raise FileFormatError(f"{len(data) - machine.position} bytes follow its last storage")
    return result
