"""RAdam (Liu et al. 2019)."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check_adam, chosen


class RAdam(Optimizer):
    """Adam whose first steps are not scaled, as long as too few squares were seen to know the scale."""

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_adam(lr, betas, eps, weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        })  # fmt: skip

    def update(self, group, params):
        beta1, beta2 = group["betas"]
        for step, some in self.by_step(params):
            optim.radam(some, self.buffers(some, "exp_avg"), self.buffers(some, "exp_avg_sq"), step=step, beta1=beta1,
                        beta2=beta2, decoupled=group["decoupled_weight_decay"],
                        **chosen(group, "lr eps weight_decay maximize"))  # fmt: skip
