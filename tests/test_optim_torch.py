"""Optimisers beside PyTorch's: paths of 100 steps, states carried over both ways, texts and refusals."""

import inspect

import numpy as np
import pytest
from updates import CASES, OPTIONS, STEPS, advance, case_id, gradients, make, rounding

import engine
from engine import optim

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")

NAMES = sorted(OPTIONS)
FIRST = [next(case for case in CASES if case[0] == name) for name in NAMES]
GRIDS = dict(argnames="name, options", argvalues=CASES, ids=[case_id(c) for c in CASES])


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# ---- paths


@pytest.mark.parametrize("backend", engine.available_backends())
@pytest.mark.parametrize(**GRIDS)
def test_100_steps_with_the_same_gradients_in_float32(name, options, backend):
    with engine.use_backend(backend):
        params = make(engine)
        ours = advance(engine, getattr(optim, name)(params, **options), params, range(1, STEPS + 1))
    params = make(torch)
    theirs = advance(torch, getattr(torch.optim, name)(params, **options), params, range(1, STEPS + 1))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a[-1], b[-1], rtol=0, atol=rounding(b))


@pytest.mark.parametrize(**GRIDS)
def test_100_steps_with_the_same_gradients_in_float64(name, options):
    params = make(engine, "float64")
    ours = advance(engine, getattr(optim, name)(params, **options), params, range(1, STEPS + 1))
    params = make(torch, "float64")
    theirs = advance(torch, getattr(torch.optim, name)(params, **options), params, range(1, STEPS + 1))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def problem(library, dtype):
    """A small convolutional net with a smooth loss, its weights and its data the same in both libraries."""
    nn = library.nn
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3)
    )
    rng = np.random.default_rng(7)
    for p in net.parameters():
        p.data = library.tensor(0.3 * rng.standard_normal(tuple(p.shape)), dtype=getattr(library, dtype))
    data = library.tensor(rng.standard_normal((12, 2, 6, 6)), dtype=getattr(library, dtype))
    return net, data, library.tensor(rng.integers(0, 3, 12))


def train(library, name, options, dtype, jolt=0.0):
    """All weights after STEPS steps down the net's own gradients, and the losses on the way.

    `jolt`: by how much, relative to themselves, the weights are moved before the first step.
    """
    net, data, labels = problem(library, dtype)
    for i, p in enumerate(net.parameters()):
        p.data = p.data * library.tensor(
            1 + jolt * np.random.default_rng(i).choice([-1, 1], tuple(p.shape)), dtype=p.dtype
        )
    optimiser = getattr(library.optim, name)(net.parameters(), **options)
    losses = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = library.nn.functional.cross_entropy(net(data), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return np.concatenate([p.detach().numpy().ravel() for p in net.parameters()]), np.array(losses)


# A quarter of the rate, and no memory as short as betas=(0.3, 0.9): else some paths are chaotic, and PyTorch's own
# float32 leaves its float64 by 0.1. Not up the loss either, where there is no end.
NET = [
    (name, {**o, "lr": OPTIONS[name][0] / 4})
    for name, o in CASES
    if not o.get("maximize") and o.get("betas") != (0.3, 0.9)
]


@pytest.mark.parametrize("name, options", NET, ids=[case_id(c) for c in NET])
def test_100_steps_of_a_net(name, options):
    """In float64 the paths are one. In float32 ours leaves that one no further than PyTorch's does.

    Gradients then differ by roundings, and a path magnifies them. How much is seen from PyTorch's float32: as it is,
    and with the first weights moved by a rounding or two.
    """
    exact, losses = train(torch, name, options, "float64")
    ours, our_losses = train(engine, name, options, "float64")
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-10)
    np.testing.assert_allclose(our_losses, losses, rtol=0, atol=1e-10)
    eps = float(np.finfo("float32").eps)
    strays = [np.abs(train(torch, name, options, "float32", jolt)[0] - exact).max() for jolt in (0, eps, -eps)]
    assert np.abs(train(engine, name, options, "float32")[0] - exact).max() <= 4 * max(strays)


