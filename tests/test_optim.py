"""Optimisers and schedules: 100 steps against recurrences written out in float64, and against PyTorch where it is installed."""

import math
import re

import numpy as np
import pytest

import engine
from engine import nn, optim
from engine.optim.lr_scheduler import StepLR

SGD_OPTIONS = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.3}, {"momentum": 0.8, "nesterov": True}, {"weight_decay": 0.05},
    {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True}, {"maximize": True}, {"momentum": 0.5, "dampening": 0.1,
    "weight_decay": 0.02, "maximize": True},
]  # fmt: skip
ADAM_OPTIONS = [
    {}, {"betas": (0.8, 0.95)}, {"eps": 1e-3}, {"weight_decay": 0.05}, {"maximize": True},
    {"lr": 0.05, "betas": (0.5, 0.9), "weight_decay": 0.01},
]  # fmt: skip
CASES = [("SGD", {"lr": 0.05, **o}) for o in SGD_OPTIONS] + [
    (name, {"lr": 0.01, **o}) for name in ("Adam", "AdamW") for o in ADAM_OPTIONS
]
IDS = [f"{name}-{'-'.join(k for k in o if k != 'lr')}" for name, o in CASES]
STEPS = 100


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def start():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype("float32") for shape in ((5, 3), (7,), (), (0, 2))]


def gradients(i):
    """Gradients of step i, the same whatever the parameters are: then no difference can grow."""
    rng = np.random.default_rng(100 + i)
    return [rng.standard_normal(p.shape).astype("float32") + np.float32(0.3) for p in start()]


def written_out(name, options):
    """The parameters after STEPS steps, in float64, by the formulas of the papers as PyTorch states them."""
    params = [p.astype("float64") for p in start()]
    lr, sign = options["lr"], -1 if options.get("maximize") else 1
    decay = options.get("weight_decay", 0.01 if name == "AdamW" else 0)
    momentum, dampening = options.get("momentum", 0), options.get("dampening", 0)
    (b1, b2), eps = options.get("betas", (0.9, 0.999)), options.get("eps", 1e-8)
    first, second = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    for t in range(1, STEPS + 1):
        for i, g in enumerate(gradients(t)):
            g = sign * g.astype("float64")
            if name == "AdamW":
                params[i] = params[i] * (1 - lr * decay)
            else:
                g = g + decay * params[i]
            if name == "SGD":
                if momentum:
                    first[i] = g if t == 1 else momentum * first[i] + (1 - dampening) * g
                    g = g + momentum * first[i] if options.get("nesterov") else first[i]
                params[i] = params[i] - lr * g
                continue
            first[i] = b1 * first[i] + (1 - b1) * g
            second[i] = b2 * second[i] + (1 - b2) * g * g
            mean, square = first[i] / (1 - b1**t), second[i] / (1 - b2**t)
            params[i] = params[i] - lr * mean / (np.sqrt(square) + eps)
    return params


def make(dtype="float32"):
    return [engine.tensor(p, dtype=dtype, requires_grad=True) for p in start()]


def advance(optimiser, params, steps):
    for i in steps:
        for p, g in zip(params, gradients(i), strict=True):
            p.grad = engine.tensor(g, dtype=p.dtype)
        optimiser.step()


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_100_steps_against_the_formulas(name, options, dtype, tolerance):
    params = make(dtype)
    advance(getattr(optim, name)(params, **options), params, range(1, STEPS + 1))
    for p, expected in zip(params, written_out(name, options), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_100_steps_against_pytorch(name, options):
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
    params = make()
    advance(getattr(optim, name)(params, **options), params, range(1, STEPS + 1))
    theirs = [torch.from_numpy(p).requires_grad_() for p in start()]
    optimiser = getattr(torch.optim, name)(theirs, **options)
    for i in range(1, STEPS + 1):
        for p, g in zip(theirs, gradients(i), strict=True):
            p.grad = torch.from_numpy(np.asarray(g))
        optimiser.step()
    for p, q in zip(params, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=2e-5, atol=2e-5)


def test_the_defaults_are_those_of_pytorch():
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
    for name in ("SGD", "Adam", "AdamW"):
        ours = getattr(optim, name)([engine.ones(1, requires_grad=True)]).param_groups[0]
        theirs = getattr(torch.optim, name)([torch.ones(1, requires_grad=True)]).param_groups[0]
        assert {k: theirs[k] for k in ours if k != "params"} == {k: v for k, v in ours.items() if k != "params"}


# ---- groups and state


def test_groups_have_options_of_their_own():
    a, b, c = make()[0], make()[0], make()[0]
    optimiser = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.5)
    optimiser.add_param_group({"params": [c], "momentum": 0.9})
    for p in (a, b, c):
        p.grad = engine.ones(5, 3)
    optimiser.step()
    optimiser.step()
    w = start()[0]
    for p, moved in ((a, 1.0), (b, 2.0), (c, 0.5 * (1 + 1.9))):
        np.testing.assert_allclose(p.detach().numpy(), w - np.float32(moved), rtol=1e-5, atol=1e-6)
    schedule = StepLR(optimiser, 1, 0.1)
    schedule.step()
    assert [g["lr"] for g in optimiser.param_groups] == [pytest.approx(v) for v in (0.05, 0.1, 0.05)]


