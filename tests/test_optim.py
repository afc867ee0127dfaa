"""Optimisers: 100 steps of every option against the formulas written out in float64; groups, hooks, refusals."""

import math
import re

import numpy as np
import pytest
from updates import ALL, FIRST, NAMES, STEPS, advance, case_id, gradients, make, rounding, start

import engine
from engine import nn, optim


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def adam_family(name, p, g, s, t, o):
    """Adam, AdamW, NAdam, RAdam, Adamax: one step in the words of their papers."""
    lr, (b1, b2), eps = o["lr"], o.get("betas", (0.9, 0.999)), o.get("eps", 1e-8)
    decay = o.get("weight_decay", 0.01 if name == "AdamW" else 0)
    if name == "AdamW" or o.get("decoupled_weight_decay"):
        p = p - lr * decay * p
    else:
        g = g + decay * p
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    if name == "Adamax":
        s["u"] = np.maximum(b2 * s.get("u", 0), np.abs(g) + eps)
        return p - lr / (1 - b1**t) * s["m"] / s["u"]
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    s["top"] = np.maximum(s.get("top", 0), s["v"])
    mean, square = s["m"] / (1 - b1**t), (s["top"] if o.get("amsgrad") else s["v"]) / (1 - b2**t)
    if name == "NAdam":
        mu, after = (b1 * (1 - 0.96 ** (i * o.get("momentum_decay", 0.004)) / 2) for i in (t, t + 1))
        s["product"] = np.float32(np.float32(s.get("product", 1)) * np.float32(mu))  # kept in float32, as PyTorch does
        product = float(s["product"])
        mean = after * s["m"] / (1 - product * after) + (1 - mu) * g / (1 - product)
    if name == "RAdam":
        rho = 2 / (1 - b2) - 1
        rho_t = rho - 2 * t * b2**t / (1 - b2**t)
        if rho_t <= 5:
            return p - lr * mean
        r = math.sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t))
        return p - lr * mean * r * math.sqrt(1 - b2**t) / (np.sqrt(s["v"]) + eps)
    return p - lr * mean / (np.sqrt(square) + eps)


def other(name, p, g, s, t, o):
    """SGD, RMSprop, Adagrad, Adadelta, Lion: one step in the words of their papers."""
    lr, decay, momentum = o["lr"], o.get("weight_decay", 0), o.get("momentum", 0)
    if name == "Lion":
        b1, b2 = o.get("betas", (0.9, 0.99))
        update = np.sign(b1 * s.get("m", 0) + (1 - b1) * g)
        s["m"] = b2 * s.get("m", 0) + (1 - b2) * g
        return p - lr * (update + decay * p)
    g = g + decay * p
    if name == "SGD":
        if momentum:
            s["b"] = g if t == 1 else momentum * s["b"] + (1 - o.get("dampening", 0)) * g
            g = g + momentum * s["b"] if o.get("nesterov") else s["b"]
        return p - lr * g
    if name == "RMSprop":
        alpha = o.get("alpha", 0.99)
        s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g**2
        s["m"] = alpha * s.get("m", 0) + (1 - alpha) * g
        spread = s["v"] - s["m"] ** 2 if o.get("centered") else s["v"]
        s["b"] = momentum * s.get("b", 0) + g / (np.sqrt(spread) + o.get("eps", 1e-8))
        return p - lr * s["b"]
    if name == "Adagrad":
        s["sum"] = s.get("sum", o.get("initial_accumulator_value", 0)) + g**2
        return p - lr / (1 + (t - 1) * o.get("lr_decay", 0)) * g / (np.sqrt(s["sum"]) + o.get("eps", 1e-10))
    rho, eps = o.get("rho", 0.9), o.get("eps", 1e-6)
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g**2
    move = np.sqrt(s.get("x", 0) + eps) / np.sqrt(s["v"] + eps) * g
    s["x"] = rho * s.get("x", 0) + (1 - rho) * move**2
    return p - lr * move