@pytest.mark.parametrize("name, options", FIRST, ids=NAMES)
def test_gradients_that_come_and_go(name, options):
    """Parameters without a gradient are skipped, and count their own steps; rates change on the way."""
    ends = []
    for library in (engine, torch):
        params = make(library, "float64")
        optimiser = getattr(library.optim, name)(params, **options)
        for i in range(1, 40):
            optimiser.zero_grad()
            for j, (p, g) in enumerate(zip(params, gradients(i), strict=True)):
                if i % (j + 2):
                    p.grad = library.tensor(g, dtype=p.dtype)
            optimiser.param_groups[0]["lr"] *= 0.98
            optimiser.step()
        ends.append([p.detach().numpy() for p in params])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


# ---- states


def carried(state_dict, library):
    """A state dict with its tensors made anew in another library."""

    def carry(value):
        return library.tensor(value.detach().numpy()) if hasattr(value, "detach") else value

    state = {i: {k: carry(v) for k, v in s.items()} for i, s in state_dict["state"].items()}
    return {"state": state, "param_groups": state_dict["param_groups"]}


@pytest.mark.parametrize(**GRIDS)
def test_states_carry_over_both_ways(name, options):
    """The same names, shapes, dtypes and values; and either goes on from the other's."""
    pairs = []
    for library in (engine, torch):
        params = make(library, "float64")
        optimiser = getattr(library.optim, name)(params, **options)
        advance(library, optimiser, params, range(1, 20))
        pairs.append((params, optimiser))
    ours, theirs = (optimiser.state_dict() for _, optimiser in pairs)
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for i, state in theirs["state"].items():
        assert ours["state"][i].keys() == state.keys()
        for key, value in state.items():
            mine = ours["state"][i][key]
            assert (str(mine.dtype), mine.shape) == (str(value.dtype).removeprefix("torch."), tuple(value.shape)), key
            np.testing.assert_allclose(mine.numpy(), value.numpy(), rtol=1e-12)
    for params, library, saved in (
        (pairs[0][0], engine, carried(theirs, engine)), (pairs[1][0], torch, carried(ours, torch)),
    ):  # fmt: skip
        fresh = getattr(library.optim, name)(params, lr=7.0)
        fresh.load_state_dict(saved)
        advance(library, fresh, params, range(20, 40))
    for a, b in zip(pairs[0][0], pairs[1][0], strict=True):
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=0, atol=1e-7 if name == "NAdam" else 1e-12
        )


@pytest.mark.parametrize(**GRIDS)
def test_repr(name, options):
    texts = [repr(getattr(library.optim, name)(make(library), **options)) for library in (engine, torch)]
    assert texts[0] == texts[1]


# ---- arguments


@pytest.mark.parametrize("name", NAMES)
def test_the_arguments_are_those_of_pytorch(name):
    ours, theirs = (
        [(p.name, p.kind, p.default) for p in inspect.signature(getattr(library.optim, name)).parameters.values()]
        for library in (engine, torch)
    )
    assert ours == theirs


def test_all_but_the_rare_are_there():
    rare = {
        "ASGD",
        "Adafactor",
        "LBFGS",
        "Muon",
        "Rprop",
        "SparseAdam",
        "swap_in_optimizer_params_and_state",
        "swa_utils",
    }
    assert set(torch.optim.__all__) - set(optim.__all__) == rare


