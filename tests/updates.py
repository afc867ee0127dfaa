"""What the tests of optimisers share: the options to try, starts, gradients, and how far roundings may lead."""

import numpy as np

STEPS = 100
_ADAM = [
    {}, {"betas": (0.8, 0.95)}, {"eps": 1e-3}, {"weight_decay": 0.05}, {"maximize": True},
    {"lr": 0.05, "betas": (0.3, 0.9), "weight_decay": 0.01},
]  # fmt: skip
OPTIONS = {  # name -> (lr of the cases that give none, options)
    "SGD": (0.05, [
        {}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.3}, {"momentum": 0.8, "nesterov": True},
        {"weight_decay": 0.05}, {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True}, {"maximize": True},
        {"momentum": 0.5, "dampening": 0.1, "weight_decay": 0.02, "maximize": True},
    ]),
    "Adam": (0.01, [
        *_ADAM, {"amsgrad": True}, {"amsgrad": True, "weight_decay": 0.05, "maximize": True},
        {"weight_decay": 0.05, "decoupled_weight_decay": True},
    ]),
    "AdamW": (0.01, [*_ADAM, {"amsgrad": True}]),
    "NAdam": (0.01, [
        *_ADAM, {"momentum_decay": 0.1}, {"weight_decay": 0.05, "decoupled_weight_decay": True}, {"momentum_decay": 0},
    ]),
    "RAdam": (0.01, [*_ADAM, {"weight_decay": 0.05, "decoupled_weight_decay": True}]),
    "Adamax": (0.01, _ADAM),
    "RMSprop": (0.01, [
        {}, {"alpha": 0.5}, {"eps": 1e-3}, {"centered": True}, {"momentum": 0.9}, {"weight_decay": 0.05},
        {"maximize": True}, {"centered": True, "momentum": 0.5, "alpha": 0.9, "weight_decay": 0.01, "maximize": True},
    ]),
    "Adagrad": (0.1, [
        {}, {"lr_decay": 0.05}, {"initial_accumulator_value": 0.5}, {"eps": 1e-3}, {"weight_decay": 0.05},
        {"maximize": True, "lr_decay": 0.01, "weight_decay": 0.01},
    ]),
    "Adadelta": (1.0, [
        {}, {"lr": 0.5}, {"rho": 0.7}, {"eps": 1e-3}, {"weight_decay": 0.05}, {"maximize": True}, {"rho": 1.0},
    ]),
}  # fmt: skip
LION = [("Lion", {"lr": 0.01, **o}) for o in (
    {}, {"betas": (0.95, 0.98)}, {"weight_decay": 0.5}, {"maximize": True}, {"betas": (0.3, 0.4), "weight_decay": 0.1},
)]  # fmt: skip
CASES = [(name, {"lr": lr, **o}) for name, (lr, grid) in OPTIONS.items() for o in grid]
ALL = [*CASES, *LION]
NAMES = sorted({name for name, _ in ALL})
FIRST = [next(case for case in ALL if case[0] == name) for name in NAMES]


def case_id(case):
    name, options = case
    return "-".join([name, *(f"{k}={v}" for k, v in options.items())])


def start():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype("float32") for shape in ((5, 3), (7,), (), (0, 2))]


def gradients(i):
    """Gradients of step i, the same whatever the parameters are: then no difference can grow."""
    rng = np.random.default_rng(100 + i)
    return [rng.standard_normal(p.shape).astype("float32") + np.float32(0.3) for p in start()]


def make(library, dtype="float32"):
    """The parameters at their start, Tensors of engine or of torch."""
    return [library.tensor(p, dtype=getattr(library, dtype), requires_grad=True) for p in start()]


def advance(library, optimiser, params, steps):
    """Steps with the gradients of `gradients`; the paths of all parameters."""
    paths = [[p.detach().numpy().copy()] for p in params]
    for i in steps:
        for p, g in zip(params, gradients(i), strict=True):
            p.grad = library.tensor(g, dtype=p.dtype)
        optimiser.step()
        for p, path in zip(params, paths, strict=True):
            path.append(p.detach().numpy().copy())
    return paths


def rounding(path):
    """How far two float32 computations of one path may lie apart after it, the gradients being the same.

    Every step rounds the new parameter on both sides, half a unit in its last place each; and the way it goes was
    computed with some 20 roundings on each side, of numbers no larger than the longest way of all.
    """
    eps = float(np.finfo("float32").eps)
    largest = max((np.abs(p).max() for p in path if p.size), default=0.0)
    longest = max((np.abs(b - a).max() for a, b in zip(path[:-1], path[1:], strict=True) if a.size), default=0.0)
    return len(path) * eps * (largest + 20 * longest)
