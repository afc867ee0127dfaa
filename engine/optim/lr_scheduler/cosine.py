"""Schedules along a cosine (Loshchilov and Hutter 2016, SGDR)."""

from __future__ import annotations

import math

from engine.optim.lr_scheduler.base import LRScheduler, options, positive


def _height(done):
    """From 1 to 0 along half a cosine while `done` goes from 0 to 1."""
    return (1 + math.cos(math.pi * done)) / 2


class CosineAnnealingLR(LRScheduler):
    """From the initial learning rate down to `eta_min` in `T_max` epochs, and up again in as many.

    Computed from the epoch before, as in PyTorch: a rate changed by hand is scaled by the rest of the cosine.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max, self.eta_min = positive("T_max", T_max), eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        self._within_step()
        lrs = options(self.optimizer, "lr")
        before = self.last_epoch - 1
        if self._is_initial:
            return lrs
        if (before - self.T_max) % (2 * self.T_max) == 0:  # from the lowest point, where there is nothing to scale
            rise = 1 - _height(1 / self.T_max)
            return [lr + (base - self.eta_min) * rise for lr, base in zip(lrs, self.base_lrs, strict=True)]
        factor = _height(self.last_epoch / self.T_max) / _height(before / self.T_max)
        return [factor * (lr - self.eta_min) + self.eta_min for lr in lrs]

    def _get_closed_form_lr(self):
        height = _height(self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Down to `eta_min` in `T_0` epochs, back to the top, and again in `T_mult` times as many, and so on.

    `step(epoch)` takes any number from 0, such as epoch + batch / batches.
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        for wanted, value in (("positive integer T_0", T_0), ("integer T_mult >= 1", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Expected {wanted}, but got {value}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur = last_epoch  # epochs since the restart, of T_i
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        self._within_step()
        height = _height(self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch=None):
        """Go to the next epoch, or to the one given, which may have a fraction."""
        if epoch is not None and epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = epoch or 0
            self._find(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_lr(self.get_lr)

    def _find(self, epoch):
        """Where in which period an epoch lies."""
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_i = self.T_0 * self.T_mult**restarts
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
