"""Learning-rate schedules beside PyTorch's: 200 steps of every class and option, to 1e-12, through saves and changes by hand."""

import copy
import math
import warnings
from functools import partial

import pytest

import engine
from engine.optim import lr_scheduler as ours

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
theirs = torch.optim.lr_scheduler

STEPS = 200
LIBRARIES = ((engine, ours), (torch, theirs))


class Decay:
    """A callable object with something to remember."""

    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return 1 / (1 + epoch + self.calls)


def sequential(s, o):
    return s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=10), s.ExponentialLR(o, 0.97), s.StepLR(o, 20)], [10, 60])


def chained(s, o):
    return s.ChainedScheduler([s.ConstantLR(o, 0.1, 5), s.ExponentialLR(o, 0.99), s.MultiStepLR(o, [50, 120], 0.5)])


CASES = {
    "step": lambda s, o: s.StepLR(o, 7, 0.5),
    "step of 1": lambda s, o: s.StepLR(o, step_size=1, gamma=1.01),
    "milestones": lambda s, o: s.MultiStepLR(o, [30, 80, 80, 150]),
    "milestones unordered": lambda s, o: s.MultiStepLR(o, milestones=[150, 0, 30], gamma=0.3),
    "constant": lambda s, o: s.ConstantLR(o),
    "constant long": lambda s, o: s.ConstantLR(o, factor=0.7, total_iters=50),
    "linear": lambda s, o: s.LinearLR(o),
    "linear down": lambda s, o: s.LinearLR(o, start_factor=1.0, end_factor=0.01, total_iters=150),
    "linear to nothing": lambda s, o: s.LinearLR(o, 1.0, 0.0, 40),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.98),
    "polynomial": lambda s, o: s.PolynomialLR(o),
    "polynomial of 2.5": lambda s, o: s.PolynomialLR(o, total_iters=130, power=2.5),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 200),
    "cosine up and down": lambda s, o: s.CosineAnnealingLR(o, T_max=23, eta_min=0.002),
    "cosine of 1": lambda s, o: s.CosineAnnealingLR(o, 1),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 13),
    "restarts growing": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=5, T_mult=2, eta_min=0.003),
    "lambda": lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda epoch: 0.95**epoch, lambda epoch: 1 / (1 + epoch)]),
    "lambda object": lambda s, o: s.LambdaLR(o, Decay()),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9 if epoch % 10 == 0 else 1.001),
    "multiplicatives": lambda s, o: s.MultiplicativeLR(o, (lambda epoch: 0.99, lambda epoch: 1 - 0.01 / epoch)),
    "one cycle": lambda s, o: s.OneCycleLR(o, max_lr=0.5, total_steps=200),
    "one cycle three phases": lambda s, o: s.OneCycleLR(o, [0.5, 0.2], epochs=10, steps_per_epoch=20, three_phase=True),
    "one cycle straight": lambda s, o: s.OneCycleLR(
        o, 0.3, 250, pct_start=0.15, anneal_strategy="linear", base_momentum=[0.8, 0.7], max_momentum=0.99,
        div_factor=10.0, final_div_factor=100.0,
    ),
    "one cycle without momentum": lambda s, o: s.OneCycleLR(o, 0.3, 220, cycle_momentum=False, pct_start=0.0),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=12),
    "cyclic halved": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 12, 7, mode="triangular2", base_momentum=0.5),
    "cyclic shrinking": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 30, mode="exp_range", gamma=0.99, cycle_momentum=False),
    "cyclic by function": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 9, scale_fn=lambda x: 1 / (5 ** (x * 0.1))),
    "cyclic by function of steps": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, 9, scale_fn=lambda x: 0.99**x, scale_mode="iterations"
    ),
    "sequential": sequential,
    "chained": chained,
    "warm-up, then cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 1e-3, total_iters=20), s.CosineAnnealingLR(o, 180, eta_min=1e-5)], milestones=[20]
    ),
    "sequential in sequential": lambda s, o: s.SequentialLR(
        o, [sequential(s, o), s.CosineAnnealingWarmRestarts(o, 10)], [100]
    ),
    "chained in chained": lambda s, o: s.ChainedScheduler([chained(s, o), s.PolynomialLR(o, 300)], o),
}  # fmt: skip


def optimiser(library, kind="SGD", lrs=(0.1, 0.03)):
    params = [library.ones(2, requires_grad=True) for _ in lrs]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(params, lrs, strict=True)]
    return library.optim.SGD(groups, momentum=0.9) if kind == "SGD" else library.optim.Adam(groups)