BAD = {
    **{f"lr of {name}": lambda o, p, name=name: getattr(o, name)(p, lr=-0.1) for name in NAMES},
    **{f"weight_decay of {name}": lambda o, p, name=name: getattr(o, name)(p, weight_decay=-0.1) for name in NAMES},
    **{f"beta of {name}": lambda o, p, name=name: getattr(o, name)(p, betas=(0.9, 1.0))
       for name in ("Adam", "AdamW", "NAdam", "RAdam", "Adamax")},
    **{f"eps of {name}": lambda o, p, name=name: getattr(o, name)(p, eps=-1.0) for name in NAMES if name != "SGD"},
    "momentum": lambda o, p: o.SGD(p, momentum=-1),
    "nesterov": lambda o, p: o.SGD(p, nesterov=True),
    "integer betas": lambda o, p: o.Adam(p, betas=(0, 0.99)),
    "momentum_decay": lambda o, p: o.NAdam(p, momentum_decay=-1),
    "alpha": lambda o, p: o.RMSprop(p, alpha=-1),
    "rho": lambda o, p: o.Adadelta(p, rho=1.1),
    "lr_decay": lambda o, p: o.Adagrad(p, lr_decay=-1),
    "initial_accumulator_value": lambda o, p: o.Adagrad(p, initial_accumulator_value=-1),
    "no parameters": lambda o, p: o.Adam([]),
    "a tensor": lambda o, p: o.Adam(p[0]),
    "a number": lambda o, p: o.Adam([1.0]),
    "None": lambda o, p: o.Adam(None),
    "a set": lambda o, p: o.Adam([{"params": set(p)}]),
    "a computed tensor": lambda o, p: o.Adam([p[0] * 2]),
    "two groups": lambda o, p: o.Adam([{"params": p}, {"params": p[:1]}]),
    "no dict": lambda o, p: o.Adam(p).add_param_group(p),
    "no params": lambda o, p: o.Adam([{"lr": 1.0}]),
    "half named": lambda o, p: o.Adam([("a", p[0]), p[1]]),
    "a group without names": lambda o, p: o.Adam([("a", p[0])]).add_param_group({"params": p[1]}),
    "fused and foreach": lambda o, p: o.SGD(p, fused=True, foreach=True),
    "an unknown option": lambda o, p: o.SGD(p, lr=0.1, mommentum=0.9),
    "groups": lambda o, p: o.SGD(p).load_state_dict(o.SGD([{"params": q} for q in p]).state_dict()),
    "sizes": lambda o, p: o.SGD(p).load_state_dict(o.SGD(p[:2]).state_dict()),
    "no groups": lambda o, p: o.SGD(p).load_state_dict({"state": {}}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_the_same_errors(name):
    errors = []
    for library in (engine, torch):
        with pytest.raises(Exception) as error:  # noqa: PT011
            BAD[name](library.optim, make(library))
        errors.append(error.value)
    assert type(errors[0]) is type(errors[1]), errors
    if isinstance(errors[0], ValueError):
        assert str(errors[0])[:20] == str(errors[1])[:20]


def test_hooks_and_a_users_own_optimiser():
    """A class written once over either library's Optimizer gives the same path and the same calls of hooks."""
    ends, calls = [], []
    for library in (engine, torch):

        class Sign(library.optim.Optimizer):
            def __init__(self, params, lr=0.1, library=library):
                self.library = library
                super().__init__(params, dict(lr=lr, beta=0.9))

            def step(self, closure=None):
                loss = None if closure is None else closure()
                with self.library.no_grad():
                    for group in self.param_groups:
                        for p in group["params"]:
                            mean = self.state[p].setdefault("mean", self.library.zeros_like(p))
                            mean.mul_(group["beta"]).add_(p.grad * (1 - group["beta"]))
                            p.sub_(mean * group["lr"])
                return loss

        params, seen = make(library, "float64"), []
        optimiser = Sign(params)
        handle = optimiser.register_step_pre_hook(lambda o, args, kwargs, seen=seen: seen.append((len(args), kwargs)))
        optimiser.register_step_post_hook(lambda o, args, kwargs, seen=seen: seen.append(type(o).__name__))
        schedule = library.optim.lr_scheduler.ExponentialLR(optimiser, 0.9)
        for i in range(1, 20):
            for p, g in zip(params, gradients(i), strict=True):
                p.grad = library.tensor(g, dtype=p.dtype)
            optimiser.step()
            schedule.step()
            if i == 10:
                handle.remove()
        ends.append([p.detach().numpy() for p in params])
        calls.append(seen)
    assert calls[0] == calls[1]
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
