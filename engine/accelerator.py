"""`engine.accelerator` for scripts that ask for one, of whatever kind: the GPU of `engine.cuda`, or none."""

from __future__ import annotations

from engine import backends, cuda
from engine.cuda import device_count as device_count
from engine.cuda import is_available as is_available


def current_accelerator(check_available=False):
    """The device of a GPU; None where there is none."""
    return backends.device("cuda") if is_available() else None


def synchronize(device=None):
    """Wait until it has done all it was asked for; RuntimeError where there is none."""
    if not is_available():
        raise RuntimeError(
            "accelerator.synchronize: there is no accelerator; guard the call with accelerator.is_available()"
        )
    cuda.synchronize()
