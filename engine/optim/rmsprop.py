"""RMSprop (Hinton 2012), centred too (Graves 2013)."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check, chosen


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squares, or, when `centered`, by the standard deviation.

    As in PyTorch eps is added after the root.
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False,
        capturable=False, foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        check("learning rate", lr)
        check("epsilon value", eps)
        check("momentum value", momentum)
        check("weight_decay value", weight_decay)
        check("alpha value", alpha)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        })  # fmt: skip

    def update(self, group, params):
        self.by_step(params)  # counted for the state alone
        options = chosen(group, "lr alpha eps weight_decay momentum maximize")
        means = self.buffers(params, "grad_avg") if group["centered"] else None
        momenta = self.buffers(params, "momentum_buffer") if options["momentum"] > 0 else None
        optim.rmsprop(params, self.buffers(params, "square_avg"), means, momenta, **options)
