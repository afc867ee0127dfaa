"""Stochastic gradient descent."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, checked


class SGD(Optimizer):
    """Steps of lr against the gradient, with momentum (heavy ball or Nesterov's) and weight decay."""

    def __init__(
        self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, *, maximize=False
    ):
        checked("learning rate", lr)
        checked("momentum", momentum)
        checked("weight_decay", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize})  # fmt: skip

    def update(self, group, params):
        options = {n: group[n] for n in ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")}
        if not group["momentum"]:
            optim.sgd(params, None, first=False, **options)
            return
        for first in (True, False):
            chosen = [p for p in params if (p not in self.state) == first]
            if chosen:
                if first:
                    self.state.update((p, {"momentum_buffer": self.zeros(p)}) for p in chosen)
                optim.sgd(chosen, [self.state[p]["momentum_buffer"] for p in chosen], first=first, **options)
                if first and len(chosen) == len(params):
                    return
