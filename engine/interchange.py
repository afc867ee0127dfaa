"""Tensors and the arrays of others over the same memory: DLPack, and Python's buffer protocol.

    numpy.from_dlpack(t), torch.from_dlpack(t)      no copy, both ways
    memoryview(t), bytes(t)                         from Python 3.12 on; before, memoryview(t.numpy())
    numpy.asarray(t)                                by `Tensor.__array__`, no copy

A tensor that requires a gradient is not handed out: changes made elsewhere would not be seen. For the same reason there
is no `__array_interface__`, by which NumPy would take the memory without asking.
"""

from __future__ import annotations

import ctypes

import numpy

from engine import backends
from engine.functions import from_numpy
from engine.tensor import Tensor

CPU = (1, 0)  # DLPack's kDLCPU, device 0


def _exported(self, what):
    """The NumPy array of a tensor that may be handed out; BufferError otherwise."""
    if self.requires_grad:
        raise BufferError(f"{what}: can't export tensors that require gradient, use tensor.detach()")
    return self.numpy()


def dlpack(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    """A DLPack capsule over the tensor's memory, or over a copy of it (`copy=True`); consumers call this.

    BufferError for tensors that require a gradient, for devices other than the CPU, and for tensors over read-only memory
    (expanded ones) where the consumer does not know of such.
    """
    array = _exported(self, "__dlpack__")
    if dl_device is not None and tuple(map(int, dl_device)) != CPU:
        raise BufferError(f"__dlpack__: the tensor lies on the CPU {CPU} and cannot go to device {tuple(dl_device)}")
    if stream not in (None, -1):
        raise BufferError(f"__dlpack__: the tensor lies on the CPU, which has no streams, got stream={stream!r}")
    version = {} if max_version is None else {"max_version": max_version}  # NumPy 2.0 has no such argument
    return (array.copy() if copy else array).__dlpack__(**version)


def dlpack_device(self):
    """DLPack's numbers of the tensor's device: (1, 0), the CPU."""
    if self.device.type != "cpu":
        raise BufferError(f"__dlpack_device__: tensors on {self.device} are not exported; use .cpu()")
    return CPU


def buffer(self, flags):
    """Python's buffer protocol (from 3.12 on): a memoryview of the tensor's memory."""
    return memoryview(_exported(self, "memoryview"))


class _Producer:
    """What `from_dlpack` was given, an object or a bare capsule, as an object that remembers the capsule's version."""

    versioned = False

    def __init__(self, source):
        self.source = source

    def __dlpack_device__(self):
        return self.source.__dlpack_device__() if hasattr(self.source, "__dlpack_device__") else CPU

    def __dlpack__(self, **wishes):
        capsule = self.source.__dlpack__(**wishes) if hasattr(self.source, "__dlpack__") else self.source
        self.versioned = not _is_capsule(capsule, b"dltensor")
        return capsule


def _is_capsule(x, name):
    """Whether x is a capsule of that name; a consumer renames the one it took."""
    return bool(ctypes.pythonapi.PyCapsule_IsValid(ctypes.py_object(x), name))


class _Writable:
    """The memory of a read-only array that is not meant to be one."""

    def __init__(self, array):
        pointer, _ = array.__array_interface__["data"]
        self.owner, self.__array_interface__ = array, {**array.__array_interface__, "data": (pointer, False)}


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A Tensor over the memory of any object with `__dlpack__` (NumPy's, PyTorch's, JAX's, ...), or of a DLPack capsule.

    No copy, unless `copy=True` or the memory is read-only; `copy=False` refuses that with BufferError. device: None or
    "cpu". TypeError for dtypes that tensors do not have, BufferError for memory on other devices.
    """
    if isinstance(ext_tensor, Tensor):
        return ext_tensor.detach().clone() if copy else ext_tensor.detach()
    if not hasattr(ext_tensor, "__dlpack__"):
        if type(ext_tensor).__name__ != "PyCapsule":
            raise TypeError(
                f"from_dlpack expects an object with __dlpack__ or a capsule, got {type(ext_tensor).__name__}"
            )
        if not _is_capsule(ext_tensor, b"dltensor") and not _is_capsule(ext_tensor, b"dltensor_versioned"):
            raise RuntimeError(f"from_dlpack: {ext_tensor!r} is no DLPack capsule, or one that was taken already")
    backends.for_device(device)
    producer = _Producer(ext_tensor)
    kind = int(producer.__dlpack_device__()[0])
    if kind != CPU[0]:
        raise BufferError(f"from_dlpack: the memory lies on a device of kind {kind}, not on the CPU (1); move it there")
    try:
        array = numpy.from_dlpack(producer)
    except RuntimeError as error:  # NumPy's word for dtypes it lacks
        raise TypeError(f"from_dlpack: {error}") from None
    backends.dtype(array.dtype)
    if not array.flags.writeable and not producer.versioned:  # the old protocol cannot say so; NumPy is careful
        array = numpy.asarray(_Writable(array))
    if copy or not array.flags.writeable:
        if copy is False:
            raise BufferError("from_dlpack: the memory is read-only, so a Tensor needs a copy of it; pass copy=None")
        array = array.copy()
    return from_numpy(array)


def to_dlpack(tensor):
    """A DLPack capsule over the tensor's memory, which one consumer may take."""
    return tensor.__dlpack__()


METHODS = {"__dlpack__": dlpack, "__dlpack_device__": dlpack_device, "__buffer__": buffer}
