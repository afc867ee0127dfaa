"""Errors that name the layer: its path in the model, what it is, where its input came from, and the fix last.

in model.features.3 (Linear(in_features=100, out_features=10, bias=True)):
  linear got input (2, 144), but in_features is 100 (the last dimension must match)
  The input came from model.features.2 (Flatten) with shape (2, 144).
  Fix: Linear(144, 10), or LazyLinear(10)
"""

from __future__ import annotations

import threading
import weakref

OF_LAYERS = (TypeError, IndexError, ValueError, RuntimeError, AttributeError)  # those that are told which layer it was
FIX = "\n  Fix: "  # what separates a message from its advice


class _Last(threading.local):
    call = (lambda: None,) * 2  # weak references to the module called last by this thread, and to its output


_last = _Last()


def remember(module, output):
    """Note which module made which Tensor last, without keeping either alive."""
    _last.call = weakref.ref(module), weakref.ref(output)


def _advice(module, x):
    """What to do about the first argument x of a layer, or None."""
    if x is None:
        return "pass a Tensor: the layer got None; does the forward before it return its result?"
    return module._advice(x) if hasattr(x, "ndim") else None


def name_layer(module, error, args):
    """Put the layer that failed in front of an error's message, as the error passes upwards through `module`."""
    layer = getattr(error, "_layer", None)
    if layer is None:
        if not error.args or not isinstance(error.args[0], str) or module._modules:
            return  # raised by the user's own forward, not by a layer
        layer = error._layer = module
        text, _, fix = error.args[0].partition(FIX)
        x = args[0] if args else None
        source, output = (reference() for reference in _last.call)
        error._origin = (source, x.shape) if x is not None and output is x else None
        error._text, error._fix = text, _advice(module, x) or fix
    paths = {id(m): path for path, m in module.named_modules(prefix="model")}
    inside = module is not layer
    lines = [f"in {paths[id(layer)]} ({layer!r}):" if inside else f"in {layer!r}:", f"  {error._text}"]
    if error._origin and id(error._origin[0]) in paths and inside:
        source, shape = error._origin
        lines.append(f"  The input came from {paths[id(source)]} ({type(source).__name__}) with shape {shape}.")
    error.args = ("\n".join(lines) + (FIX + error._fix if error._fix else ""),)


def not_a_module(value):
    """The message for `value` in the place of a layer: functions and classes are frequent there."""
    if isinstance(value, type) and hasattr(value, "named_modules"):
        return f"{value.__name__} is a class, expected a Module: write {value.__name__}(...)"
    name = getattr(value, "__name__", None) if callable(value) else None
    kind = type(value).__name__
    return f"{kind} is not a Module subclass" + (
        f": got {name}, use the layer for it, such as nn.ReLU()" if name else ""
    )


def wrapped_keys(unexpected, own):
    """Advice for a state dict whose names are those of the model behind "module."; none for others."""
    if unexpected and all(name.removeprefix("module.") in own for name in unexpected):
        yield "Fix: DataParallel put 'module.' before the names; take it off: {k[7:]: v for k, v in state_dict.items()}"
