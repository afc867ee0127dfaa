"""`engine.backends.mps` for scripts that ask for Apple's GPU: it is not used."""

from __future__ import annotations


def is_available():
    return False


def is_built():
    return False
