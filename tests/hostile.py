"""What hostile files are tried with: nothing may run, no memory to speak of may be taken, and the error names the file."""

import builtins
import encodings.cp437  # noqa: F401  (zipfile decodes names with it: loaded before anything is watched)
import io
import os
import pickle
import pickletools  # noqa: F401  (likewise: a message may ask it for an opcode's name)
import subprocess
import sys
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest

import engine
from engine.serialization import FileFormatError, archive, numpy_file, torch_file  # all that is imported on first use

HUGE = (2**31 - 1, 2**31, 2**62, 2**63 - 1, 2**63, 2**64, 2**100, -1, -(2**63))
READERS = (archive, numpy_file, torch_file)
_FORBIDDEN = (
    (os, ("system", "popen", "remove", "unlink", "execv", "fork")), (subprocess, ("Popen", "run")),
    (builtins, ("eval", "exec", "open", "input", "breakpoint", "print")), (pickle, ("loads", "load", "Unpickler")),
)  # fmt: skip


class Executed(BaseException):
    """Something ran that must not; no `except Exception` hides it."""


@contextmanager
def harmless():
    """Inside, whatever would run a command, open a file, evaluate text or import a new module is an error."""

    def caught(*args, **_):
        raise Executed(args)

    real_import, known = builtins.__import__, {*sys.modules, "pickletools"}

    def importing(module, *args, **kwargs):
        return real_import(module, *args, **kwargs) if module in known else caught(module)

    with pytest.MonkeyPatch.context() as patch:
        for owner, names in _FORBIDDEN:
            for name in names:
                patch.setattr(owner, name, caught)
        patch.setattr(builtins, "__import__", importing)
        yield


def from_bytes(data):
    return engine.load(io.BytesIO(data))


def refused(data, match=None, read=from_bytes):
    """`read(data)` is an error, with nothing run and little memory taken."""
    tracemalloc.start()
    try:
        with harmless(), pytest.raises(FileFormatError, match=match):
            read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(data) + 2**23, f"{peak} bytes for a file of {len(data)}"


def data_only(x):
    """Whether loaded data is made of nothing but data."""
    if isinstance(x, dict):
        return all(isinstance(k, (str, bytes, int, float, type(None))) for k in x) and all(
            data_only(v) for v in x.values()
        )
    if isinstance(x, (list, tuple)):
        return all(map(data_only, x))
    return x is None or isinstance(x, (bool, int, float, str, bytes, set, np.ndarray, np.dtype, engine.Tensor))
