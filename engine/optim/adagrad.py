"""Adagrad (Duchi, Hazan and Singer 2011)."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check, chosen, number


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squares so far; lr falls as 1 / (1 + lr_decay * steps before)."""

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
        maximize=False, differentiable=False, fused=None,
    ):  # fmt: skip
        check("learning rate", lr)
        check("lr_decay value", lr_decay)
        check("weight_decay value", weight_decay)
        check("initial_accumulator_value value", initial_accumulator_value)
        check("epsilon value", eps)
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        })  # fmt: skip
        for group in self.param_groups:
            self._sums(group["params"])
            for p in group["params"]:
                self.scalar(p, "step", 0)

    def _sums(self, params):
        return self.buffers(params, "sum", number(self.defaults["initial_accumulator_value"]))

    def update(self, group, params):
        options = chosen(group, "lr eps weight_decay maximize")
        lr, decay = options.pop("lr"), number(group["lr_decay"])
        for step, some in self.by_step(params):
            optim.adagrad(some, self._sums(some), lr=lr / (1 + (step - 1) * decay), **options)
