"""NAdam (Dozat 2016)."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check, check_adam, chosen


class NAdam(Optimizer):
    """Adam with Nesterov momentum, whose share grows over the steps at a pace set by `momentum_decay`."""

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_adam(lr, betas, eps, weight_decay)
        check("momentum_decay value", momentum_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        })  # fmt: skip

    def update(self, group, params):
        (beta1, beta2), decay = group["betas"], group["momentum_decay"]
        options = chosen(group, "lr eps weight_decay maximize")
        for step, some in self.by_step(params):
            mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1))
            products = {}  # those whose product of all mu so far is the same
            for p in some:
                products.setdefault(optim.scale(self.scalar(p, "mu_product", 1), mu), []).append(p)
            for product, same in products.items():
                optim.nadam(
                    same, self.buffers(same, "exp_avg"), self.buffers(same, "exp_avg_sq"), step=step, beta1=beta1,
                    beta2=beta2, decoupled=group["decoupled_weight_decay"], fresh=options["lr"] * (1 - mu) / (1 - product),
                    kept=options["lr"] * mu_next / (1 - product * mu_next), **options,
                )  # fmt: skip
