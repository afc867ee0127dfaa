"""`engine.backends.cudnn` for scripts that set its switches: they may, and nothing changes.

Convolutions on a GPU are deterministic and in full float32, whatever `deterministic` and `allow_tf32` say.
"""

from __future__ import annotations

from contextlib import nullcontext

enabled = True
benchmark = False
deterministic = False
allow_tf32 = False


def is_available():
    return False


def version():
    return None


def flags(**_):
    """A context that does nothing."""
    return nullcontext()
