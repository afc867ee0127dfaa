"""`engine.distributed` for scripts that ask whether they are one process of many: they are not, and cannot be yet."""

from __future__ import annotations


def is_available():
    return False


def is_initialized():
    return False


def init_process_group(*_, **__):
    """NotImplementedError."""
    raise NotImplementedError("distributed.init_process_group: training by several processes is not offered; run one")