def written_out(name, options):
    """The path of every parameter through STEPS steps, in float64."""
    one = adam_family if name in ("Adam", "AdamW", "NAdam", "RAdam", "Adamax") else other
    sign = -1 if options.get("maximize") else 1
    paths = []
    for i, p in enumerate(start()):
        state, path = {}, [p.astype("float64")]
        for t in range(1, STEPS + 1):
            path.append(one(name, path[-1], sign * gradients(t)[i].astype("float64"), state, t, options))
        paths.append(path)
    return paths


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", ALL, ids=map(case_id, ALL))
def test_100_steps_against_the_formulas(name, options, dtype):
    params = make(engine, dtype)
    advance(engine, getattr(optim, name)(params, **options), params, range(1, STEPS + 1))
    for p, path in zip(params, written_out(name, options), strict=True):
        tolerance = rounding(path) if dtype == "float32" else 1e-12
        np.testing.assert_allclose(p.detach().numpy(), path[-1], rtol=0, atol=tolerance)


# ---- groups


def test_groups_have_options_of_their_own():
    a, b, c = make(engine)[0], make(engine)[0], make(engine)[0]
    mine = {"params": b, "lr": 1.0}
    optimiser = optim.SGD([{"params": [a]}, mine], lr=0.5)
    optimiser.add_param_group({"params": [c], "momentum": 0.9})
    assert optimiser.param_groups[1] is mine and mine["params"] == [b] and mine["momentum"] == 0
    for p in (a, b, c):
        p.grad = engine.ones(5, 3)
    optimiser.step()
    optimiser.step()
    w = start()[0]
    for p, moved in ((a, 1.0), (b, 2.0), (c, 0.5 * (1 + 1.9))):
        np.testing.assert_allclose(p.detach().numpy(), w - np.float32(moved), rtol=1e-5, atol=1e-6)
    schedule = optim.lr_scheduler.StepLR(optimiser, 1, 0.1)
    optimiser.step()
    schedule.step()
    assert [g["lr"] for g in optimiser.param_groups] == [pytest.approx(v) for v in (0.05, 0.1, 0.05)]


def test_names_are_kept_with_the_parameters():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    optimiser = optim.Adam(net.named_parameters(), lr=0.1)
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert optimiser.param_groups[0]["param_names"] == names == optimiser.state_dict()["param_groups"][0]["param_names"]
    assert [id(p) for p in optimiser.param_groups[0]["params"]] == [id(p) for p in net.parameters()]
    net(engine.ones(1, 2)).sum().backward()
    optimiser.step()
    plain = optim.Adam(net.parameters())
    plain.load_state_dict(optimiser.state_dict())
    assert plain.param_groups[0]["param_names"] == names
    optimiser.load_state_dict(optim.Adam(net.parameters()).state_dict())  # one without names
    assert optimiser.param_groups[0]["param_names"] == names
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("w", engine.ones(1, requires_grad=True)), engine.ones(1, requires_grad=True)])
    with pytest.raises(ValueError, match="Cannot add param group without names"):
        optimiser.add_param_group({"params": [engine.ones(1, requires_grad=True)]})


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_gradients_are_left_alone(name):
    a, b = engine.ones(2, requires_grad=True), engine.ones(2, requires_grad=True)
    optimiser = getattr(optim, name)([a, b, engine.arange(3)], lr=0.1, weight_decay=0.5)
    a.grad = engine.ones(2)
    optimiser.step()
    assert b.tolist() == [1.0, 1.0] and a.tolist() != [1.0, 1.0]
    optimiser.zero_grad()
    assert a.grad is None
    b.grad = engine.ones(2)
    optimiser.step()  # b's first step while a had its own
    assert b.tolist() == a.tolist()
    a.grad = engine.ones(2)
    optimiser.step()  # a's second and b's
    assert b.tolist() == a.tolist() != [1.0, 1.0]


@pytest.mark.parametrize("name, options", FIRST, ids=NAMES)
def test_parameters_of_two_dtypes(name, options):
    """Each goes its own way, bit for bit, whatever else is in the group."""
    single, double = make(engine, "float32"), make(engine, "float64")
    both = [p for pair in zip(make(engine, "float32"), make(engine, "float64"), strict=True) for p in pair]
    for params in (single, double):
        advance(engine, getattr(optim, name)(params, **options), params, range(1, 8))
    optimiser = getattr(optim, name)(both, **options)
    for i in range(1, 8):
        for p, g in zip(both, (g for g in gradients(i) for _ in range(2)), strict=True):
            p.grad = engine.tensor(g, dtype=p.dtype)
        optimiser.step()
    assert [p.tolist() for p in both[::2]] == [p.tolist() for p in single]
    assert [p.tolist() for p in both[1::2]] == [p.tolist() for p in double]