def numbers(schedule):
    """What a schedule sets, as a flat list."""
    values = [float(lr) for lr in schedule.get_last_lr()]
    for group in schedule.optimizer.param_groups:
        values.append(float(group["lr"]))
        values.append(float(group["momentum"]) if "momentum" in group else float(group["betas"][0]))
    return values


def agree(a, b):
    assert numbers(a) == pytest.approx(numbers(b), rel=1e-12, abs=1e-15)
    assert getattr(a, "last_epoch", 0) == getattr(b, "last_epoch", 0)


def both(name, kind="SGD"):
    made = []
    for library, s in LIBRARIES:
        o = optimiser(library, kind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a sequence inside another takes a step when it is made
            made.append(CASES[name](s, o))
        o.step()
    return made


def advance(schedules, steps):
    for _ in range(steps):
        for schedule in schedules:
            schedule.optimizer.step()
            schedule.step()
        agree(*schedules)


@pytest.mark.parametrize("name", CASES)
def test_200_steps(name):
    pair = both(name)
    agree(*pair)
    advance(pair, STEPS)


@pytest.mark.parametrize("name", [n for n in CASES if "cycl" in n])
def test_200_steps_with_betas_for_momentum(name):
    pair = both(name, "Adam")
    agree(*pair)
    advance(pair, STEPS)


@pytest.mark.parametrize("name", CASES)
def test_a_rate_changed_by_hand_is_respected(name):
    pair = both(name)
    for steps, lr in ((31, 0.4), (59, 0.007), (60, 1.0)):
        advance(pair, steps)
        for schedule in pair:
            schedule.optimizer.param_groups[1]["lr"] = lr
    advance(pair, 40)


@pytest.mark.parametrize("source", [ours, theirs], ids=["own", "PyTorch's"])
@pytest.mark.parametrize("name", CASES)
def test_a_saved_schedule_goes_on(name, source):
    """The state of ours and of PyTorch's, after 73 steps, loaded into a new one of ours."""
    pair = both(name)
    advance(pair, 73)
    saved = copy.deepcopy(pair[source is theirs].state_dict())
    before = repr(saved)
    fresh = both(name)[0]
    fresh.load_state_dict(saved)
    assert repr(saved) == before  # nothing is taken out of it
    fresh.optimizer.load_state_dict(pair[0].optimizer.state_dict())
    advance((fresh, pair[1]), STEPS - 73)


@pytest.mark.parametrize("name", CASES)
def test_our_state_has_the_names_of_pytorchs(name):
    mine, other = (set(schedule.state_dict()) for schedule in both(name))
    assert mine - {"base_momentums", "max_momentums"} == other - {"base_momentums", "max_momentums"}


SIMPLE = [n for n in CASES if not any(word in n for word in ("restarts", "sequential", "chained", "warm-up"))]


@pytest.mark.parametrize("name", SIMPLE)
def test_steps_to_an_epoch(name):
    pair = both(name)
    for epoch in (1, 3, 40, 12, 12, 199, 2):
        for schedule in pair:
            with pytest.warns(UserWarning, match="epoch parameter in `scheduler.step"):
                schedule.step(epoch)
        agree(*pair)
    advance(pair, 20)


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("restarts")])
def test_fractions_of_an_epoch(name):
    pair = both(name)
    for i in range(STEPS * 3):
        for schedule in pair:
            schedule.step(i / 7)
        agree(*pair)
    advance(pair, 30)
    for epoch in (0, 4.5, 100, 12.25):
        for schedule in pair:
            schedule.step(epoch)
        agree(*pair)


class Resumed:
    """The schedules of a library, each made with last_epoch."""

    def __init__(self, schedules, last_epoch):
        self.schedules, self.last_epoch = schedules, last_epoch

    def __getattr__(self, name):
        return partial(getattr(self.schedules, name), last_epoch=self.last_epoch)


@pytest.mark.parametrize("last_epoch", [0, 6, 29, 148])
@pytest.mark.parametrize("name", [n for n in (*SIMPLE, "restarts", "restarts growing") if "cycl" not in n])
def test_resumed_by_last_epoch(name, last_epoch):
    """A new schedule with last_epoch, over an optimiser whose groups know their initial rates."""
    pair = []
    for library, s in LIBRARIES:
        o = optimiser(library)
        for group in o.param_groups:
            group["initial_lr"] = group["lr"] * 2
        pair.append(CASES[name](Resumed(s, last_epoch), o))
    agree(*pair)
    advance(pair, 60)


