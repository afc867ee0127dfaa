"""Checkpoints: a run that goes on from one ends with the bytes of a run that never stopped; all is restored, or nothing."""

import copy

import pytest

import engine
from engine import nn
from engine.serialization import FileFormatError
from engine.utils.data import DataLoader, TensorDataset

F = nn.functional


def same(a, b):
    """Nested data, equal to the last bit."""
    if isinstance(a, engine.Tensor):
        assert (
            a.dtype == b.dtype and a.shape == b.shape and a.detach().numpy().tobytes() == b.detach().numpy().tobytes()
        )
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4 * 36, 5)

    def forward(self, x):
        x = F.dropout(F.relu(self.bn(self.conv(x))), 0.3, self.training)
        return self.fc(x.flatten(1))


OPTIMISERS = {
    "sgd": lambda p: engine.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-4, nesterov=True),
    "plain sgd": lambda p: engine.optim.SGD(p, lr=0.05),
    "adam": lambda p: engine.optim.Adam(p, lr=1e-2),
    "adamw": lambda p: engine.optim.AdamW([{"params": p, "lr": 1e-2}], lr=1e-3, betas=(0.8, 0.99)),
}
for _name in ("RMSprop", "Adagrad", "Adadelta", "NAdam", "Lion"):
    if hasattr(engine.optim, _name):
        OPTIMISERS[_name] = lambda p, cls=getattr(engine.optim, _name): cls(p, lr=1e-3)

schedulers = engine.optim.lr_scheduler
SCHEDULERS = {
    "step": lambda o: schedulers.StepLR(o, 2, 0.5), "cosine": lambda o: schedulers.CosineAnnealingLR(o, 6),
    "multistep": lambda o: schedulers.MultiStepLR(o, [1, 3]), "exponential": lambda o: schedulers.ExponentialLR(o, 0.7),
    "warm restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 2),
    "one cycle": lambda o: schedulers.OneCycleLR(o, 0.1, total_steps=8), "linear": lambda o: schedulers.LinearLR(o, total_iters=3),
    "lambda": lambda o: schedulers.LambdaLR(o, lambda epoch: 0.9**epoch),
    "sequential": lambda o: schedulers.SequentialLR(
        o, [schedulers.LinearLR(o, total_iters=2), schedulers.ExponentialLR(o, 0.5)], milestones=[2]
    ),
}  # fmt: skip


def run(optimiser, scheduler):
    """(net, optimiser, scheduler, function that trains one epoch) from a fixed seed."""
    engine.manual_seed(3)
    images, labels = engine.rand(40, 1, 8, 8), engine.randint(0, 5, (40,))
    loader = DataLoader(TensorDataset(images, labels), batch_size=16, shuffle=True)
    net = Net()
    opt = OPTIMISERS[optimiser](list(net.parameters()))
    schedule = SCHEDULERS[scheduler](opt)

    def epoch():
        net.train()
        for x, y in loader:
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
        schedule.step()

    return net, opt, schedule, epoch


def state(net, opt, schedule):
    return {
        "net": net.state_dict(),
        "optimiser": opt.state_dict(),
        "schedule": schedule.state_dict(),
        "random": engine.get_rng_state(),
    }


CASES = [(o, "cosine") for o in OPTIMISERS] + [("sgd", s) for s in SCHEDULERS]


@pytest.mark.parametrize("optimiser, scheduler", CASES)
def test_going_on_is_the_same_as_never_stopping(tmp_path, optimiser, scheduler):
    net, opt, schedule, epoch = run(optimiser, scheduler)
    for _ in range(2):
        epoch()
    engine.save_checkpoint(tmp_path / "c", net, opt, schedule, epoch=2, best=[0.5, {"name": "ü"}])
    for _ in range(3):
        epoch()
    expected = copy.deepcopy(state(net, opt, schedule))

    net, opt, schedule, epoch = run(optimiser, scheduler)
    engine.manual_seed(99)
    epoch()  # another beginning, to be forgotten
    restored = engine.load_checkpoint(tmp_path / "c", net, opt, schedule)
    assert restored == {"epoch": 2, "best": [0.5, {"name": "ü"}]}
    for _ in range(3):
        epoch()
    same(state(net, opt, schedule), expected)


def test_a_generator_of_ones_own(tmp_path):
    generator = engine.Generator().manual_seed(5)
    engine.randn(3, generator=generator)
    before = engine.get_rng_state()
    engine.save_checkpoint(tmp_path / "c", generator=generator)
    expected = engine.randn(4, generator=generator).tolist()
    assert engine.load_checkpoint(tmp_path / "c", generator=generator) == {"epoch": None}
    assert engine.randn(4, generator=generator).tolist() == expected
    same(engine.get_rng_state(), before)