@pytest.mark.parametrize("name, options", FIRST, ids=NAMES)
def test_a_rate_that_is_a_tensor(name, options):
    a, b = make(engine), make(engine)
    lr = engine.tensor(options["lr"], dtype="float64")
    advance(engine, getattr(optim, name)(a, **{**options, "lr": lr}), a, range(1, 6))
    advance(engine, getattr(optim, name)(b, **options), b, range(1, 6))
    assert [p.tolist() for p in a] == [p.tolist() for p in b]
    with pytest.raises(ValueError, match=r"Tensor learning rate must be 1-element, got shape \(2,\)"):
        getattr(optim, name)(a, lr=engine.ones(2))


def test_memory_that_is_not_contiguous():
    whole, plain = engine.ones(4, 6), engine.ones(6, 4, requires_grad=True)
    turned = whole.t().requires_grad_()
    for p in (turned, plain):
        p.grad = engine.arange(24.0).reshape(6, 4)
        optim.Adam([p], lr=0.1).step()
    np.testing.assert_allclose(turned.detach().numpy(), plain.detach().numpy(), rtol=1e-6)
    assert whole.t().tolist() == turned.tolist()


# ---- steps


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


def test_gradients_set_to_zero():
    x = engine.tensor([3.0], requires_grad=True)
    x.grad = engine.ones(1)
    held = x.grad
    optim.SGD([x]).zero_grad(set_to_none=False)
    assert x.grad is held and held.tolist() == [0]


def test_hooks_around_a_step():
    x = engine.tensor([1.0], requires_grad=True)
    x.grad = engine.ones(1)
    optimiser, seen = optim.SGD([x], lr=1.0), []
    before = optimiser.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", o is optimiser, x.item())))
    optimiser.register_step_post_hook(lambda o, args, kwargs: seen.append(("post", args, kwargs, x.item())))
    optimiser.step()
    before.remove()
    optimiser.step(None)
    assert seen == [("pre", True, 1.0), ("post", (optimiser,), {}, 0.0), ("post", (optimiser, None), {}, -1.0)]
    optimiser.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), {}))
    assert optimiser.step() == 7
    optimiser.register_step_pre_hook(lambda o, args, kwargs: 1)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        optimiser.step()


class Halving(optim.Optimizer):
    """A user's optimiser, as written for PyTorch: a step of its own over groups and state."""

    def __init__(self, params, lr=optim.optimizer.required, shrink=0.5):
        super().__init__(params, {"lr": lr, "shrink": shrink})

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("shrink", 0.5)

    @engine.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["step"], state["mean"] = 0, engine.zeros_like(p)
                state["step"] += 1
                state["mean"].mul_(group["shrink"]).add_(p.grad.data)
                p.data.add_(state["mean"] * -group["lr"])


def test_an_optimiser_of_the_users_own():
    params = make(engine)
    optimiser = Halving(params, lr=0.1)
    steps = []
    optimiser.register_step_post_hook(lambda *_: steps.append(1))
    advance(engine, optimiser, params, range(1, 11))
    assert len(steps) == 10
    for i, p in enumerate(start()):
        p, mean = p.astype("float64"), 0
        for t in range(1, 11):
            mean = 0.5 * mean + gradients(t)[i]
            p = p - 0.1 * mean
        np.testing.assert_allclose(params[i].detach().numpy(), p, rtol=1e-5, atol=1e-6)
    other = Halving(make(engine), lr=1.0)
    other.load_state_dict(optimiser.state_dict())
    assert other.state[other.param_groups[0]["params"][0]]["step"] == 10  # a number stays what it was
    with pytest.raises(ValueError, match="didn't specify a value of required optimization parameter lr"):
        Halving(make(engine))
    with pytest.raises(NotImplementedError, match="defines neither step"):
        optim.Optimizer([params[0]], {}).step()


@pytest.mark.parametrize("name, options", FIRST, ids=NAMES)
def test_parameters_keep_their_memory(name, options):
    layer = nn.Linear(3, 2)
    array = layer.weight.detach().numpy()
    before = array.copy()
    layer(engine.ones(1, 3)).sum().backward()
    getattr(optim, name)(layer.parameters(), **options).step()
    assert (array < before).all() and layer.weight.detach().numpy() is array


