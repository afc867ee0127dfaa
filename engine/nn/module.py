"""Module: a tree of layers with named parameters and buffers."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Mapping

from engine.grad_mode import no_grad
from engine.nn import errors, hooks
from engine.nn.hooks import Hooks
from engine.nn.html import tree
from engine.nn.parameter import Parameter, UninitializedParameter
from engine.tensor import Tensor

__all__ = ["Module"]


class _IncompatibleKeys(namedtuple("_IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What load_state_dict(strict=False) did not find, and did not know."""

    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if any(self) else "<All keys matched successfully>"


class Module:
    """Base class of every layer and net: subclass it, assign layers and Parameters to attributes, write `forward`."""

    training: bool = True
    _hooks: Hooks | None = None  # made by the first hook that is registered
    _may_miss: tuple[str, ...] = ()  # buffers that old state dicts lack, as PyTorch's of before 0.4.1 do

    def __init__(self):
        for table in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(self, table, {})
        object.__setattr__(self, "_volatile", set())
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
        own = self.__dict__
        for table in ("_modules", "_parameters", "_buffers"):  # what a forward asks for most comes first
            if table in own and name in own[table]:
                return own[table][name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name):
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name, param):
        """Register a Parameter, or None for one that is absent (no bias)."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot register {type(param).__name__} as parameter {name!r} (nn.Parameter or None expected)"
            )
        self._check_name("parameter", name, self._parameters)
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """Register a Tensor that is state but is not trained; one that is not `persistent` is left out of state_dict."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign {type(tensor).__name__} as buffer {name!r} (Tensor or None expected)")
        self._check_name("buffer", name, self._buffers)
        self._buffers[name] = tensor
        (self._volatile.discard if persistent else self._volatile.add)(name)

    def add_module(self, name, module):
        """Register a child under a name that need not be an identifier."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(errors.not_a_module(module))
        self._check_name("module", name, self._modules)
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, kind, name, table):
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before registering {name!r}")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{kind} name must be non-empty and without dots, got {name!r}")
        if name not in table and hasattr(self, name):
            raise KeyError(f"attribute {name!r} already exists")

    # ---- calling
    def forward(self, *args):
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        try:
            y = self.forward(*args, **kwargs) if self._hooks is None else hooks.call(self, args, kwargs)
        except errors.OF_LAYERS as error:
            errors.name_layer(self, error, args)
            raise
        if type(y) is Tensor:
            errors.remember(self, y)
        return y

    def _advice(self, x):
        """What to do about an error with the input `x`, where the layer knows better than the operation."""
        return ""

    def _hook(self, kind, hook, **options):
        if self._hooks is None:
            object.__setattr__(self, "_hooks", Hooks())
        return self._hooks.add(kind, hook, **options)

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before forward; what it returns, if not None, replaces the arguments."""
        return self._hook("forward_pre", hook, prepend=prepend, with_kwargs=with_kwargs)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, output)` after forward; what it returns, if not None, replaces the output."""
        return self._hook("forward", hook, prepend=prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` when the gradients of the outputs are known; its result replaces them."""
        return self._hook("backward_pre", hook, prepend=prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` when those of the inputs are known; its result replaces grad_input."""
        return self._hook("backward", hook, prepend=prepend)

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

    def _named(self, table, prefix, recurse, remove_duplicate):
        seen = set()
        for path, module in self.named_modules(prefix, remove_duplicate) if recurse else [(prefix, self)]:
            for name, t in getattr(module, table).items():
                if t is not None and id(t) not in seen:
                    if remove_duplicate:
                        seen.add(id(t))
                    yield (f"{path}.{name}" if path else name), t

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, Parameter) of everything below, a shared one once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, buffer) of everything below, a shared one once."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target):
        """The module at a dotted path; "" is the module itself."""
        module = self
        for name in target.split(".") if target else ():
            found = getattr(module, name, None)
            if not isinstance(found, Module):
                raise AttributeError(f"{type(module).__name__} has no module {name!r} (looking for {target!r})")
            module = found
        return module

    def _get(self, table, target):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in getattr(module, table):
            raise AttributeError(f"{type(module).__name__} has no {table[1:-1]} {name!r} (looking for {target!r})")
        return getattr(module, table)[name]

    def get_parameter(self, target):
        """The Parameter of a dotted name."""
        return self._get("_parameters", target)

    def get_buffer(self, target):
        """The buffer of a dotted name."""
        return self._get("_buffers", target)

    def apply(self, fn):
        """Call fn on every module below and on this one; returns self."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ---- modes
    def train(self, mode=True):
        """Training mode for this module and everything below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
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
        """Move or convert every floating-point parameter and buffer, in place; integers only change device."""
        with no_grad():
            for t in (*self.parameters(), *self.buffers()):
                moved = t.detach().to(*args, **kwargs)
                if t.dtype.kind != "f":
                    moved = moved.to(t.dtype)
                elif moved.dtype.kind != "f":
                    raise TypeError(
                        f"nn.Module.to only accepts floating point dtypes, but got desired dtype={moved.dtype}"
                    )
                t._array, t._k = moved._array, moved._k
                if t._node is not None:
                    t._node.k = t._k
                t.grad = None if t.grad is None else t.grad.to(*args, **kwargs)
        return self

    def type(self, dst_type):
        """All floating-point parameters and buffers in another dtype."""
        return self.to(dst_type)

    def float(self):
        return self.to(dtype="float32")

    def double(self):
        return self.to(dtype="float64")

    def half(self):
        return self.to(dtype="float16")

    def cpu(self):
        return self.to("cpu")

    def cuda(self, device=None):
        return self.to("cuda" if device is None else device)

    # ---- state
    def _state(self):
        """Every parameter and persistent buffer itself by its dotted name, shared ones under each of theirs."""
        state = OrderedDict()
        for path, module in self.named_modules(remove_duplicate=False):
            lasting = {n: t for n, t in module._buffers.items() if n not in module._volatile}
            for name, t in (*module._parameters.items(), *lasting.items()):
                if t is not None:
                    state[f"{path}.{name}" if path else name] = t
        return state

    def _missable(self):
        """The names that a state dict may lack."""
        return {
            f"{path}.{n}" if path else n for path, m in self.named_modules(remove_duplicate=False) for n in m._may_miss
        }

    def state_dict(self, *, prefix="", keep_vars=False):
        """Every parameter and persistent buffer by its dotted name, sharing memory with the module."""
        return OrderedDict((prefix + name, t if keep_vars else t.detach()) for name, t in self._state().items())

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy values in by name. RuntimeError lists missing, unexpected and mis-shaped keys; nothing is changed then.

        strict=False ignores missing and unexpected keys and returns them, as strict=True returns two empty lists.
        assign=True lets the module keep the given Tensors (their dtype, their memory) in place of its own.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict).__name__}")
        for name, t in state_dict.items():
            if not isinstance(t, Tensor):
                raise TypeError(f"load_state_dict: entry {name!r} must be a Tensor, got {type(t).__name__}")
        own, spared = self._state(), self._missable()
        missing = [n for n in own if n not in state_dict and n not in spared]
        unexpected = [n for n in state_dict if n not in own]
        problems = [f"{kind} key(s) in state_dict: {', '.join(map(repr, keys))}." for kind, keys in
                    (("Missing", missing), ("Unexpected", unexpected)) if keys and strict]  # fmt: skip
        problems += [
            f"size mismatch for {n}: got {tuple(state_dict[n].shape)}, expected {t.shape}"
            for n, t in own.items()
            if n in state_dict and not _takes(t, state_dict[n])
        ]
        if problems:
            problems += errors.wrapped_keys(unexpected, own)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(problems))
        with no_grad():
            for name, t in own.items():
                if name in state_dict:
                    _take(t, state_dict[name], assign)
        return _IncompatibleKeys(missing, unexpected)

    # ---- text
    def summary(self, input_size):
        """Layers, shapes, parameters and costs for an input of that size; see `engine.summary`."""
        from engine.nn.summary import summary

        return summary(self, input_size)

    def extra_repr(self):
        """What stands in the parentheses of this layer's repr."""
        return ""

    def __repr__(self):
        lines = [f"({name}): " + text.replace("\n", "\n  ") for name, text in self._children_text()]
        extra = self.extra_repr().splitlines()
        if not lines and len(extra) <= 1:
            return f"{self._get_name()}({''.join(extra)})"
        return f"{self._get_name()}(\n  " + "\n  ".join(extra + lines) + "\n)"

    def _children_text(self):
        """(name, text) of every child, as repr shows it."""
        return [(name, repr(child)) for name, child in self._modules.items()]

    def _get_name(self):
        return type(self).__name__

    def _repr_html_(self):
        """The tree of modules for a notebook: each with its number of parameters, those with children to unfold."""
        return tree(self)


def _takes(t, value):
    """Whether the parameter or buffer `t` can hold `value`."""
    return isinstance(t, UninitializedParameter) or tuple(value.shape) == t.shape


def _take(t, value, assign):
    """Give the parameter or buffer `t` the values, or with `assign` the memory, of the Tensor `value`."""
    if isinstance(t, UninitializedParameter):
        t.materialize(value.shape)
    if assign:
        value = value.detach()
        t._array, t._k, t._version = value._array, value._k, value._version
    else:
        t.detach().copy_(value.detach())


def _clear_gradient(p, set_to_none):
    if set_to_none:
        p.grad = None
    elif p.grad is not None:
        p.grad.zero_()
