"""`engine.jit` for models that mark parts for compilation: marks are no-ops, programs in files are refused.

`script` returns what it is given, which computes the same. Tracing and saved programs are not offered.
"""

from __future__ import annotations


def script(obj, *_, **__):
    """The function or module itself."""
    return obj


def ignore(f=None, **_):
    """The function itself; a decorator with or without arguments."""
    return f if callable(f) else ignore


unused = export = script_if_tracing = ignore


def is_scripting():
    return False


def is_tracing():
    return False


def _refused(name):
    def refuse(*_, **__):
        raise NotImplementedError(
            f"jit.{name} is not offered: files hold data, not programs. Save model.state_dict() and load it into a model"
        )

    refuse.__name__ = name
    return refuse


trace, load, save = _refused("trace"), _refused("load"), _refused("save")