def test_a_division_by_zero_is_not_a_warning():
    for name, options in (
        ("Adagrad", {"eps": 0}),
        ("RMSprop", {"eps": 0}),
        ("Adam", {"eps": 0}),
        ("Adamax", {"eps": 0}),
    ):
        p = engine.ones(2, dtype="float64", requires_grad=True)
        p.grad = engine.zeros(2, dtype="float64")
        getattr(optim, name)([p], **options).step()
        assert all(math.isnan(v) for v in p.tolist())


# ---- refusals


@pytest.mark.parametrize("make_optimiser, error, message", [
    (lambda p: optim.SGD(p, lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda p: optim.SGD(p, lr=math.nan), ValueError, "Invalid learning rate"),
    (lambda p: optim.SGD(p, lr=1, momentum=-0.5), ValueError, "Invalid momentum value: -0.5"),
    (lambda p: optim.SGD(p, lr=1, nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
    (lambda p: optim.Adam(p, betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0: 1.0"),
    (lambda p: optim.Adam(p, betas=(0, 0.9)), ValueError, r"betas must be either both floats or both Tensors, got \(0, 0.9\)"),
    (lambda p: optim.Adam(p, eps=-1), ValueError, "Invalid epsilon value: -1"),
    (lambda p: optim.AdamW(p, weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
    (lambda p: optim.Adadelta(p, rho=1.5), ValueError, "Invalid rho value: 1.5"),
    (lambda p: optim.RMSprop(p, alpha=-1), ValueError, "Invalid alpha value: -1"),
    (lambda p: optim.Lion(p, betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1: 1.0"),
    (lambda p: optim.SGD([], lr=1), ValueError, "empty parameter list"),
    (lambda p: optim.SGD(p[0], lr=1), TypeError, "iterable of Tensors"),
    (lambda p: optim.SGD([{"params": set(p)}], lr=1), TypeError, "organized in ordered collections"),
    (lambda p: optim.SGD([1.0], lr=1), TypeError, "can only optimize Tensors, but one of the params is float"),
    (lambda p: optim.SGD(p).add_param_group([p]), TypeError, "param_group must be a dict"),
    (lambda p: optim.SGD([p[0] * 2], lr=1), ValueError, "can't optimize a non-leaf Tensor"),
    (lambda p: optim.SGD([p[0], p[0]], lr=1), ValueError, "more than one"),
    (lambda p: optim.SGD([{"params": p}, {"params": p[0]}], lr=1), ValueError, "more than one"),
    (lambda p: optim.Adam(p, capturable=True), NotImplementedError, r"Adam\(capturable=True\) is not offered"),
    (lambda p: optim.SGD(p, differentiable=True), NotImplementedError, r"SGD\(differentiable=True\) is not offered"),
    (lambda p: optim.SGD(p, foreach=True, fused=True), RuntimeError, "cannot be `True` together"),
])  # fmt: skip
def test_wrong_arguments(make_optimiser, error, message):
    with pytest.raises(error, match=message):
        make_optimiser(make(engine))


def test_options_that_only_say_how_to_compute_change_nothing():
    a, b = make(engine), make(engine)
    advance(engine, optim.Adam(a, foreach=True, capturable=False, differentiable=False), a, range(1, 4))
    advance(engine, optim.Adam(b, fused=True), b, range(1, 4))
    assert [p.tolist() for p in a] == [p.tolist() for p in b]


@pytest.mark.parametrize("shape", [(3, 2), (6,), (1,), (2, 1), ()])
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_of_another_shape_is_refused(name, shape):
    p = nn.Parameter(engine.zeros(2, 3))
    p.grad = engine.ones(shape)
    with pytest.raises(
        ValueError, match=rf"a parameter of shape \(2, 3\) has a gradient of shape {re.escape(str(shape))}"
    ):
        getattr(optim, name)([p], lr=0.1).step()
    assert not p.detach().numpy().any()


def test_a_gradient_of_another_dtype_is_refused():
    p = nn.Parameter(engine.zeros(2, 3))
    p.grad = engine.ones(2, 3, dtype="float64")
    with pytest.raises(RuntimeError, match="a parameter of dtype float32 has a gradient of dtype float64"):
        optim.Adadelta([p]).step()


def test_repr_lists_the_groups():
    assert repr(optim.SGD([engine.ones(1, requires_grad=True)], lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )
