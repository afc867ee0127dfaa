"""The public names of the engine, read off itself, and their like in PyTorch."""

from __future__ import annotations

import importlib
import inspect
import types

SURFACES = {  # label -> module, below the engine and below torch
    "engine": "", "nn": "nn", "nn.functional": "nn.functional", "nn.init": "nn.init", "nn.utils": "nn.utils",
    "linalg": "linalg", "optim": "optim", "optim.lr_scheduler": "optim.lr_scheduler", "autograd": "autograd",
}  # fmt: skip


def home(lib, surface):
    """The module of a library, or its Tensor, where the names of a surface are."""
    if surface == "Tensor":
        return lib.Tensor
    path = SURFACES[surface]
    return importlib.import_module(f"{lib.__name__}.{path}") if path else lib


def public(lib, surface):
    """The public callables and attributes of a surface of the engine."""
    place = home(lib, surface)
    if surface == "Tensor":
        return [n for n in dir(place) if not n.startswith("_") or n in OPERATORS]
    names = getattr(place, "__all__", None) or [n for n in dir(place) if not n.startswith("_")]
    return [n for n in names if callable(found := getattr(place, n)) and not isinstance(found, types.ModuleType)]


OPERATORS = [
    f"__{n}__"
    for n in (
        "abs add and bool contains eq float floordiv ge getitem gt iadd iand ifloordiv ilshift imod imul int invert ior ipow "
        "irshift isub iter itruediv ixor le len lshift lt matmul mod mul ne neg or pos pow radd rand rfloordiv rlshift "
        "rmatmul rmod rmul ror rpow rrshift rshift rsub rtruediv rxor setitem sub truediv xor index repr reversed hash "
        "format complex array"
    ).split()
]


class Target:
    """A public name and how it is called."""

    def __init__(self, surface, name):
        self.surface, self.name = surface, name
        self.label = f"{surface}.{name}"
        self.method = surface == "Tensor"
        self.in_place = (self.method and name.endswith("_") and not name.endswith("__")) or (
            name.endswith("_") and surface == "nn.functional"
        )

    def found(self, lib):
        place = home(lib, self.surface)
        return getattr(place, self.name, None)

    def call(self, lib, arguments, named):
        if not self.method:
            return self.found(lib)(*arguments, **named)
        if not isinstance(arguments[0], lib.Tensor):
            raise NotATensor
        f = getattr(arguments[0], self.name)
        return f(*arguments[1:], **named) if callable(f) and not isinstance(f, lib.Tensor) else f


class NotATensor(TypeError):
    """A method was asked of something else: nothing to compare."""


def targets(lib):
    return [Target(s, n) for s in ("Tensor", *SURFACES) for n in public(lib, s)]


def is_class(target, lib):
    return inspect.isclass(target.found(lib))
