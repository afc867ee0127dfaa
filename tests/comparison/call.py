"""A call to be made of both libraries: arguments by PyTorch's names, how they are given, and how one of them is spoiled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from comparison.draw import Array, Made

REQUIRED = object()  # an argument left out on purpose


@dataclass
class Call:
    """Arguments in PyTorch's order.

    named      given by position or by name
    rest       given by position, behind `named`, all of which then are too
    only       given by name alone
    length     how many products or sums a number of the result may come from; 0: element by element
    random     "drawn": the result is compared in shape, dtype and distribution; "shape": in shape and dtype alone
    ulps       how many units in the last place a number may be off
    through    how the function is used, where calling it is not enough: see modules.py
    spoiled    what was done to make it a bad call
    """

    named: dict
    rest: tuple = ()
    only: dict = field(default_factory=dict)
    length: int = 0
    random: str = ""
    ulps: float = 16
    signed_zeros: bool = False
    through: object = None
    spoiled: str = ""

    def given(self, draw, least=0):
        """(positional, by name): some of `named` by position (the first `least` always), the others by name."""
        names = [n for n, v in self.named.items() if v is not REQUIRED]
        whole = len(names) == len(self.named) and not (self.rest or any(n.startswith("_") for n in names))
        first = len(names) if not whole or draw.chance(0.5) else draw.integer(min(least, len(names)), len(names))
        if len(names) < len(self.named):  # one is missing: those behind it by name
            first = list(self.named).index(next(n for n, v in self.named.items() if v is REQUIRED))
        by_name = {n: self.named[n] for n in names[first:]}
        return (*(self.named[n] for n in names[:first]), *self.rest), {**by_name, **self.only}

    def __repr__(self):
        parts = [f"{n.lstrip('_')}={v!r}" for n, v in self.named.items() if v is not REQUIRED]
        parts += [repr(v) for v in self.rest] + [f"{n}={v!r}" for n, v in self.only.items()]
        mark = f"  [{self.spoiled}]" if self.spoiled else ""
        return f"({', '.join(parts)}){mark}" + (f" {self.through!r}" if self.through else "")


def build(lib, value, leaves):
    """The argument in a library; tensors that ask for a gradient are added to `leaves`."""
    if isinstance(value, Array):
        t = value.build(lib)
        if value.grad:
            leaves.append(t)
        return t
    if isinstance(value, Made):
        return value.build(lib)
    if isinstance(value, (tuple, list)):
        return type(value)(build(lib, v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: build(lib, v, leaves) for k, v in value.items()}
    return value


# ---- bad arguments


def spoil(draw, call):
    """The call with one argument replaced by a wrong one (which may turn out to be right), left out, or one too many."""
    if call.random:
        call = replace(call, random="shape")
    if hasattr(call.through, "spoil") and draw.chance(0.5):
        through, what = call.through.spoil(draw)
        return replace(call, through=through, spoiled=what)
    if call.through and not (call.named or call.only or call.rest):
        return call
    kinds = ["replace"] * 8 + ["unknown"] + ["surplus"] * (not call.rest) + ["missing"]
    kind = draw.pick(*kinds)
    if kind == "unknown":
        return replace(call, only={**call.only, "nonsense": 1}, spoiled="an unknown keyword")
    if kind == "surplus" and not any(n.startswith("_") for n in call.named):
        junk = [draw.pick(7, "a") for _ in range(12)]
        return replace(call, rest=tuple(junk), only={}, spoiled="too many arguments")
    if kind == "missing" and call.named:
        name = draw.pick(*call.named)
        return replace(call, named={**call.named, name: REQUIRED}, rest=(), spoiled=f"{name} is left out")
    places = (
        [("named", n) for n in call.named]
        + [("only", n) for n in call.only]
        + [("rest", i) for i in range(len(call.rest))]
    )
    if not places:
        return replace(call, only={"nonsense": 1}, spoiled="an unknown keyword")
    where, key = draw.pick(*places)
    if where == "rest":
        value, what = wrong(draw, call.rest[key])
        rest = tuple(value if i == key else v for i, v in enumerate(call.rest))
        return replace(call, rest=rest, spoiled=f"argument {key}: {what}")
    value, what = wrong(draw, getattr(call, where)[key])
    return replace(call, **{where: {**getattr(call, where), key: value}}, spoiled=f"{key}: {what}")


def wrong(draw, value):
    """(another value in place of this one, in words)."""
    if isinstance(value, Array):
        return _wrong_tensor(draw, value)
    if isinstance(value, bool):
        junk = draw.pick(None, "text", 2, 0, 1.5, [True])
    elif isinstance(value, int):
        junk = draw.pick(
            -1000,
            1000,
            -1,
            0,
            value + 1,
            1.5,
            "text",
            None,
            True,
            [value],
            (value, value),
            (value, value, value),
            np.int64(value),
        )
    elif isinstance(value, float):
        junk = draw.pick("text", None, float("nan"), float("inf"), -1.0, 0.0, 1, True, [value], np.float32(value))
    elif isinstance(value, str):
        junk = draw.pick("nonsense", "", None, 3, 1.5)
    elif isinstance(value, (tuple, list)) and value and draw.chance(0.7):
        i = draw.integer(0, len(value) - 1)
        if draw.chance(0.4):
            items = draw.pick([*value, value[-1]], value[:-1], [])
            return type(value)(items), f"{len(items)} items"
        inner, what = wrong(draw, value[i])
        return type(value)(inner if j == i else v for j, v in enumerate(value)), f"item {i}: {what}"
    elif isinstance(value, Made):
        junk = draw.pick(3, 1.5, (1,))
    else:
        junk = draw.pick(3, "text", 1.5, None, True, (0,))
    return junk, repr(junk)


def _wrong_tensor(draw, value):
    v = value.values
    kind = draw.pick("dtype", "dtype", "shape", "shape", "shape", "no tensor")
    if kind == "no tensor":
        junk = draw.pick(None, "text", 1.5, 2, True, [1.0, 2.0], np.ones(2, "float32"), [[1, 2]])
        return junk, f"{type(junk).__name__} for a tensor"
    if kind == "dtype":
        dtype = draw.pick("float32", "float64", "int64", "int32", "uint8", "bool")
        with np.errstate(all="ignore"):
            return replace(value, values=v.astype(dtype), grad=value.grad and dtype.startswith("float")), f"as {dtype}"
    shape = draw.pick(
        (1, *v.shape),
        (*v.shape, 1),
        v.shape[1:],
        v.shape[:-1],
        tuple(n + 1 for n in v.shape),
        (0, *v.shape[1:]),
        (),
        (2, 3),
    )
    return replace(
        value, values=np.asarray(np.resize(v, shape) if v.size else np.zeros(shape, v.dtype))
    ), f"as shape {shape}"
