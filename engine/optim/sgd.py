"""Stochastic gradient descent."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check, chosen


class SGD(Optimizer):
    """Steps of lr against the gradient, with momentum (heavy ball or Nesterov's) and weight decay.

    As in PyTorch the learning rate is outside the momentum, and the first gradient is taken without dampening.
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
        maximize=False, foreach=None, differentiable=False, fused=None,
    ):  # fmt: skip
        check("learning rate", lr)
        check("momentum value", momentum)
        check("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def update(self, group, params):
        options = chosen(group, "lr momentum dampening weight_decay nesterov maximize")
        if not options["momentum"]:
            optim.sgd(params, None, first=False, **options)
            return
        buffers = [self.state[p].get("momentum_buffer") for p in params]
        if all([b is not None for b in buffers]):
            optim.sgd(params, buffers, first=False, **options)
            return
        new = [p for p in params if self.state[p].get("momentum_buffer") is None]
        for p in new:
            self.state[p].pop("momentum_buffer", None)
        old = [p for p in params if "momentum_buffer" in self.state[p]]
        for some, first in ((new, True), (old, False)):
            if some:
                optim.sgd(some, self.buffers(some, "momentum_buffer"), first=first, **options)
