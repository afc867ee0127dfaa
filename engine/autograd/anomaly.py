"""detect_anomaly: find the operation, and the module, whose gradient became nan."""

from __future__ import annotations

import sys
import traceback
import weakref

from engine.tape import Node

_made_in: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # Node -> (module, lines of its forward call)
_active: list = []
_init, _gradients = Node.__init__, Node.gradients


def _noting(self, *args):
    _init(self, *args)
    frame = sys._getframe(2)
    _made_in[self] = _module(frame), "".join(traceback.format_stack(frame, limit=8))


def _checking(self, g, retain_graph, pending):
    gradients = _gradients(self, g, retain_graph, pending)
    if any(switch.check_nan for switch in _active):
        for i, d in enumerate(gradients):
            if d is not None and type(d) is not list and self.k.ne(d, d).any():
                raise RuntimeError(_report(self, i))
    return gradients


def _module(frame):
    """'model.path (Layer(...))' of the innermost module being called, found on the stack."""
    called = []
    while frame is not None:
        owner = frame.f_locals.get("self")
        if frame.f_code.co_name == "forward" and hasattr(owner, "named_modules"):
            called.append(owner)
        frame = frame.f_back
    if not called:
        return ""
    path = next((path for path, m in called[-1].named_modules(prefix="model") if m is called[0]), "model")
    return f"{path} ({type(called[0]).__name__})"


def _report(node, i):
    module, lines = _made_in.get(node, ("", ""))
    where = f" of {module}" if module else ""
    text = f"Function '{repr(node)[1:-1]}'{where} returned nan values in its {i}th output."
    return text + (f" Traceback of the forward call that caused the error:\n{lines}" if lines else "")


class set_detect_anomaly:
    """`set_detect_anomaly(True)` or `with set_detect_anomaly(True):`; see detect_anomaly."""

    def __init__(self, mode, check_nan=True):
        self.before, self.check_nan = list(_active), check_nan
        if mode:
            _active.append(self)
        else:
            _active.clear()
        _switch()

    def __enter__(self):
        return None

    def __exit__(self, *_):
        _active[:] = self.before
        _switch()


class detect_anomaly:
    """`with detect_anomaly():` a gradient that becomes nan raises RuntimeError, which names the operation, its module
    and the line of the forward call. Slow: for finding errors only; like PyTorch's it acts on all threads.
    """

    def __init__(self, check_nan=True):
        self.check_nan = check_nan

    def __enter__(self):
        _active.append(self)
        _switch()

    def __exit__(self, *_):
        _active.remove(self)
        _switch()


def _switch():
    """Noting and checking cost nothing while nobody asks for them: the methods themselves are exchanged."""
    Node.__init__ = _noting if _active else _init  # type: ignore[method-assign]
    Node.gradients = _checking if _active else _gradients  # type: ignore[method-assign]
