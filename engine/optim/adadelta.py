"""Adadelta (Zeiler 2012)."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check, chosen


class Adadelta(Optimizer):
    """Steps whose size is the root mean square of past steps over that of past gradients; rho is the memory of both."""

    def __init__(
        self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *,
        capturable=False, maximize=False, differentiable=False,
    ):  # fmt: skip
        check("learning rate", lr)
        check("rho value", rho, rho <= 1)
        check("epsilon value", eps)
        check("weight_decay value", weight_decay)
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        })  # fmt: skip

    def update(self, group, params):
        self.by_step(params)  # counted for the state alone
        squares, moves = self.buffers(params, "square_avg"), self.buffers(params, "acc_delta")
        optim.adadelta(params, squares, moves, **chosen(group, "lr rho eps weight_decay maximize"))
