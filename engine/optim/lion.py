"""Lion (Chen et al. 2023), which PyTorch lacks."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check, chosen


class Lion(Optimizer):
    """Every element moves by lr, against the sign of a mean of momentum and gradient; weight decay is decoupled.

    Steps are longer than Adam's: take 3 to 10 times less lr, and as many times more weight_decay.
    """

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, *, maximize=False):
        check("learning rate", lr)
        for i, beta in enumerate(betas):
            check(f"beta parameter at index {i}", beta, beta < 1)
        check("weight_decay value", weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    def update(self, group, params):
        beta1, beta2 = group["betas"]
        means = self.buffers(params, "exp_avg")
        optim.lion(params, means, beta1=beta1, beta2=beta2, **chosen(group, "lr weight_decay maximize"))
