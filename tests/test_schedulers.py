"""Learning-rate schedules by their definitions; composition, saving, warnings and refusals."""

import copy
import math

import pytest

import engine
from engine import optim
from engine.optim import lr_scheduler
from engine.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def sgd(lr=0.1, **options):
    return optim.SGD([engine.ones(1, requires_grad=True)], lr=lr, **options)


def rates(schedule, steps):
    """The learning rate of every epoch from now on."""
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr() == found[-1:]
        schedule.optimizer.step()
        schedule.step()
    return found


DEFINITIONS = {
    "step": (lambda o: StepLR(o, 7, 0.5), lambda t: 0.5 ** (t // 7)),
    "step default": (lambda o: StepLR(o, step_size=30), lambda t: 0.1 ** (t // 30)),
    "milestones": (lambda o: lr_scheduler.MultiStepLR(o, [9, 3, 3]), lambda t: 0.1 ** (2 * (t >= 3) + (t >= 9))),
    "constant": (lambda o: lr_scheduler.ConstantLR(o, 0.25, 8), lambda t: 0.25 if t < 8 else 1),
    "linear": (lambda o: LinearLR(o, 0.1, total_iters=10), lambda t: 0.1 + 0.9 * min(t, 10) / 10),
    "exponential": (lambda o: ExponentialLR(o, 0.93), lambda t: 0.93**t),
    "polynomial": (lambda o: PolynomialLR(o, 40, 2), lambda t: (1 - min(t, 40) / 40) ** 2),
    "cosine": (lambda o: CosineAnnealingLR(o, 40), lambda t: (1 + math.cos(math.pi * t / 40)) / 2),
    "cosine floor": (lambda o: CosineAnnealingLR(o, T_max=25, eta_min=0.02),
                     lambda t: 0.2 + 0.8 * (1 + math.cos(math.pi * t / 25)) / 2),
    "restarts": (lambda o: CosineAnnealingWarmRestarts(o, 9), lambda t: (1 + math.cos(math.pi * (t % 9) / 9)) / 2),
    "lambda": (lambda o: LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "multiplicative": (lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: t / (t + 1)), lambda t: 1 / (t + 1)),
    "cyclic": (lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2, 5, 10, cycle_momentum=False),
               lambda t: 1 + min(t % 15 / 5, (15 - t % 15) / 10)),
    "sequential": (lambda o: SequentialLR(o, [LinearLR(o, 0.5, total_iters=4), ExponentialLR(o, 0.9)], [6]),
                   lambda t: 0.5 + 0.5 * min(t, 4) / 4 if t < 6 else 0.9 ** (t - 6)),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFINITIONS)
def test_100_epochs_by_the_definition(name):
    make, share = DEFINITIONS[name]
    optimiser = sgd(0.1)
    optimiser.step()
    expected = [0.1 * share(t) for t in range(100)]
    assert rates(make(optimiser), 100) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_one_cycle_goes_up_and_down_and_the_momentum_down_and_up():
    optimiser = sgd(momentum=0.9)
    schedule = OneCycleLR(optimiser, max_lr=1.0, total_steps=100, pct_start=0.25)
    lrs, momenta = [], []
    for _ in range(100):
        lrs.append(optimiser.param_groups[0]["lr"])
        momenta.append(optimiser.param_groups[0]["momentum"])
        optimiser.step()
        schedule.step()
    assert lrs[0] == pytest.approx(1 / 25) and lrs[24] == 1.0 and lrs[99] == pytest.approx(1 / 25 / 1e4)
    assert (
        momenta[0] == pytest.approx(0.95) and momenta[24] == pytest.approx(0.85) and momenta[99] == pytest.approx(0.95)
    )
    assert lrs[:25] == sorted(lrs[:25]) and lrs[24:] == sorted(lrs[24:], reverse=True)
    with pytest.raises(ValueError, match="Tried to step 101 times. The specified number of total steps is 100"):
        schedule.step()


def test_restarts_take_fractions_of_an_epoch():
    schedule = CosineAnnealingWarmRestarts(sgd(1.0), T_0=2, T_mult=2)
    for epoch, done in ((0, 0), (0.5, 0.25), (1.5, 0.75), (2, 0), (4, 0.5), (5.5, 0.875), (6, 0), (10, 0.5), (1, 0.5)):
        schedule.step(epoch)
        assert schedule.get_last_lr() == [pytest.approx((1 + math.cos(math.pi * done)) / 2, rel=1e-12)]
        assert schedule.last_epoch == int(epoch)


def test_a_plateau_waits_then_cuts_and_cools_down():
    optimiser = sgd(1.0)
    schedule = ReduceLROnPlateau(optimiser, patience=2, factor=0.5, cooldown=1, min_lr=0.2)
    seen = []
    for metric in [1.0] * 14:
        schedule.step(engine.tensor(metric))
        seen.append(optimiser.param_groups[0]["lr"])
    # one to be best, three bad ones, then a cut every (1 to cool down and) 3
    assert seen == [1.0] * 3 + [0.5] * 4 + [0.25] * 4 + [0.2] * 3


def test_chained_schedules_multiply():
    optimiser = sgd(1.0)
    optimiser.step()
    schedule = ChainedScheduler([ExponentialLR(optimiser, 0.9), StepLR(optimiser, 3)])
    assert rates(schedule, 10) == pytest.approx([0.9**t * 0.1 ** (t // 3) for t in range(10)], rel=1e-12)


def test_schedules_start_where_the_first_of_them_did():
    """The second schedule of an optimiser keeps the initial rate that the first noted."""
    optimiser = sgd(1.0)
    LinearLR(optimiser, 0.25)
    assert StepLR(optimiser, 3).base_lrs == [1.0] and optimiser.param_groups[0]["initial_lr"] == 1.0


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_schedule_resumes(name):
    def fresh():
        optimiser = sgd(0.1)
        schedule = DEFINITIONS[name][0](optimiser)
        optimiser.step()
        return schedule

    schedule, resumed = fresh(), fresh()
    rates(schedule, 17)
    saved = copy.deepcopy((schedule.optimizer.state_dict(), schedule.state_dict()))
    resumed.optimizer.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert rates(resumed, 30) == rates(schedule, 30)


def test_to_resume_by_the_epoch_the_optimiser_must_know_its_initial_rate():
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified in param_groups.0. when resuming"):
        StepLR(sgd(), 3, last_epoch=5)
    optimiser = sgd()
    schedule = StepLR(optimiser, 3)
    rates(schedule, 5)
    again = sgd()
    again.load_state_dict(optimiser.state_dict())
    resumed = StepLR(again, 3, last_epoch=schedule.last_epoch - 1)
    assert resumed.last_epoch == 5 and resumed.get_last_lr() == schedule.get_last_lr()


def test_a_function_object_is_saved_by_what_it_remembers():
    class Fall:
        def __init__(self, by):
            self.by = by

        def __call__(self, epoch):
            return self.by**epoch

    schedule = LambdaLR(sgd(1.0), Fall(0.5))
    rates(schedule, 3)
    saved = copy.deepcopy(schedule.state_dict())
    assert saved["lr_lambdas"] == [{"by": 0.5}]
    other = LambdaLR(sgd(1.0), Fall(0.9))
    other.load_state_dict(saved)
    other.optimizer.step()
    other.step()
    assert other.get_last_lr() == [0.5**4]
    assert LambdaLR(sgd(), lambda t: 1).state_dict()["lr_lambdas"] == [None]


def test_a_schedule_of_the_users_own():
    class Root(LRScheduler):
        def get_lr(self):
            return [base / math.sqrt(1 + self.last_epoch) for base in self.base_lrs]

    optimiser = sgd(1.0)
    optimiser.step()
    assert rates(Root(optimiser), 20) == [1 / math.sqrt(1 + t) for t in range(20)]
    with pytest.raises(NotImplementedError):
        LRScheduler(sgd())


def test_a_step_before_the_optimisers_is_warned_of_once():
    schedule = StepLR(sgd(), 3)
    with pytest.warns(UserWarning, match="`lr_scheduler.step..` before `optimizer.step..`"):
        schedule.step()
    schedule.step()
    optimiser = sgd()
    schedule = StepLR(optimiser, 3)
    optimiser.step()
    schedule.step()


def test_get_lr_from_outside_is_warned_of():
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        StepLR(sgd(), 3).get_lr()


@pytest.mark.parametrize("make, error, message", [
    (lambda: StepLR(3, 1), TypeError, "int is not an Optimizer"),
    (lambda: StepLR(sgd(), 0), ValueError, "step_size must be positive, got 0"),
    (lambda: CosineAnnealingLR(sgd(), 0), ValueError, "T_max must be positive, got 0"),
    (lambda: CosineAnnealingWarmRestarts(sgd(), 2.5), ValueError, "Expected positive integer T_0, but got 2.5"),
    (lambda: LinearLR(sgd(), 0), ValueError, "Starting multiplicative factor expected to be greater than 0"),
    (lambda: OneCycleLR(sgd(), 0.1), ValueError, "You must define either total_steps OR"),
    (lambda: OneCycleLR(sgd(), [0.1, 0.2], 5), ValueError, "max_lr has 2 values, param_groups has 1"),
    (lambda: LambdaLR(sgd(), [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
    (lambda: ReduceLROnPlateau(sgd(), factor=2), ValueError, "Factor should be < 1.0, got 2"),
    (lambda: SequentialLR(sgd(), [], []), ValueError, "SequentialLR expects at least one scheduler"),
    (lambda: ChainedScheduler([StepLR(sgd(), 1), StepLR(sgd(), 1)]), ValueError, "StepLR at index 1 of another"),
])  # fmt: skip
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
