"""Arrays as text, in PyTorch's form: as many digits for every element, columns in line, long axes shortened."""

from __future__ import annotations

import math

import numpy

# sci_mode: True or False, or None to decide by the numbers
options: dict = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


def tensor_text(array, more):
    """`tensor([[1., 2.]], dtype=float64)`: the elements, and behind them what is to be said in `more`, one after the other."""
    if array.size:
        text, more = _elements(array), list(more)
    else:
        text, more = "[]", ([f"size={array.shape}"] if array.ndim != 1 else []) + list(more)
    text = "tensor(" + text
    length = len(text) - text.rfind("\n") + 1  # with room for a comma behind it
    for part in more:
        if length + len(part) + 2 > options["linewidth"]:
            text += ",\n       " + part
            length = 7 + len(part)
        else:
            text += ", " + part
            length += len(part) + 2
    return text + ")"


def _elements(array):
    shorten = array.size > options["threshold"]
    form, width = _form(_ends(array) if shorten else array)
    return _block(array, form, width, 7, shorten)


def _ends(array):
    """What is shown of an array that is shortened."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * options["edgeitems"]:
            keep = [*range(options["edgeitems"]), *range(-options["edgeitems"], 0)]
            array = array.take(keep, axis)
    return array


def _form(shown):
    """(element -> its text, the width of the widest) for all elements alike."""
    if shown.dtype.kind != "f":
        return str, max(len(str(v)) for v in shown.ravel().tolist())
    numbers = shown[numpy.isfinite(shown) & (shown != 0)].astype("float64")
    whole = bool((numbers == numpy.ceil(numbers)).all())
    scientific = False
    if numbers.size:
        large, small = abs(numbers).max(), abs(numbers).min()
        scientific = large / small > 1000 or large > 1e8 or (not whole and small < 1e-4)
    scientific = scientific if options["sci_mode"] is None else options["sci_mode"]
    pattern = f"{{:.{options['precision']}{'e' if scientific else 'f'}}}"

    def form(value):
        if whole and not scientific:
            return f"{value:.0f}." if math.isfinite(value) else f"{value}"
        return pattern.format(value)

    return form, max(map(len, map(form, numbers.tolist())), default=1)


def _block(array, form, width, indent, shorten):
    if not array.ndim:
        return form(array.item())
    edge = options["edgeitems"]
    cut = shorten and len(array) > 2 * edge
    if array.ndim == 1:
        shown = [
            form(v).rjust(width) for v in (numpy.concatenate([array[:edge], array[-edge:]]) if cut else array).tolist()
        ]
        if cut:
            shown.insert(edge, " ...")
        per_line = max((options["linewidth"] - indent) // (width + 2), 1)
        lines = [", ".join(shown[i : i + per_line]) for i in range(0, len(shown), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [_block(a, form, width, indent + 1, shorten) for a in ([*array[:edge], *array[-edge:]] if cut else array)]
    if cut:
        rows.insert(edge, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"
