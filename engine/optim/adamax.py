"""Adamax (Kingma and Ba 2014, section 7)."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check_adam, chosen


class Adamax(Optimizer):
    """Adam scaled by the largest recent gradient in place of the mean square."""

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *,
        maximize=False, differentiable=False, capturable=False,
    ):  # fmt: skip
        check_adam(lr, betas, eps, weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        })  # fmt: skip

    def update(self, group, params):
        beta1, beta2 = group["betas"]
        for step, some in self.by_step(params):
            optim.adamax(some, self.buffers(some, "exp_avg"), self.buffers(some, "exp_inf"), step=step, beta1=beta1,
                         beta2=beta2, **chosen(group, "lr eps weight_decay maximize"))  # fmt: skip
