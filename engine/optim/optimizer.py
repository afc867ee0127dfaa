"""Optimizer: parameter groups, state, and the step that each method fills in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from functools import wraps

from engine import backends
from engine.grad_mode import enable_grad
from engine.nn.module import _clear_gradient
from engine.ops import optim
from engine.tape import Handle
from engine.tensor import Tensor, wrap


class _Required:
    """The default of an option that every parameter group must give."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()
SCALARS = ("step", "mu_product")  # states that are one number whatever the parameter's shape, always float32


def check(name, value, also=True):
    """ValueError unless the number `value` is at least 0 and `also` holds."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"Tensor {name} must be 1-element, got shape {value.shape}")
    if not (value >= 0 and also):
        raise ValueError(f"Invalid {name}: {value}")


def check_adam(lr, betas, eps, weight_decay):
    """The limits that Adam and its kin have in common."""
    check("learning rate", lr)
    check("epsilon value", eps)
    for i, beta in enumerate(betas):
        check(f"beta parameter at index {i}", beta, beta < 1)
    check("weight_decay value", weight_decay)


def number(value):
    """An option as a number: a Tensor of one element counts as its element."""
    return value.item() if isinstance(value, Tensor) else value


def chosen(group, names):
    """The options of a group that an update takes, as numbers."""
    return {name: number(group[name]) for name in names.split()}


def _hooked(step):
    """`step` with the hooks of the optimiser before and after, noted for the schedules' warning."""

    @wraps(step)
    def hooked(*args, **kwargs):  # the optimiser comes first; hooks see it among the arguments, as PyTorch's do
        self = args[0]
        if "_opt_called" in self.__dict__:  # a schedule watches
            self._opt_called = True
        for hook in tuple(self._pre_hooks.values()) if self._pre_hooks else ():
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(
                        f"a pre hook of {type(self).__name__}.step must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}"
                    )
                args, kwargs = changed
        out = step(*args, **kwargs)
        for hook in tuple(self._post_hooks.values()) if self._post_hooks else ():
            hook(self, args, kwargs)
        return out

    return hooked


