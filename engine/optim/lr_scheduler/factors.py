"""Schedules that multiply the learning rate by a factor at every epoch."""

from __future__ import annotations

from collections import Counter
from types import FunctionType

from engine.optim.lr_scheduler.base import LRScheduler, check_optimizer, options, positive


class Factor(LRScheduler):
    """One factor an epoch for all groups, and the product of them all so far."""

    def _factor(self):
        """By what the learning rate of the epoch before is multiplied at `last_epoch`."""
        raise NotImplementedError

    def _share(self):
        """What share of the initial learning rate is left at `last_epoch`."""
        raise NotImplementedError

    def get_lr(self):
        self._within_step()
        factor = self._factor()
        return [lr * factor for lr in options(self.optimizer, "lr")]

    def _get_closed_form_lr(self):
        share = self._share()
        return [base * share for base in self.base_lrs]


class StepLR(Factor):
    """Times `gamma` every `step_size` epochs."""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size, self.gamma = positive("step_size", step_size), gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        return self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else 1

    def _share(self):
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(Factor):
    """Times `gamma` at each of `milestones`, epochs in any order; one listed twice counts twice."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        return self.gamma ** self.milestones.get(self.last_epoch, 0)

    def _share(self):
        return self.gamma ** sum(n for epoch, n in self.milestones.items() if epoch <= self.last_epoch)


class ConstantLR(Factor):
    """`factor` times the learning rate for `total_iters` epochs, then all of it."""

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        if not 0 <= factor <= 1:
            raise ValueError(f"Constant multiplicative factor expected to be between 0 and 1, got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        if self.last_epoch == 0:
            return self.factor
        return 1 / self.factor if self.last_epoch == self.total_iters else 1

    def _share(self):
        return 1 if self.last_epoch >= self.total_iters else self.factor


class LinearLR(Factor):
    """From `start_factor` to `end_factor` times the learning rate along a line of `total_iters` epochs."""

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        if not 0 < start_factor <= 1:
            raise ValueError(
                f"Starting multiplicative factor expected to be greater than 0 and less or equal to 1, got {start_factor}"
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(f"Ending multiplicative factor expected to be between 0 and 1, got {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        rise = self.end_factor - self.start_factor  # over total_iters epochs
        return 1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def _share(self):
        done = min(self.total_iters, self.last_epoch) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class ExponentialLR(Factor):
    """Times `gamma` every epoch."""

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        return 1 if self._is_initial else self.gamma

    def _share(self):
        return self.gamma**self.last_epoch


class PolynomialLR(Factor):
    """Down to 0 in `total_iters` epochs, as (1 - epoch / total_iters) to the power `power`."""

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _left(self, epoch):
        return 1 - min(self.total_iters, epoch) / self.total_iters

    def _factor(self):
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        return (self._left(self.last_epoch) / self._left(self.last_epoch - 1)) ** self.power

    def _share(self):
        return self._left(self.last_epoch) ** self.power


class _Functions(LRScheduler):
    """A function of the epoch for every group. In the state only callable objects leave a trace, their attributes."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        check_optimizer(optimizer)
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(self.lr_lambdas)}")
        for f in self.lr_lambdas:
            if not callable(f):
                raise TypeError(f"lr_lambda should be a function, but got {type(f).__name__}")
        super().__init__(optimizer, last_epoch)

    def _factors(self):
        self._within_step()
        return [f(self.last_epoch) for f in self.lr_lambdas]

    def state_dict(self):
        return {**super().state_dict(), "lr_lambdas": [attributes(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict):
        own = self.lr_lambdas
        super().load_state_dict({**state_dict, "lr_lambdas": own})
        for f, saved in zip(own, state_dict["lr_lambdas"], strict=True):
            if saved is not None:
                f.__dict__.update(saved)


def attributes(f):
    """What a callable object remembers; None for a function."""
    return None if f is None or isinstance(f, FunctionType) else dict(getattr(f, "__dict__", {}))


class LambdaLR(_Functions):
    """The initial learning rate times `lr_lambda(epoch)`: one function, or a list with one for every group."""

    def get_lr(self):
        return [base * factor for base, factor in zip(self.base_lrs, self._factors(), strict=True)]


class MultiplicativeLR(_Functions):
    """The learning rate times `lr_lambda(epoch)` at every epoch but the first."""

    def get_lr(self):
        factors = [1] * len(self.lr_lambdas) if self._is_initial else self._factors()
        return [lr * factor for lr, factor in zip(options(self.optimizer, "lr"), factors, strict=True)]
