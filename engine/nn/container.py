"""Containers of modules and parameters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import index as integer

from engine.nn import errors, fusion
from engine.nn.module import Module
from engine.nn.parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def _position(i, length, name):
    """A position from the front; IndexError beyond the ends."""
    i = integer(i)
    if not -length <= i < length:
        raise IndexError(f"index {i} is out of range for a {name} of {length} modules")
    return i % length


class _Numbered(Module):
    """What Sequential and ModuleList share: children named by their position."""

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def _key(self, i):
        return list(self._modules)[_position(i, len(self), type(self).__name__)]

    def _renumber(self, modules):
        self._modules.clear()
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def __setitem__(self, i, module):
        key = self._key(i)
        if not isinstance(module, Module):
            raise TypeError(errors.not_a_module(module))
        self._modules[key] = module

    def __delitem__(self, i):
        for key in list(self._modules)[i] if isinstance(i, slice) else [self._key(i)]:
            del self._modules[key]
        self._renumber(list(self._modules.values()))

    def append(self, module):
        """Add a module at the end; returns self."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add several at the end; returns self."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before position `index`; returns self."""
        modules = list(self._modules.values())
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"Index out of range: {index}")
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, i=-1):
        """Take a module out and return it."""
        module = self._modules[self._key(i)]
        del self[i]
        return module


class Sequential(_Numbered):
    """Modules called one after the other: Sequential(a, b, ...) or Sequential(OrderedDict(name=module, ...)).

    Convolution, batch norm, ReLU and 2x2 max pooling in a row, and Linear and ReLU, are computed as one: see nn/fusion.py.
    """

    def __init__(self, *modules):
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], dict) else enumerate(modules)
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, x):
        for step in fusion.steps(self):
            x = step(x)
        return x

    def __getitem__(self, i):
        if isinstance(i, slice):
            return type(self)(dict(list(self._modules.items())[i]))
        return self._modules[self._key(i)]

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only Sequential objects, but {type(other).__name__} is given")
        return Sequential(*self, *other)

    def __iadd__(self, other):
        return self.extend(other)

    def __mul__(self, times):
        return Sequential(*self._times(times))

    __rmul__ = __mul__

    def __imul__(self, times):
        return self.extend(self._times(times)[len(self) :])

    def _times(self, times):
        """The modules in a row so many times: the same modules, whose parameters are shared."""
        if not isinstance(times, int):
            raise TypeError(f"Sequential * {times!r}: the number of times must be an integer")
        if times <= 0:
            raise ValueError(f"Sequential * {times}: the number of times must be positive")
        return list(self) * times


class ModuleList(_Numbered):
    """A list of modules whose parameters are its own; it has no forward."""

    def __init__(self, modules=()):
        super().__init__()
        self.extend(() if modules is None else modules)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return type(self)(list(self._modules.values())[i])
        return self._modules[self._key(i)]

    def __add__(self, other):
        return ModuleList([*self, *other])

    def _children_text(self):
        """Neighbours that look alike in one line, as in PyTorch."""
        out, first = [], 0
        for text, alike in groupby(map(repr, self)):
            n = len(list(alike))
            out.append((str(first), text) if n == 1 else (f"{first}-{first + n - 1}", f"{n} x {text}"))
            first += n
        return out

    def __iadd__(self, modules):
        return self.extend(modules)


class _Keyed:
    """The dictionary side of ModuleDict and ParameterDict; `_table` names the Module's table."""

    _table: str

    def _entries(self):
        return getattr(self, self._table)

    def __getitem__(self, key):
        return self._entries()[key]

    def __delitem__(self, key):
        del self._entries()[key]

    def __len__(self):
        return len(self._entries())

    def __iter__(self):
        return iter(self._entries())

    def __contains__(self, key):
        return key in self._entries()

    def keys(self):
        return self._entries().keys()

    def values(self):
        return self._entries().values()

    def items(self):
        return self._entries().items()

    def get(self, key, default=None):
        return self._entries().get(key, default)

    def pop(self, key):
        """Take an entry out and return it."""
        return self._entries().pop(key)

    def popitem(self):
        """Take the last entry out and return it with its name."""
        return self._entries().popitem()

    def clear(self):
        self._entries().clear()

    def update(self, entries):
        """Add entries from a mapping, from another of these or from pairs."""
        for key, value in entries.items() if isinstance(entries, (Mapping, _Keyed)) else entries:
            self[key] = value


class ModuleDict(_Keyed, Module):
    """Modules by name, whose parameters are its own; it has no forward."""

    _table = "_modules"

    def __init__(self, modules=None):
        super().__init__()
        self.update(modules or {})

    def __setitem__(self, key, module):
        self.add_module(key, module)


def _parameter(value):
    return value if isinstance(value, Parameter) else Parameter(value)


class ParameterList(Module):
    """A list of Parameters; Tensors given become Parameters."""

    def __init__(self, values=()):
        super().__init__()
        self.extend(() if values is None else values)

    def __len__(self):
        return len(self._parameters)

    def __iter__(self):
        return iter(self._parameters.values())

    def __getitem__(self, i):
        if isinstance(i, slice):
            return type(self)(list(self)[i])
        return self._parameters[str(_position(i, len(self), "ParameterList"))]

    def __setitem__(self, i, value):
        self._parameters[str(_position(i, len(self), "ParameterList"))] = _parameter(value)

    def append(self, value):
        """Add a Parameter at the end; returns self."""
        self.register_parameter(str(len(self)), _parameter(value))
        return self

    def extend(self, values):
        """Add several at the end; returns self."""
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values):
        return self.extend(values)

    def extra_repr(self):
        return "\n".join(_described(n, p, p.dtype) for n, p in self._parameters.items())


class ParameterDict(_Keyed, Module):
    """Parameters by name; Tensors given become Parameters."""

    _table = "_parameters"

    def __init__(self, parameters=None):
        super().__init__()
        self.update(parameters or {})

    def __setitem__(self, key, value):
        self.register_parameter(key, _parameter(value))

    def update(self, entries):
        """Add entries as a ModuleDict does, those of a plain dict in the order of their names: PyTorch's, on which the
        state of an optimiser depends."""
        plain = isinstance(entries, Mapping) and not isinstance(entries, OrderedDict)
        super().update(sorted(entries.items()) if plain else entries)

    def setdefault(self, key, default=None):
        """The Parameter `key`, made of `default` where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def copy(self):
        """Another ParameterDict of the same Parameters."""
        return type(self)(self.items())

    def fromkeys(self, keys, default=None):
        """Another ParameterDict with `default` under each of the keys."""
        return type(self)((key, default) for key in keys)

    def __or__(self, other):
        return type(self)([*self.items(), *other.items()])

    def __ior__(self, other):
        self.update(other)
        return self

    def extra_repr(self):
        return "\n".join(_described(n, p, p.type()) for n, p in self._parameters.items())


def _described(name, p, kind):
    return f"  ({name}): Parameter containing: [{kind} of size {'x'.join(map(str, p.shape))}]"
