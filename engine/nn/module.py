"""Module: a tree of layers with named parameters and buffers."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

from engine.geometry import ShapeError
from engine.nn.parameter import Parameter
from engine.tape import no_grad
from engine.tensor import Tensor

__all__ = ["Module"]

_IncompatibleKeys = namedtuple("_IncompatibleKeys", ["missing_keys", "unexpected_keys"])


class Module:
    """Base class of every layer and net: subclass it, assign layers and Parameters to attributes, write `forward`."""

    training: bool = True

    def __init__(self):
        for table in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(self, table, {})
        self.training = True

    # ---- attributes: parameters, buffers and modules live in tables of their own
    def __setattr__(self, name, value):
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before assigning {name!r}")
        if isinstance(value, Parameter):
            table = self._parameters
        elif isinstance(value, Module):
            table = self._modules
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"cannot assign {type(value).__name__} as buffer {name!r} (Tensor or None expected)")
            table = self._buffers
        elif name in self._parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign {type(value).__name__} as parameter {name!r} (nn.Parameter or None expected)"
                )
            table = self._parameters
        elif name in self._modules and value is None:
            table = self._modules
        else:
            object.__setattr__(self, name, value)
            return
        for other in (self._parameters, self._buffers, self._modules, self.__dict__):
            if other is not table:
                other.pop(name, None)
        table[name] = value

    def __getattr__(self, name):
        for table in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(table, {})
            if name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name):
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name, param):
        """Register a Parameter, or None for one that is absent (no bias)."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot register {type(param).__name__} as parameter {name!r} (nn.Parameter or None expected)"
            )
        self._parameters[name] = param

    def register_buffer(self, name, tensor):
        """Register a Tensor that is state but is not trained."""
        self._buffers[name] = tensor

    def add_module(self, name, module):
        """Register a child under a name that need not be an identifier."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        if not name or "." in name:
            raise KeyError(f"module name must be non-empty and without dots, got {name!r}")
        self._modules[name] = module

    # ---- calling
    def forward(self, *args):
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        try:
            return self.forward(*args, **kwargs)
        except (ShapeError, TypeError, IndexError, ValueError, RuntimeError, AttributeError) as error:
            _name_layer(self, error)
            raise

    # ---- walking the tree
    def children(self):
        return (m for m in self._modules.values() if m is not None)

    def named_children(self):
        return ((n, m) for n, m in self._modules.items() if m is not None)

    def named_modules(self, prefix="", remove_duplicate=True):
        """(path, module) of the module itself and everything below, each module once or under every name."""
        seen = set()
        stack = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if remove_duplicate and id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            below = [(f"{path}.{n}" if path else n, m) for n, m in module.named_children()]
            stack += reversed(below)

    def modules(self):
        return (m for _, m in self.named_modules())

    def _named(self, table, prefix, recurse):
        seen = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, t in getattr(module, table).items():
                if t is not None and id(t) not in seen:
                    seen.add(id(t))
                    yield (f"{path}.{name}" if path else name), t

    def named_parameters(self, prefix="", recurse=True):
        return self._named("_parameters", prefix, recurse)

    def parameters(self, recurse=True):
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True):
        return self._named("_buffers", prefix, recurse)

    def buffers(self, recurse=True):
        return (b for _, b in self.named_buffers(recurse=recurse))

    def apply(self, fn):
        """Call fn on every module below and on this one; returns self."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ---- modes
    def train(self, mode=True):
        """Training mode for this module and everything below."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self):
        """Inference mode: no dropout, running statistics in batch norm."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none=True):
        """Drop every gradient, or set it to zero."""
        for p in self.parameters():
            _clear_gradient(p, set_to_none)

    def to(self, *args, **kwargs):
        """Move or convert every floating-point parameter and buffer, in place."""
        with no_grad():
            for t in (*self.parameters(), *self.buffers()):
                if t.dtype.kind == "f":
                    moved = t.detach().to(*args, **kwargs)
                    t._array, t._k = moved._array, moved._k
                    if t._node is not None:
                        t._node.k = t._k
                    t.grad = None if t.grad is None else t.grad.to(*args, **kwargs)
        return self

    def float(self):
        return self.to(dtype="float32")

    def double(self):
        return self.to(dtype="float64")

    # ---- state
    def state_dict(self):
        """Every parameter and buffer by its dotted name, sharing memory with the module."""
        state = OrderedDict()
        for path, module in self.named_modules(remove_duplicate=False):
            for table in (module._parameters, module._buffers):
                for name, t in table.items():
                    if t is not None:
                        state[f"{path}.{name}" if path else name] = t.detach()
        return state

    def load_state_dict(self, state_dict, strict=True):
        """Copy values in by name. RuntimeError lists missing, unexpected and mis-shaped keys; nothing is changed then."""
        for name, t in state_dict.items():
            if not isinstance(t, Tensor):
                raise TypeError(f"load_state_dict: entry {name!r} must be a Tensor, got {type(t).__name__}")
        own = self.state_dict()
        missing = [n for n in own if n not in state_dict]
        unexpected = [n for n in state_dict if n not in own]
        shapes = [
            f"size mismatch for {n}: got {tuple(state_dict[n].shape)}, expected {own[n].shape}"
            for n in own
            if n in state_dict and tuple(state_dict[n].shape) != own[n].shape
        ]
        problems = shapes
        if strict:
            problems = [f"{kind} key(s) in state_dict: {', '.join(keys)}" for kind, keys in
                        (("Missing", missing), ("Unexpected", unexpected)) if keys] + shapes  # fmt: skip
        if problems:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(problems))
        with no_grad():
            for name, t in own.items():
                if name in state_dict:
                    t.copy_(state_dict[name].detach())
        return _IncompatibleKeys(missing, unexpected)

    # ---- text
    def extra_repr(self):
        """What stands in the parentheses of this layer's repr."""
        return ""

    def __repr__(self):
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _clear_gradient(p, set_to_none):
    if set_to_none:
        p.grad = None
    elif p.grad is not None:
        p.grad.zero_()


def _name_layer(module, error):
    """Put the path and the repr of the layer that failed in front of an error's message, as it passes upwards."""
    source = getattr(error, "_layer", None)
    if source is None:
        if not error.args or not isinstance(error.args[0], str) or module._modules:
            return  # raised by the user's own forward, not by a layer
        source = error._layer = module
        error._text = error.args[0]
    path = next((path for path, m in module.named_modules() if m is source), "")
    where = f"in {path} ({source!r})" if path else f"in {source!r}"
    error.args = (f"{where}:\n  {error._text}",)
