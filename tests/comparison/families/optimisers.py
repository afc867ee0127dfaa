"""Calls of optimisers and schedules: a few steps, and what they leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from comparison.call import Call
from comparison.draw import FLOATS, Made
from comparison.registry import calls


@dataclass
class Steps:
    """An optimiser over parameters that get drawn gradients for a few steps."""

    parameters: list
    gradients: list  # one list for each step
    groups: bool

    def __call__(self, lib, cls, arguments, named, leaves):
        parameters = [lib.nn.Parameter(lib.from_numpy(p.copy())) for p in self.parameters]
        groups = [{"params": parameters[:1], "lr": 0.05}, {"params": parameters[1:]}] if self.groups else parameters
        optimiser = cls(groups, *arguments, **named)
        path = []
        for gradients in self.gradients:
            optimiser.zero_grad()
            for p, g in zip(parameters, gradients, strict=True):
                p.grad = lib.from_numpy(g.copy())
            optimiser.step()
            path.append([p.detach().clone() for p in parameters])
        state = optimiser.state_dict()
        kept = {i: {k: _plain(v) for k, v in sorted(s.items()) if v is not None} for i, s in state["state"].items()}
        return [repr(optimiser), path, kept, [list(g) for g in state["param_groups"]]]

    def __repr__(self):
        return (
            f"{len(self.gradients)} steps of {[p.shape for p in self.parameters]}{' in groups' if self.groups else ''}"
        )


def _plain(value):
    return value if not hasattr(value, "detach") else value.detach().clone()


OPTIONS = {
    "SGD": {"momentum": (0.9, 0.0), "dampening": (0.0, 0.3), "nesterov": (True, False)},
    "Adam": {"betas": ((0.8, 0.99),), "eps": (1e-6,), "amsgrad": (True, False)},
    "AdamW": {"betas": ((0.8, 0.99),), "eps": (1e-6,), "amsgrad": (True, False)},
    "NAdam": {"betas": ((0.8, 0.99),), "momentum_decay": (0.01,), "decoupled_weight_decay": (True, False)},
    "RAdam": {"betas": ((0.8, 0.9),), "decoupled_weight_decay": (True, False)},
    "Adamax": {"betas": ((0.8, 0.99),), "eps": (1e-6,)},
    "RMSprop": {"alpha": (0.9,), "momentum": (0.9, 0.0), "centered": (True, False), "eps": (1e-6,)},
    "Adagrad": {"lr_decay": (0.1,), "initial_accumulator_value": (0.1, 0.0), "eps": (1e-6,)},
    "Adadelta": {"rho": (0.8,), "eps": (1e-4,)},
}


@calls(" ".join(OPTIONS), "optim")
def optimiser(draw, name):
    shapes = [tuple(draw.integer(1, 4) for _ in range(draw.integer(1, 2))) for _ in range(draw.integer(1, 3))]
    dtype = draw.dtype(*FLOATS)
    parameters = [np.asarray(draw.rng.standard_normal(s)).astype(dtype) for s in shapes]
    gradients = [
        [np.asarray(draw.rng.standard_normal(s)).astype(dtype) for s in shapes] for _ in range(draw.integer(1, 6))
    ]
    options = {n: draw.pick(*values) for n, values in OPTIONS[name].items() if draw.chance(0.5)}
    if options.get("nesterov") and not options.get("momentum") or options.get("dampening"):
        options.pop("nesterov", None)
    for n, value in (
        ("lr", draw.pick(0.1, 0.01)),
        ("weight_decay", draw.pick(0.1, 0.0)),
        ("maximize", draw.chance(0.5)),
    ):
        if draw.chance(0.5):
            options[n] = value
    groups = len(parameters) > 1 and draw.chance(0.3)
    return Call({}, only=options, through=Steps(parameters, gradients, groups), length=32, ulps=64)


@dataclass
class Schedule:
    """A schedule stepped along; the learning rates it sets."""

    steps: int
    metrics: list | None = None
    inner: bool = False

    def __call__(self, lib, cls, arguments, named, leaves):
        p = lib.nn.Parameter(lib.ones(2))
        optimiser = lib.optim.SGD([{"params": [p], "lr": 0.4}], lr=0.1, momentum=0.9)
        if self.inner:
            first, second = (
                lib.optim.lr_scheduler.LinearLR(optimiser, 0.5, 1.0, 3),
                lib.optim.lr_scheduler.StepLR(optimiser, 2, 0.5),
            )
            schedule = (
                cls([first, second], **named)
                if cls.__name__ == "ChainedScheduler"
                else cls(optimiser, [first, second], **named)
            )
        else:
            schedule = cls(optimiser, *arguments, **named)
        rates = [optimiser.param_groups[0]["lr"]]
        for i in range(self.steps):
            optimiser.step()
            schedule.step(*([] if self.metrics is None else [self.metrics[i]]))
            group = optimiser.param_groups[0]
            rates.append((float(group["lr"]), float(group.get("momentum", 0))))
        return [rates, sorted(k for k in schedule.state_dict() if not k.startswith("_")), schedule.get_last_lr()]

    def __repr__(self):
        return f"{self.steps} steps" + (f" with {self.metrics}" if self.metrics else "")


SCHEDULES = {
    "StepLR": {"step_size": (1, 2, 5), "gamma": (0.5, 0.1)}, "MultiStepLR": {"milestones": ([1, 3], [2], [5, 2]), "gamma": (0.5,)},
    "ConstantLR": {"factor": (0.5, 1), "total_iters": (3, 0)}, "LinearLR": {"start_factor": (0.5,), "end_factor": (0.8,), "total_iters": (4,)},
    "ExponentialLR": {"gamma": (0.9, 1.1)}, "PolynomialLR": {"total_iters": (4,), "power": (2.0,)},
    "CosineAnnealingLR": {"T_max": (5, 3), "eta_min": (0.01,)}, "CosineAnnealingWarmRestarts": {"T_0": (2, 3), "T_mult": (2, 1), "eta_min": (0.01,)},
    "OneCycleLR": {"max_lr": (1.0,), "total_steps": (20,), "pct_start": (0.2,), "anneal_strategy": ("linear", "cos"), "three_phase": (True,), "cycle_momentum": (False,)},
    "CyclicLR": {"base_lr": (0.01,), "max_lr": (0.1,), "step_size_up": (3,), "step_size_down": (2,), "mode": ("triangular2", "exp_range"), "gamma": (0.9,)},
    "LambdaLR": {"lr_lambda": ("lambda",)}, "MultiplicativeLR": {"lr_lambda": ("lambda",)},
}  # fmt: skip
NEEDED = {"step_size", "milestones", "T_max", "T_0", "max_lr", "total_steps", "base_lr", "lr_lambda"} | {
    "gamma of ExponentialLR"
}


@calls(" ".join(SCHEDULES), "optim.lr_scheduler")
def schedule(draw, name):
    options = {}
    for n, values in SCHEDULES[name].items():
        if n in NEEDED or f"{n} of {name}" in NEEDED or draw.chance(0.5):
            options[n] = draw.pick(*values)
    if "lr_lambda" in options:
        options["lr_lambda"] = Made("lambda epoch: 0.9 ** epoch", lambda lib: lambda epoch: 0.9**epoch)
    return Call({}, only=options, through=Schedule(draw.integer(0, 12)))


@calls("ReduceLROnPlateau", "optim.lr_scheduler")
def plateau(draw, name):
    values = {"mode": draw.pick("min", "max"), "factor": 0.5, "patience": draw.integer(0, 2), "threshold": 0.1, "cooldown": 1, "min_lr": 0.05,
              "threshold_mode": draw.pick("rel", "abs")}  # fmt: skip
    metrics = [round(float(m), 1) for m in draw.rng.uniform(0, 1, 12)]
    return Call({}, only={n: v for n, v in values.items() if draw.chance(0.6)}, through=Schedule(12, metrics))


@calls("SequentialLR ChainedScheduler", "optim.lr_scheduler")
def composed(draw, name):
    return Call(
        {},
        only={"milestones": [draw.integer(1, 4)]} if name == "SequentialLR" else {},
        through=Schedule(draw.integer(0, 8), inner=True),
    )
