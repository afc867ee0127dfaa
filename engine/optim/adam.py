"""Adam (Kingma and Ba 2014), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov and Hutter 2017)."""

from __future__ import annotations

from engine.ops import optim
from engine.optim.optimizer import Optimizer, check_adam, chosen, number
from engine.tensor import Tensor


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    Weight decay is added to the gradient, or, when decoupled, shrinks the parameter by lr * weight_decay.
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False,
    ):  # fmt: skip
        check_adam(lr, betas, eps, weight_decay)
        if not any(all(isinstance(beta, kind) for beta in betas) for kind in (float, Tensor)):
            raise ValueError(f"betas must be either both floats or both Tensors, got {betas}")
        super().__init__(params, {
            "lr": lr, "betas": tuple(number(beta) for beta in betas), "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable, "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        })  # fmt: skip

    def update(self, group, params):
        beta1, beta2 = group["betas"]
        for step, some in self.by_step(params):
            means, squares = self.buffers(some, "exp_avg"), self.buffers(some, "exp_avg_sq")
            tops = self.buffers(some, "max_exp_avg_sq") if group["amsgrad"] else None
            optim.adam(some, means, squares, tops, step=step, beta1=beta1, beta2=beta2,
                       decoupled=group["decoupled_weight_decay"], **chosen(group, "lr eps weight_decay maximize"))  # fmt: skip


class AdamW(Adam):
    """Adam with decoupled weight decay."""

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *,
        maximize=False, foreach=None, capturable=False, differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True  # whatever the checkpoint came from
