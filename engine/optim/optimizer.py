"""Optimizer: parameter groups, state, and the step that each method fills in."""

from __future__ import annotations

from engine.nn.module import _clear_gradient
from engine.tape import enable_grad
from engine.tensor import Tensor, wrap


def checked(name, value, low=0.0, below=None):
    """A hyper-parameter within its limits; ValueError in PyTorch's words."""
    if not value >= low or (below is not None and not value < below):
        raise ValueError(f"Invalid {name} value: {value}")
    return value


class Optimizer:
    """Base of all: `params` is an iterable of Tensors, or of dicts with "params" and options of their own."""

    def __init__(self, params, defaults):
        self.defaults = defaults
        self.state: dict = {}
        self.param_groups: list = []
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor"
            )
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group):
        """Add parameters with options of their own; options not given are the optimiser's defaults."""
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
            if id(p) in known:
                raise ValueError("some parameters appear in more than one parameter group")
            known.add(id(p))
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self, set_to_none=True):
        """Drop every gradient, or set it to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                _clear_gradient(p, set_to_none)

    def step(self, closure=None):
        """Update every parameter that has a gradient; `closure` recomputes the loss, which is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self.update(group, params)
        return loss

    def update(self, group, params):
        """One step for parameters of a group, all of which have gradients."""
        raise NotImplementedError

    def zeros(self, p):
        """A state tensor of p's shape."""
        return wrap(p._k.full(p.shape, 0, p.dtype), p._k)

    def state_dict(self):
        """Hyper-parameters and state, parameters by their number; Tensors are shared, not copied."""
        number = {id(p): i for i, p in enumerate(p for g in self.param_groups for p in g["params"])}
        groups = [{**g, "params": [number[id(p)] for p in g["params"]]} for g in self.param_groups]
        return {"state": {number[id(p)]: dict(s) for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned, for the same parameters in the same order."""
        groups = state_dict["param_groups"]
        if [len(g["params"]) for g in groups] != [len(g["params"]) for g in self.param_groups]:
            raise ValueError("loaded state dict has a different number of parameter groups or of parameters in a group")
        params = [p for g in self.param_groups for p in g["params"]]
        for key, s in state_dict["state"].items():
            for name, value in s.items():
                if isinstance(value, Tensor) and value.ndim and value.shape != params[int(key)].shape:
                    raise ValueError(
                        f"loaded state {name!r} of parameter {key} has shape {value.shape}, expected {params[int(key)].shape}"
                    )
        self.param_groups = [{**g, "params": own["params"]} for own, g in zip(self.param_groups, groups, strict=True)]
        self.state = {
            params[int(key)]: {n: v.clone() if isinstance(v, Tensor) else v for n, v in s.items()}
            for key, s in state_dict["state"].items()
        }

    def __repr__(self):
        lines = []
        for i, group in enumerate(self.param_groups):
            options = "".join(f"\n    {k}: {v}" for k, v in sorted(group.items()) if k != "params")
            lines.append(f"\nParameter Group {i}{options}")
        return f"{type(self).__name__} ({''.join(lines)}\n)"
