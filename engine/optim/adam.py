"""Adam (Kingma and Ba 2014) and AdamW (Loshchilov and Hutter 2017)."""

from __future__ import annotations

from itertools import groupby

from engine.ops import optim
from engine.optim.optimizer import Optimizer, checked


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square; weight decay is added to the gradient."""

    decoupled = False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, *, maximize=False):
        checked("learning rate", lr)
        checked("epsilon", eps)
        checked("weight_decay", weight_decay)
        for i, beta in enumerate(betas):
            checked(f"beta parameter at index {i}:", beta, below=1.0)
        super().__init__(
            params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def update(self, group, params):
        for p in params:
            if p not in self.state:
                self.state[p] = {"step": 0, "exp_avg": self.zeros(p), "exp_avg_sq": self.zeros(p)}
        for step, some in groupby(params, key=lambda p: self.state[p]["step"] + 1):
            chosen = list(some)
            optim.adam(
                chosen, [self.state[p]["exp_avg"] for p in chosen], [self.state[p]["exp_avg_sq"] for p in chosen],
                step=step, lr=group["lr"], beta1=group["betas"][0], beta2=group["betas"][1], eps=group["eps"],
                weight_decay=group["weight_decay"], decoupled=self.decoupled, maximize=group["maximize"],
            )  # fmt: skip
            for p in chosen:
                self.state[p]["step"] = step


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly, by lr * weight_decay."""

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, *, maximize=False):
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)
