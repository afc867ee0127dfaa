"""Names that scripts call and that have nothing left to do here: compilation, determinism, precision, pinned memory.

Nothing in this file changes a number. Results are deterministic and float32 products are computed in float32 whatever
is asked for; what could only be had on a GPU is refused, not ignored.
"""

from __future__ import annotations

from engine.grad_mode import enable_grad, no_grad

_PRECISIONS = ("highest", "high", "medium")
_settings = {"precision": "highest", "interop": 1}


def compile(model=None, *, fullgraph=False, dynamic=None, backend=None, mode=None, options=None, disable=False):
    """The model or function itself, which needs no compiling; without one, a decorator. The options are not looked at."""
    if model is None:
        return compile
    if not callable(model):
        raise TypeError(f"compile: a callable is expected, got {type(model).__name__}")
    return model


def inference_mode(mode=True):
    """`no_grad()`, as a context or a decorator; `inference_mode(False)` is `enable_grad()`."""
    if callable(mode):
        return no_grad(mode)
    if not isinstance(mode, bool):
        raise TypeError(f"inference_mode(): mode must be a bool or a function, got {mode!r}")
    return no_grad() if mode else enable_grad()


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accepted: the same seed gives the same bits on any number of threads, asked for or not."""
    if not isinstance(mode, bool):
        raise TypeError(f"use_deterministic_algorithms: mode must be a bool, got {type(mode).__name__}")


def are_deterministic_algorithms_enabled():
    """True, always."""
    return True


def set_float32_matmul_precision(precision):
    """Accepted ("highest", "high", "medium"): products of float32 are computed in float32, the highest, always."""
    if precision not in _PRECISIONS:
        raise ValueError(f"set_float32_matmul_precision: expected one of {', '.join(_PRECISIONS)}, got {precision!r}")
    _settings["precision"] = precision


def get_float32_matmul_precision():
    """What was set, "highest" at first; never less than that is computed."""
    return _settings["precision"]


def set_num_interop_threads(n):
    """Accepted: operations run one after the other; `set_num_threads` is for the threads within one."""
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"set_num_interop_threads expects a positive integer, got {n!r}")
    _settings["interop"] = n


def get_num_interop_threads():
    """What was set, 1 at first."""
    return _settings["interop"]


def _pin_memory(self):
    """The tensor itself: memory is pinned for the sake of a GPU."""
    return self


METHODS = {
    "pin_memory": _pin_memory,
    "is_pinned": lambda self: False,
}
