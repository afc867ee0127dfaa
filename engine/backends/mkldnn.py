"""`engine.backends.mkldnn` for scripts that ask for Intel's library: it is not used."""

from __future__ import annotations

enabled = False


def is_available():
    return False
