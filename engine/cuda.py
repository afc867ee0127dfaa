"""`engine.cuda` for scripts that ask whether there is a GPU: there is none, and what needs one says so.

Seeding a GPU seeds the default generator, the one that all draws come from here. Waiting for a GPU, emptying its cache
and reading its use of memory have nothing to do; any other name of `torch.cuda` is an AttributeError.
"""

from __future__ import annotations

from engine.generator import default_generator


def is_available():
    return False


def is_initialized():
    return False


def is_bf16_supported():
    return False


def device_count():
    return 0


def manual_seed(seed):
    """Seed the default generator."""
    default_generator.manual_seed(seed)


manual_seed_all = manual_seed


def synchronize(device=None):
    """Nothing to wait for: operations are over when they return."""


def empty_cache():
    """Nothing to empty; `engine.empty_cache()` returns the CPU's unused blocks."""


def memory_allocated(device=None):
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def _missing(name):
    def refuse(*_, **__):
        raise RuntimeError(f"cuda.{name}: there is no GPU backend; guard the call with engine.cuda.is_available()")

    refuse.__name__ = name
    return refuse


for _name in ("current_device", "get_device_name", "get_device_properties", "get_device_capability", "set_device"):
    globals()[_name] = _missing(_name)