def test_parts_of_a_checkpoint(tmp_path):
    net, opt, schedule, epoch = run("sgd", "step")
    epoch()
    engine.save_checkpoint(tmp_path / "c", net, opt, schedule, epoch=1)
    other = run("sgd", "step")[0]
    assert engine.load_checkpoint(tmp_path / "c", model=other) == {"epoch": 1}
    same(other.state_dict(), net.state_dict())
    held = engine.load(tmp_path / "c")
    same(held["model"], net.state_dict())
    assert held["epoch"] == 1 and set(held) == {
        "format",
        "epoch",
        "model",
        "optimizer",
        "scheduler",
        "generator",
        "extra",
    }


# ---- all or nothing


def everything(tmp_path):
    net, opt, schedule, epoch = run("adam", "step")
    epoch()
    engine.save_checkpoint(tmp_path / "c", net, opt, schedule, epoch=1)
    net, opt, schedule, epoch = run("adam", "step")
    epoch()
    epoch()
    return net, opt, schedule, copy.deepcopy(state(net, opt, schedule))


def test_a_model_that_does_not_fit_changes_nothing(tmp_path):
    net, opt, schedule, before = everything(tmp_path)
    net.fc = nn.Linear(2, 2)
    before |= {"net": copy.deepcopy(net.state_dict()), "random": engine.get_rng_state()}
    with pytest.raises(RuntimeError, match="size mismatch for fc"):
        engine.load_checkpoint(tmp_path / "c", net, opt, schedule)
    same(state(net, opt, schedule), before)


def test_an_optimiser_that_does_not_fit_changes_nothing(tmp_path):
    net, _, schedule, _ = everything(tmp_path)
    opt = engine.optim.Adam([net.fc.weight])
    before = copy.deepcopy(state(net, opt, schedule))
    with pytest.raises(ValueError):
        engine.load_checkpoint(tmp_path / "c", net, opt, schedule)
    same(state(net, opt, schedule), before)


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt()])
def test_a_failure_at_the_end_changes_nothing(tmp_path, error):
    net, opt, schedule, before = everything(tmp_path)

    class Failing:
        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            if state:
                raise error

    with pytest.raises(type(error)):
        engine.load_checkpoint(tmp_path / "c", net, opt, Failing())
    same(state(net, opt, schedule), before)


def test_a_damaged_generator_changes_nothing(tmp_path):
    net, opt, schedule, before = everything(tmp_path)
    held = engine.load(tmp_path / "c")
    engine.save({**held, "generator": engine.zeros(3, dtype="uint8")}, tmp_path / "c")
    with pytest.raises(RuntimeError, match="16 bytes"):
        engine.load_checkpoint(tmp_path / "c", net, opt, schedule)
    same(state(net, opt, schedule), before)


def test_what_is_lacking_is_named_before_anything_is_touched(tmp_path):
    net, opt, schedule, before = everything(tmp_path)
    engine.save_checkpoint(tmp_path / "c", net)
    with pytest.raises(FileFormatError, match="holds no state of the optimizer, scheduler, but of: model"):
        engine.load_checkpoint(tmp_path / "c", net, opt, schedule)
    engine.save({"epoch": 1}, tmp_path / "c")
    with pytest.raises(FileFormatError, match=r"c: not a checkpoint of save_checkpoint\(\)"):
        engine.load_checkpoint(tmp_path / "c", net)
    engine.save(net.state_dict(), tmp_path / "c")
    with pytest.raises(FileFormatError, match="not a checkpoint"):
        engine.load_checkpoint(tmp_path / "c", net)
    (tmp_path / "c").write_bytes(b"junk")
    with pytest.raises(FileFormatError, match="not a file that load"):
        engine.load_checkpoint(tmp_path / "c", net)
    same(state(net, opt, schedule), before)


@pytest.mark.parametrize("lost", ["epoch", "extra", "generator"])
def test_a_checkpoint_that_lost_a_part_is_refused(tmp_path, lost):
    net, opt, schedule, before = everything(tmp_path)
    held = engine.load(tmp_path / "c")
    engine.save(
        {k: v for k, v in held.items() if k != lost} | ({"extra": 3} if lost == "extra" else {}), tmp_path / "c"
    )
    with pytest.raises(FileFormatError, match=f"the checkpoint lacks its {lost}"):
        engine.load_checkpoint(tmp_path / "c", net, opt, schedule)
    same(state(net, opt, schedule), before)


def test_extra_data_must_be_data(tmp_path):
    engine.save_checkpoint(tmp_path / "c", nn.Linear(1, 1), epoch=1)
    with pytest.raises(TypeError, match=r"obj\['extra'\]\['net'\] is of type Linear"):
        engine.save_checkpoint(tmp_path / "c", nn.Linear(1, 1), epoch=2, net=nn.Linear(1, 1))
    assert engine.load_checkpoint(tmp_path / "c") == {"epoch": 1}
