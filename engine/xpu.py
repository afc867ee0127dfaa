"""`engine.xpu` for scripts that look for an Intel GPU: there is none, so they stay on the CPU."""

from __future__ import annotations


def is_available():
    return False


def device_count():
    return 0
