"""LRScheduler: what every learning-rate schedule does at a step, in PyTorch's protocol.

`last_epoch` counts the steps. `get_lr` gives the learning rates of that epoch, one per parameter group, mostly from
those of the epoch before, so that schedules can be chained and a rate changed by hand is respected. A subclass of yours
writes `get_lr`; where it can tell the rates from the epoch alone it adds `_get_closed_form_lr`, for `step(epoch)`.
"""

from __future__ import annotations

import warnings

from engine.optim.optimizer import Optimizer, number
from engine.tensor import Tensor


def check_optimizer(optimizer):
    """TypeError unless it is an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def positive(name, value):
    """`value`, a number of epochs; ValueError unless it is above 0."""
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return value


def per_group(name, optimizer, value):
    """A list with one value for each group, of one value or of a list that must be as long as there are groups."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(values)} values, "
            f"param_groups has {groups}."
        )
    return [copied(v) for v in values]


def copied(value):
    """The value itself, or a copy where it is a Tensor, which may change in place."""
    return value.clone() if isinstance(value, Tensor) else value


def options(optimizer, key):
    """The option of every group."""
    return [copied(group[key]) for group in optimizer.param_groups]


def assign(group, key, value):
    """Set an option of a group; a Tensor there is changed in place, as it may be held elsewhere."""
    if isinstance(group[key], Tensor):
        group[key].fill_(number(value))
    else:
        group[key] = value


def warn_of_epoch():
    """`step(epoch)` jumps, as it did before schedules could be chained."""
    warnings.warn(
        "The epoch parameter in `scheduler.step()` is deprecated where possible: the learning rate is computed from the "
        "epoch alone, whatever other schedules did. Please use `scheduler.step()`",
        UserWarning, stacklevel=3,
    )  # fmt: skip


class LRScheduler:
    """Base of all. `last_epoch` is -1 for a new schedule; to resume one, the epoch it had reached.

    KeyError when resuming with an optimiser whose groups lack 'initial_lr' (load its state first).
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    f"last_epoch >= 0: load the optimizer's state first, or leave last_epoch at -1 for a new schedule"
                )
        self.base_lrs = options(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        optimizer.__dict__.setdefault("_opt_called", False)  # its step() sets it from now on
        self._initial_step()

    def _initial_step(self):
        """The step to the first epoch, which the schedule takes by itself."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self):
        """The learning rates of `last_epoch`, for the step in progress. From outside use `get_last_lr()`."""
        raise NotImplementedError

    def get_last_lr(self):
        """The learning rates that the last step set, one per parameter group."""
        return self._last_lr

    def step(self, epoch=None):
        """Go to the next epoch, or, deprecated, to the one given."""
        if self._step_count == 1 and not self.optimizer.__dict__.get("_opt_called", True):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite order, "
                "else the first value of the learning rate schedule is skipped",
                UserWarning, stacklevel=2,
            )  # fmt: skip
        self._step_count += 1
        if epoch is not None:
            warn_of_epoch()
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set_lr(self.get_lr if epoch is None else getattr(self, "_get_closed_form_lr", self.get_lr))

    def _set_lr(self, compute):
        self._get_lr_called_within_step = True
        try:
            values = compute()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            assign(group, "lr", lr)
        self._last_lr = options(self.optimizer, "lr")

    def _within_step(self):
        """Warn who calls get_lr() from outside: it computes the step after."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning, stacklevel=3,
            )  # fmt: skip

    def state_dict(self):
        """Everything but the optimiser, by name."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        self.__dict__.update(state_dict)