def test_parameters_without_gradients_are_left_alone():
    for name in ("SGD", "Adam", "AdamW"):
        a, b = engine.ones(2, requires_grad=True), engine.ones(2, requires_grad=True)
        optimiser = getattr(optim, name)([a, b], lr=0.1, weight_decay=0.5)
        a.grad = engine.ones(2)
        optimiser.step()
        assert b.tolist() == [1.0, 1.0] and a.tolist() != [1.0, 1.0]
        optimiser.zero_grad()
        assert a.grad is None
        b.grad = engine.ones(2)
        optimiser.step()  # b's first step while a is at its second
        assert b.tolist() == a.tolist()


@pytest.mark.parametrize("name, options", CASES[1::3], ids=IDS[1::3])
def test_training_resumes_from_a_state_dict(name, options):
    params = make()
    optimiser = getattr(optim, name)(params, **options)
    advance(optimiser, params, range(1, 30))
    copies = [engine.tensor(p.detach(), requires_grad=True) for p in params]
    resumed = getattr(optim, name)(copies, lr=77.0)
    resumed.load_state_dict(optimiser.state_dict())
    advance(optimiser, params, range(30, 60))
    advance(resumed, copies, range(30, 60))
    assert [p.tolist() for p in params] == [p.tolist() for p in copies]
    with pytest.raises(ValueError, match="group 0 has 4 parameters, expected 2"):
        getattr(optim, name)(copies[:2], lr=1.0).load_state_dict(optimiser.state_dict())


def test_a_closure_recomputes_the_loss():
    x = engine.tensor([3.0], requires_grad=True)
    optimiser = optim.SGD([x], lr=0.1)

    def closure():
        optimiser.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with engine.no_grad():
        assert optimiser.step(closure).item() == 9.0
    assert x.item() == pytest.approx(2.4)


def test_parameters_keep_their_memory():
    layer = nn.Linear(3, 2)
    array = layer.weight.detach().numpy()
    before = array.copy()
    layer(engine.ones(1, 3)).sum().backward()
    optim.Adam(layer.parameters(), lr=0.1).step()
    np.testing.assert_allclose(array, before - 0.1, rtol=1e-4)


@pytest.mark.parametrize("make_optimiser, error, message", [
    (lambda p: optim.SGD(p, lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda p: optim.SGD(p, lr=math.nan), ValueError, "Invalid learning rate"),
    (lambda p: optim.SGD(p, lr=1, momentum=-0.5), ValueError, "Invalid momentum value"),
    (lambda p: optim.SGD(p, lr=1, nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
    (lambda p: optim.Adam(p, betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0"),
    (lambda p: optim.Adam(p, eps=-1), ValueError, "Invalid epsilon value"),
    (lambda p: optim.AdamW(p, weight_decay=-1), ValueError, "Invalid weight_decay value"),
    (lambda p: optim.SGD([], lr=1), ValueError, "empty parameter list"),
    (lambda p: optim.SGD(p[0], lr=1), TypeError, "iterable of Tensors"),
    (lambda p: optim.SGD([1.0], lr=1), TypeError, "can only optimize Tensors"),
    (lambda p: optim.SGD([p[0] * 2], lr=1), ValueError, "can't optimize a non-leaf Tensor"),
    (lambda p: optim.SGD([p[0], p[0]], lr=1), ValueError, "more than one"),
])  # fmt: skip
def test_wrong_arguments(make_optimiser, error, message):
    with pytest.raises(error, match=message):
        make_optimiser(make())


@pytest.mark.parametrize("shape", [(3, 2), (6,), (1,), (2, 1), ()])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_a_gradient_of_another_shape_is_refused(name, shape):
    p = nn.Parameter(engine.zeros(2, 3))
    p.grad = engine.ones(shape)
    with pytest.raises(
        ValueError, match=rf"a parameter of shape \(2, 3\) has a gradient of shape {re.escape(str(shape))}"
    ):
        getattr(optim, name)([p], lr=0.1).step()
    assert not p.detach().numpy().any()


def test_repr_lists_the_groups():
    text = repr(optim.SGD([engine.ones(1, requires_grad=True)], lr=0.1))
    assert text.startswith(
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None"
    ) and text.endswith("\n    weight_decay: 0\n)")
