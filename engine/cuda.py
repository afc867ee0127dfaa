"""`engine.cuda`: whether there is a GPU, what it is, and what it holds.

Random numbers come from the default generator wherever they are drawn, so seeding a GPU seeds that. One GPU is used,
'cuda:0'; CUDA_VISIBLE_DEVICES chooses which that is. Where there is none, waiting for it, emptying its cache and reading its
use of memory have nothing to do, and what needs one says what is missing. Other names of `torch.cuda` are AttributeErrors.
"""

from __future__ import annotations

from engine import backends
from engine.backends import OutOfMemoryError as OutOfMemoryError
from engine.generator import default_generator


def is_available():
    """Whether CuPy, a driver and a GPU are at hand."""
    return "cuda" in backends.available()


def is_initialized():
    return is_available()


def is_bf16_supported():
    return False


def device_count():
    """1 or 0."""
    return int(is_available())


def current_device():
    """0; RuntimeError where there is no GPU."""
    _cupy()
    return 0


def set_device(device):
    """Accepts 0; RuntimeError for others, and where there is no GPU."""
    backends.for_device(f"cuda:{device}" if isinstance(device, int) else device)


def get_device_name(device=None):
    """What the GPU is called."""
    return _properties()["name"].decode()


def get_device_capability(device=None):
    """(major, minor) of its instruction set."""
    properties = _properties()
    return properties["major"], properties["minor"]


def manual_seed(seed):
    """Seed the default generator."""
    default_generator.manual_seed(seed)


manual_seed_all = manual_seed


def synchronize(device=None):
    """Wait until the GPU has done all it was asked for."""
    if is_available():
        _cupy().cuda.get_current_stream().synchronize()


def empty_cache():
    """Give unused memory of the GPU back; `engine.empty_cache()` returns the CPU's."""
    if is_available():
        _cupy().get_default_memory_pool().free_all_blocks()


def memory_allocated(device=None):
    """Bytes of the GPU that arrays hold now."""
    return _cupy().get_default_memory_pool().used_bytes() if is_available() else 0


def memory_reserved(device=None):
    """Bytes of the GPU that are kept for arrays."""
    return _cupy().get_default_memory_pool().total_bytes() if is_available() else 0


max_memory_allocated = max_memory_reserved = memory_reserved  # what was needed at most is kept


def _cupy():
    return backends.get("cuda").xp


def _properties():
    return _cupy().cuda.runtime.getDeviceProperties(0)