@pytest.mark.parametrize(
    "name", ["step", "cosine up and down", "linear", "one cycle", "sequential", "chained", "restarts"]
)
def test_rates_that_are_tensors(name):
    made = []
    for library, s in LIBRARIES:
        lrs = [library.tensor(lr, dtype=library.float64) for lr in (0.1, 0.03)]
        o = optimiser(library, lrs=lrs)
        o.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.append((CASES[name](s, o), lrs))
    (mine, held), (other, _) = made
    for _ in range(100):
        for schedule in (mine, other):
            schedule.optimizer.step()
            schedule.step()
        agree(mine, other)
        assert mine.optimizer.param_groups[0]["lr"] is held[0]  # changed in place


PLATEAU = [
    {}, {"mode": "max", "patience": 3}, {"factor": 0.5, "patience": 0, "cooldown": 2}, {"threshold": 0.1, "patience": 1},
    {"threshold": 0.2, "threshold_mode": "abs", "patience": 2}, {"mode": "max", "threshold": 0.05, "threshold_mode": "abs"},
    {"min_lr": 0.02, "patience": 1}, {"min_lr": [0.05, 0.001], "patience": 1}, {"eps": 0.01, "patience": 1},
    {"mode": "max", "threshold_mode": "rel", "threshold": 0.1, "patience": 4, "cooldown": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", PLATEAU, ids=str)
def test_a_plateau(options):
    """A noisy metric that falls, stays and rises, as a number and as a Tensor; saved and loaded on the way."""
    pair = [s.ReduceLROnPlateau(optimiser(library), **options) for library, s in LIBRARIES]
    metrics = [math.exp(-i / 20) + 0.3 * math.sin(i * i) + (i / 100) ** 2 for i in range(STEPS)]
    for i, metric in enumerate(metrics):
        for schedule, (library, _) in zip(pair, LIBRARIES, strict=True):
            schedule.step(library.tensor([metric], dtype=library.float64) if i % 2 else metric)
        agree(*pair)
        for name in ("best", "num_bad_epochs", "cooldown_counter", "in_cooldown"):
            assert getattr(pair[0], name) == getattr(pair[1], name)
        if i == 90:
            saved = pair[1].state_dict()
            assert set(pair[0].state_dict()) == set(saved)
            fresh = ours.ReduceLROnPlateau(pair[0].optimizer, **options)
            fresh.load_state_dict(saved)
            pair[0] = fresh


def test_a_schedule_of_the_users_own():
    """Written for PyTorch: get_lr alone, with the closed form too, and with a step of its own."""
    for_library = []
    for library, s in LIBRARIES:

        class Warm(s.LRScheduler):
            def __init__(self, optimizer, warm, last_epoch=-1):
                self.warm = warm
                super().__init__(optimizer, last_epoch)

            def get_lr(self):
                if not self._get_lr_called_within_step:
                    warnings.warn("use get_last_lr()", stacklevel=2)
                return [base * min(1, (self.last_epoch + 1) / self.warm) for base in self.base_lrs]

        class Closed(s._LRScheduler):
            def get_lr(self):
                return [group["lr"] * 0.9 for group in self.optimizer.param_groups]

            def _get_closed_form_lr(self):
                return [base * 0.9**self.last_epoch for base in self.base_lrs]

        for_library.append([Warm(optimiser(library), 17), Closed(optimiser(library))])
    for pair in zip(*for_library, strict=True):
        advance(pair, 50)
        for schedule in pair:
            with pytest.warns(UserWarning, match="epoch parameter"):
                schedule.step(5)
        agree(*pair)
        fresh = copy.copy(pair[0])
        fresh.load_state_dict(pair[1].state_dict())
        advance((fresh, pair[1]), 10)


@pytest.mark.parametrize("name", CASES)
def test_a_warning_where_pytorch_warns(name):
    """step() before the optimiser's, get_lr() from outside, and none in the usual order."""

    def warned(f):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            f()
        return [(w.category, str(w.message)[:40]) for w in seen]

    found = []
    for library, s in LIBRARIES:
        o = optimiser(library)
        schedules = []
        seen = [warned(lambda s=s, o=o, made=schedules: made.append(CASES[name](s, o)))]
        schedule = schedules[0]
        seen.append(warned(schedule.step))
        seen.append(warned(schedule.step))
        if type(schedule).__name__ not in ("SequentialLR", "ChainedScheduler"):
            seen.append(warned(schedule.get_lr))
        other = optimiser(library)
        schedules.clear()
        warned(lambda s=s, o=other, made=schedules: made.append(CASES[name](s, o)))
        other.step()
        seen.append(warned(schedules[0].step))
        assert not seen[-1]
        late = optimiser(library)  # its steps before there was a schedule do not count
        late.step()
        warned(lambda s=s, o=late, made=schedules: made.append(CASES[name](s, o)))
        seen.append(warned(schedules[1].step))
        found.append(seen)
    assert found[0] == found[1]


BAD = {
    "no optimiser": lambda s, o: s.StepLR(3, 1),
    "no optimiser for plateau": lambda s, o: s.ReduceLROnPlateau(None),
    "no optimiser for one cycle": lambda s, o: s.OneCycleLR("o", 0.1, 10),
    "no initial_lr": lambda s, o: s.StepLR(o, 3, last_epoch=4),
    "factor": lambda s, o: s.ConstantLR(o, 1.5),
    "start_factor": lambda s, o: s.LinearLR(o, 0),
    "end_factor": lambda s, o: s.LinearLR(o, 0.5, 1.5),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda e: e]),
    "no function": lambda s, o: s.MultiplicativeLR(o, 0.9),
    "T_0": lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    "T_0 a float": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2.0),
    "T_mult": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0),
    "eta_min": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, eta_min="0"),
    "epoch": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2).step(-1),
    "no steps": lambda s, o: s.OneCycleLR(o, 0.1),
    "half of the steps": lambda s, o: s.OneCycleLR(o, 0.1, epochs=3),
    "total_steps": lambda s, o: s.OneCycleLR(o, 0.1, 0),
    "epochs": lambda s, o: s.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=3),
    "steps_per_epoch": lambda s, o: s.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=3.5),
    "pct_start": lambda s, o: s.OneCycleLR(o, 0.1, 10, pct_start=1.5),
    "pct_start an int": lambda s, o: s.OneCycleLR(o, 0.1, 10, pct_start=1),
    "anneal_strategy": lambda s, o: s.OneCycleLR(o, 0.1, 10, anneal_strategy="sin"),
    "max_lr": lambda s, o: s.OneCycleLR(o, [0.1], 10),
    "past the end": lambda s, o: [x.step() for x in [s.OneCycleLR(o, 0.1, 3)] for _ in range(5)],
    "mode": lambda s, o: s.CyclicLR(o, 0.1, 1, mode="square"),
    "base_lr": lambda s, o: s.CyclicLR(o, [0.1], 1),
    "base_momentum": lambda s, o: s.CyclicLR(o, 0.1, 1, base_momentum=[0.1]),
    "plateau factor": lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda s, o: s.ReduceLROnPlateau(o, "least"),
    "threshold_mode": lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="share"),
    "min_lr": lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    "metric": lambda s, o: s.ReduceLROnPlateau(o).step("good"),
    "no schedules": lambda s, o: s.SequentialLR(o, [], []),
    "none chained": lambda s, o: s.ChainedScheduler([]),
    "milestones": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [4]),
    "two optimisers": lambda s, o: s.ChainedScheduler([s.StepLR(o, 1), s.StepLR(copy.deepcopy(o), 1)]),
    "no schedule": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1), 5], [4]),
    "plateau in a sequence": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1), s.ReduceLROnPlateau(o)], [4]),
    "plateau in a chain": lambda s, o: s.ChainedScheduler([s.StepLR(o, 1), s.ReduceLROnPlateau(o)]),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", BAD)
def test_the_same_errors(name):
    errors = []
    for library, s in LIBRARIES:
        with pytest.raises(Exception) as error:  # noqa: PT011
            BAD[name](s, optimiser(library))
        errors.append(error.value)
    assert type(errors[0]) is type(errors[1]), errors
    assert len(str(errors[0])) > 20


def test_no_momentum_to_cycle():
    for library, s in LIBRARIES:
        o = library.optim.Adagrad([library.ones(1, requires_grad=True)])
        with pytest.raises(ValueError, match="optimizer must support momentum or beta1"):
            s.OneCycleLR(o, 0.1, 10)


def test_groups_added_to_an_optimiser_with_a_plateau():
    for library, s in LIBRARIES:
        o = optimiser(library)
        schedule, strict = s.ReduceLROnPlateau(o, patience=0), s.ReduceLROnPlateau(o, patience=0, min_lr=[0.0, 0.0])
        o.add_param_group({"params": [library.ones(1, requires_grad=True)], "lr": 1.0})
        schedule.step(1.0)
        schedule.step(2.0)
        assert o.param_groups[2]["lr"] == pytest.approx(0.1)
        strict.step(1.0)
        with pytest.raises(RuntimeError, match="number of param groups"):
            strict.step(2.0)
