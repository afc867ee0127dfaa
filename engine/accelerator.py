"""`engine.accelerator` for scripts that ask for one: there is none, so they stay on the CPU."""

from __future__ import annotations


def is_available():
    return False


def device_count():
    return 0


def current_accelerator(check_available=False):
    """None: there is no accelerator."""
    return None


def synchronize(device=None):
    """RuntimeError: there is nothing to wait for."""
    raise RuntimeError(
        "accelerator.synchronize: there is no accelerator; guard the call with accelerator.is_available()"
    )
