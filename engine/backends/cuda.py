"""`engine.backends.cuda` for scripts that set its switches: they may, and nothing changes."""

from __future__ import annotations

from types import SimpleNamespace

matmul = SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=False)


def is_built():
    return False