class Optimizer:
    """Base of all: `params` is an iterable of Tensors, of (name, Tensor), or of dicts with "params" and own options.

    A subclass of yours writes `step`, with `self.param_groups` and `self.state[p]`, a dict per parameter; those of
    the engine write `update`.
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._pre_hooks, self._post_hooks = {}, {}
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor; "
                "write [tensor]"
            )
        if not isinstance(params, Iterable):
            use = "; use its .parameters()" if hasattr(params, "parameters") else ""
            raise TypeError(
                f"{type(self).__name__}: params should be an iterable of Tensors or dicts, got {type(params).__name__}{use}"
            )
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.step)

    # ---- groups
    def add_param_group(self, param_group):
        """Add parameters with options of their own; options not given are the optimiser's defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        self._unpack(param_group)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        _refuse_options(type(self).__name__, param_group)
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for p in param_group["params"]:
            if id(p) in known:
                raise ValueError(
                    "some parameters appear in more than one parameter group, or twice in one; list each once"
                )
            known.add(id(p))
        for group in self.param_groups:
            if ("param_names" in group) != ("param_names" in param_group):
                raise ValueError(
                    "all optimizer param groups should be with/without names. Cannot add param group "
                    f"{'with' if 'param_names' in param_group else 'without'} names to the optimizer"
                )
        self.param_groups.append(param_group)

    def _unpack(self, group):
        """Make "params" a list of Tensors and, where they came with names, "param_names" the list of these."""
        given = group["params"]
        if isinstance(given, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        given = [given] if isinstance(given, Tensor) else list(given)
        names = [p[0] for p in given if isinstance(p, tuple)]
        if names and len(names) != len(given):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        params = [p[1] for p in given] if names else given
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        group["params"] = params
        if names:
            group["param_names"] = names

    # ---- steps
    def zero_grad(self, set_to_none=True):
        """Drop every gradient, or set it to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                _clear_gradient(p, set_to_none)

    @_hooked
    def step(self, closure=None):
        """Update every parameter that has a gradient; `closure` recomputes the loss, which is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for alike in _by_kind(params):
                self.update(group, alike)
        return loss

    def update(self, group, params):
        """One step for parameters of a group, all with gradients, of one dtype and one backend."""
        raise NotImplementedError(f"{type(self).__name__} defines neither step() nor update()")

    def register_step_pre_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` before each step; a pair it returns replaces them. Returns a handle."""
        return Handle(self._pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` after each step. Returns a handle whose `remove()` takes it off."""
        return Handle(self._post_hooks, hook)

    # ---- state of the engine's own optimisers
    def buffers(self, params, name, value=0.0):
        """The state `name` of each parameter, a Tensor of its shape; one that is missing is made, full of `value`."""
        states = [self.state[p] for p in params]
        for p, state in zip(params, states, strict=True):
            if name not in state:
                state[name] = wrap(p._k.full(p.shape, value, p.dtype), p._k)
        return [state[name] for state in states]

    def scalar(self, p, name, value):
        """The state `name` of p, a number kept as PyTorch keeps it: a float32 Tensor without dimensions, on the CPU, where
        it is needed."""
        state = self.state[p]
        if not isinstance(state.get(name), Tensor):
            k = backends.get("cpu") if p._k.name == "cuda" else p._k
            state[name] = wrap(k.full((), state.get(name, value), "float32"), k)
        return state[name]

    def by_step(self, params):
        """Count one step more for each parameter: pairs of a count and those that have taken so many."""
        counted = {}
        for p in params:
            counted.setdefault(optim.count(self.scalar(p, "step", 0)), []).append(p)
        return counted.items()

    # ---- saving
    def state_dict(self):
        """{"state": ..., "param_groups": ...}, parameters by their number; Tensors are shared, not copied."""
        number_of = {}
        for p in (p for group in self.param_groups for p in group["params"]):
            number_of[id(p)] = len(number_of)
        groups = []
        for group in self.param_groups:
            options = {name: value for name, value in group.items() if name != "params"}
            groups.append({**options, "params": [number_of[id(p)] for p in group["params"]]})
        state = {number_of.get(id(p), p): s for p, s in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over (a copy of) what `state_dict` returned, for as many parameters in the same order.

        Names of parameters are not compared. Options that a group of an older version lacks keep their values.
        """
        saved = deepcopy([dict(g) for g in state_dict["param_groups"]])
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: {len(saved)}, expected {len(self.param_groups)}"
            )
        owner = {}
        for i, (group, own) in enumerate(zip(saved, self.param_groups, strict=True)):
            if len(group["params"]) != len(own["params"]):
                raise ValueError(
                    f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"group {i} has {len(group['params'])} parameters, expected {len(own['params'])}"
                )
            owner.update(zip(group["params"], own["params"], strict=True))
        state = defaultdict(dict)
        for key, values in state_dict["state"].items():
            p = owner.get(key)
            state[key if p is None else p] = deepcopy(values) if p is None else _fitted(key, values, p)
        groups = [
            {**own, **group, "params": own["params"]} for group, own in zip(saved, self.param_groups, strict=True)
        ]
        self.__setstate__({"state": state, "param_groups": groups})

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        for table in ("_pre_hooks", "_post_hooks"):
            self.__dict__.setdefault(table, {})

    def __repr__(self):
        lines = []
        for i, group in enumerate(self.param_groups):
            options = "".join(f"    {k}: {v}\n" for k, v in sorted(group.items()) if k != "params")
            lines.append(f"\nParameter Group {i}\n{options}")
        return f"{type(self).__name__} ({''.join(lines)})"


def _by_kind(params):
    """The parameters in lists of one backend and dtype."""
    if len({(p._k, p._array.dtype) for p in params}) < 2:  # most groups
        return [params] if params else []
    alike = {}
    for p in params:
        alike.setdefault((p._k, p._array.dtype), []).append(p)
    return alike.values()


def _refuse_options(name, group):
    """The options of PyTorch's that say how to compute: those that cannot change a result are accepted."""
    for option in ("capturable", "differentiable"):
        if group.get(option):
            raise NotImplementedError(
                f"{name}({option}=True) is not offered: steps are neither recorded for gradients of gradients nor captured"
            )
    if group.get("fused") and group.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def _fitted(key, values, p):
    """The saved state of one parameter, copied; what has p's shape gets p's dtype and backend."""

    def fit(name, value):
        if not isinstance(value, Tensor):
            return deepcopy(value)
        copy = value.detach().clone()
        if name in SCALARS or (p.ndim and not value.ndim):
            return copy
        if value.shape != p.shape:
            raise ValueError(f"loaded state {name!r} of parameter {key} has shape {value.shape}, expected {p.shape}")
        return copy.to(p.device, p.dtype)

    return {name: fit(name, value) for name, value in values.items()}
