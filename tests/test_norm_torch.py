"""Normalisation beside PyTorch's, as functions and as layers: values, gradients, running statistics, texts and errors."""

import warnings

import numpy as np
import pytest
from beside import agree, close, torch

import engine
from engine import nn

DTYPES = ["float32", "float64"]
LOOSE = {"float32": 2e-5, "float64": 1e-10}  # gradients are differences of sums


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def normal(*shape, dtype="float32", seed=0):
    return np.asarray(np.random.default_rng(seed + sum(shape)).standard_normal(shape) * 2 + 1, dtype)


def check(call, *arrays):
    tolerance = LOOSE[arrays[0].dtype.name]
    agree(call, *arrays, rtol=tolerance, atol=tolerance)


# ---- functions

GROUPS = [((2, 4, 3, 5), 2), ((2, 4, 3, 5), 4), ((2, 4, 3, 5), 1), ((3, 6, 7), 3), ((4, 12), 2), ((1, 6, 2, 2, 2), 2), ((0, 4, 2), 2),
          ((3, 4, 2), 3), ((3, 4, 2), 0), ((3, 4, 2), -2), ((1, 4), 4), ((1, 1, 1), 1), ((4,), 2), ((2, 33, 9, 9), 11)]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, groups", GROUPS, ids=str)
def test_group_norm(shape, groups, dtype):
    if groups == 0:
        with pytest.raises(RuntimeError, match="divisible by num_groups, got 4 and 0"):  # PyTorch divides by it
            nn.functional.group_norm(engine.zeros(shape), 0)
        return
    x, w, b = (
        normal(*shape, dtype=dtype),
        normal(shape[1 % len(shape)], dtype=dtype),
        normal(shape[1 % len(shape)], dtype=dtype, seed=1),
    )
    check(lambda lib, x: lib.nn.functional.group_norm(x, groups), x)
    check(lambda lib, x, w: lib.nn.functional.group_norm(x, groups, w, eps=0.1), x, w)
    check(lambda lib, x, w, b: lib.nn.functional.group_norm(x, groups, w, b), x, w, b)


def test_groups_of_one_and_of_two():
    """In float64: PyTorch's float32 cancels where two values are close, or are one."""
    for shape, groups in (((2, 4), 4), ((4, 6), 3)):
        x, w, b = (
            normal(*shape, dtype="float64"),
            normal(shape[1], dtype="float64"),
            normal(shape[1], dtype="float64", seed=1),
        )
        agree(lambda lib, x, w, b, g=groups: lib.nn.functional.group_norm(x, g, w, b), x, w, b, rtol=1e-7, atol=1e-7)
    y = nn.functional.group_norm(engine.from_numpy(normal(2, 4)), 4, bias=engine.tensor([1.0, 2, 3, 4]))
    assert y.tolist() == [[1, 2, 3, 4]] * 2


def test_nothing_to_normalise():
    """PyTorch's gradient of the weight is nan in the first, an error in the second; both are sums of nothing."""
    for call in (lambda x, w: nn.functional.group_norm(x, 2, w), lambda x, w: nn.functional.instance_norm(x, weight=w)):
        for shape in ((2, 4, 0), (0, 4, 3)):
            x, w = engine.zeros(shape, requires_grad=True), engine.ones(4, requires_grad=True)
            y = call(x, w)
            y.sum().backward()
            assert y.shape == x.grad.shape == shape and w.grad.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(2, 3, 4, 5), (2, 3, 7), (1, 3, 2), (2, 3, 2, 1, 2), (2, 3, 1), (2, 3), (2, 3, 0)], ids=str
)
def test_instance_norm(shape, dtype):
    x, w, b = normal(*shape, dtype=dtype), normal(3, dtype=dtype), normal(3, dtype=dtype, seed=1)
    check(lambda lib, x: lib.nn.functional.instance_norm(x), x)
    check(lambda lib, x, w, b: lib.nn.functional.instance_norm(x, weight=w, bias=b, eps=0.1), x, w, b)


@pytest.mark.parametrize("use", [True, False])
def test_instance_norm_with_running_statistics(use):
    found = []
    for lib in (engine, torch):
        mean, var = lib.zeros(3), lib.ones(3)
        y = [lib.nn.functional.instance_norm(lib.from_numpy(normal(2, 3, 4, seed=i)), mean, var, use_input_stats=use, momentum=0.3)
             for i in range(3)]  # fmt: skip
        found.append([*y, mean, var])
    for ours, theirs in zip(*found, strict=True):
        close(ours.numpy(), theirs.numpy(), "", 2e-5, 2e-5)


LAYERS = [((3, 5), (5,)), ((3, 5), 5), ((2, 3, 4, 5), [4, 5]), ((2, 3, 4, 5), (3, 4, 5)), ((7,), (7,)), ((2, 1), (1,)), ((0, 4), (4,)), ((3, 0), (0,)),
          ((3, 5), (4,)), ((3, 5), (3,)), ((5,), (1, 5)), ((3, 5), ()), ((64, 33), (33,))]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, last", LAYERS, ids=str)
def test_layer_norm_and_rms_norm(shape, last, dtype):
    sizes = (last,) if isinstance(last, int) else tuple(last)
    x, w, b = normal(*shape, dtype=dtype), normal(*sizes, dtype=dtype), normal(*sizes, dtype=dtype, seed=1)
    if last == 5:  # an integer is for the layer
        return
    check(lambda lib, x: lib.nn.functional.layer_norm(x, last), x)
    check(lambda lib, x, w: lib.nn.functional.layer_norm(x, last, w), x, w)
    check(lambda lib, x, b: lib.nn.functional.layer_norm(x, last, None, b), x, b)
    check(lambda lib, x, w, b: lib.nn.functional.layer_norm(x, last, w, b, 0.1), x, w, b)
    check(lambda lib, x: lib.nn.functional.rms_norm(x, last), x)
    check(lambda lib, x, w: lib.nn.functional.rms_norm(x, last, w, 0.1), x, w)


def test_rms_norm_of_small_numbers():
    for dtype in DTYPES:
        check(lambda lib, x: lib.nn.functional.rms_norm(x, (4,)), np.array([[1e-4, 0, -2e-4, 3e-9]], dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(2, 7, 4, 5), (2, 7, 6), (1, 1, 3, 3), (2, 3, 2, 2, 2), (0, 3, 4), (3, 4), (2, 5, 0)], ids=str
)
def test_local_response_norm(shape, dtype):
    for size, options in (
        (5, {}),
        (2, {"alpha": 0.5}),
        (3, {"alpha": 1, "beta": 0.5, "k": 2}),
        (1, {"beta": 1.0, "alpha": 0.3}),
        (9, {"alpha": 0.1}),
    ):
        check(lambda lib, x, s=size, o=options: lib.nn.functional.local_response_norm(x, s, **o), normal(*shape, dtype=dtype))  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_normalize(dtype):
    for shape in ((3, 4), (2, 3, 4), (0, 3), (3, 1)):
        for p, dim in ((2.0, 1), (1, 0), (3, -1), (float("inf"), 1)):
            check(lambda lib, x, p=p, d=dim: lib.nn.functional.normalize(x, p, d), normal(*shape, dtype=dtype))
    check(lambda lib, x: lib.nn.functional.normalize(x, dim=0, eps=0.5), np.array([[0, 1e-3, 3], [0, 1e-3, 4]], dtype))
    check(lambda lib, x: lib.nn.functional.normalize(x, dim=0), normal(5, dtype=dtype))
    check(lambda lib, x: lib.nn.functional.normalize(x), normal(5, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape",
    [(4, 3), (4, 3, 5), (4, 3, 2, 5), (2, 3, 2, 2, 2), (1, 3), (0, 3), (0, 3, 4), (4, 3, 0), (1, 3, 1, 1), (3,)],
    ids=str,
)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(training, shape, dtype):
    c = 3
    x, w, b = normal(*shape, dtype=dtype), normal(c, dtype=dtype), normal(c, dtype=dtype, seed=1)

    def call(lib, x, *affine):
        running = lib.from_numpy(normal(c, dtype=dtype)), lib.from_numpy(np.abs(normal(c, dtype=dtype)) + 1)
        return lib.nn.functional.batch_norm(x, *running, *affine, training=training)

    check(call, x)
    check(call, x, w, b)
    check(lambda lib, x, w: call(lib, x, w, None), x, w)
    check(lambda lib, x, b: call(lib, x, None, b), x, b)


WRONG = {
    "no statistics": lambda F, lib: F.batch_norm(lib.zeros(4, 3), None, None),
    "statistics of others": lambda F, lib: F.batch_norm(lib.zeros(4, 3), lib.zeros(2), lib.zeros(2)),
    "statistics of others, training": lambda F, lib: F.batch_norm(lib.zeros(4, 3), lib.zeros(2), lib.zeros(2), training=True),
    "one statistic": lambda F, lib: F.batch_norm(lib.zeros(4, 3), lib.zeros(1), lib.zeros(1), training=True),
    "statistics in a list": lambda F, lib: F.batch_norm(lib.zeros(4, 3), [0, 0, 0], lib.zeros(3), training=True),
    "momentum in words": lambda F, lib: F.batch_norm(lib.zeros(4, 3), lib.zeros(3), lib.zeros(3), training=True, momentum="a"),
    "no momentum": lambda F, lib: F.batch_norm(lib.zeros(4, 3), lib.zeros(3), lib.zeros(3), training=True, momentum=None),
    "local size": lambda F, lib: F.local_response_norm(lib.zeros(4, 3, 2), 1.5),
    "groups in words": lambda F, lib: F.group_norm(lib.zeros(4, 3, 2), "a"),
    "weight of others": lambda F, lib: F.batch_norm(lib.zeros(4, 3), lib.zeros(3), lib.zeros(3), lib.zeros(2)),
    "group integers": lambda F, lib: F.group_norm(lib.zeros(2, 4, 3, dtype=lib.int64), 2),
    "normalize integers": lambda F, lib: F.normalize(lib.ones(2, 4, dtype=lib.int64)),
    "integers": lambda F, lib: F.batch_norm(lib.zeros(4, 3, dtype=lib.int64), None, None, training=True),
    "one value": lambda F, lib: F.batch_norm(lib.zeros(1, 3), None, None, training=True),
    "layer weight": lambda F, lib: F.layer_norm(lib.zeros(2, 3), (3,), lib.zeros(2)),
    "layer integers": lambda F, lib: F.layer_norm(lib.zeros(2, 3, dtype=lib.int64), (3,)),
    "rms integers": lambda F, lib: F.rms_norm(lib.zeros(2, 3, dtype=lib.int64), (3,)),
    "rms weight": lambda F, lib: F.rms_norm(lib.zeros(2, 3), (3,), lib.zeros(2)),
    "group weight": lambda F, lib: F.group_norm(lib.zeros(2, 4, 2), 2, lib.zeros(3)),
    "instance of one": lambda F, lib: F.instance_norm(lib.zeros(2, 4, 1, 1)),
    "BatchNorm1d 4D": lambda F, lib: lib.nn.BatchNorm1d(3)(lib.zeros(2, 3, 4, 4)),
    "BatchNorm2d 3D": lambda F, lib: lib.nn.BatchNorm2d(3)(lib.zeros(2, 3, 4)),
    "BatchNorm2d channels": lambda F, lib: lib.nn.BatchNorm2d(3)(lib.zeros(2, 4, 4, 4)),
    "InstanceNorm1d 4D": lambda F, lib: lib.nn.InstanceNorm1d(3)(lib.zeros(2, 3, 4, 4)),
    "InstanceNorm2d channels": lambda F, lib: lib.nn.InstanceNorm2d(3, affine=True)(lib.zeros(2, 4, 4, 4)),
    "InstanceNorm2d statistics": lambda F, lib: lib.nn.InstanceNorm2d(3, track_running_stats=True)(lib.zeros(2, 4, 4, 4)),
    "GroupNorm": lambda F, lib: lib.nn.GroupNorm(3, 4),
    "GroupNorm channels": lambda F, lib: lib.nn.GroupNorm(2, 4)(lib.zeros(2, 6, 3)),
    "LayerNorm": lambda F, lib: lib.nn.LayerNorm((3, 4))(lib.zeros(2, 4, 3)),
    "double": lambda F, lib: lib.nn.BatchNorm2d(3)(lib.zeros(2, 3, 4, 4, dtype=lib.float64)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        agree(lambda lib: WRONG[name](lib.nn.functional, lib))


# ---- layers

MODULES = [
    (lambda nn, **o: nn.BatchNorm1d(3, **o), (4, 3)), (lambda nn, **o: nn.BatchNorm1d(3, **o), (4, 3, 5)), (lambda nn, **o: nn.BatchNorm2d(3, **o), (4, 3, 2, 5)),
    (lambda nn, **o: nn.BatchNorm1d(3, 1e-3, 0.3, affine=False, **o), (4, 3)), (lambda nn, **o: nn.BatchNorm1d(3, momentum=None, **o), (4, 3, 2)),
    (lambda nn, **o: nn.BatchNorm2d(3, track_running_stats=False, **o), (4, 3, 2, 2)), (lambda nn, **o: nn.BatchNorm2d(3, bias=False, **o), (4, 3, 2, 2)),
    (lambda nn, **o: nn.BatchNorm2d(3, momentum=0.0, **o), (4, 3, 2, 2)), (lambda nn, **o: nn.LayerNorm(5, **o), (4, 3, 5)),
    (lambda nn, **o: nn.LayerNorm((3, 5), 1e-2, **o), (4, 3, 5)), (lambda nn, **o: nn.LayerNorm([5], elementwise_affine=False, **o), (4, 5)),
    (lambda nn, **o: nn.LayerNorm(5, bias=False, **o), (4, 5)), (lambda nn, **o: nn.GroupNorm(2, 4, **o), (3, 4, 5)), (lambda nn, **o: nn.GroupNorm(4, 4, 1e-2, **o), (3, 4, 5, 2)),
    (lambda nn, **o: nn.GroupNorm(2, 4, affine=False, **o), (3, 4, 5)), (lambda nn, **o: nn.GroupNorm(1, 4, bias=False, **o), (3, 4, 5)),
    (lambda nn, **o: nn.InstanceNorm1d(3, **o), (4, 3, 5)), (lambda nn, **o: nn.InstanceNorm1d(3, affine=True, **o), (3, 5)), (lambda nn, **o: nn.InstanceNorm2d(3, **o), (4, 3, 5, 2)),
    (lambda nn, **o: nn.InstanceNorm2d(3, affine=True, track_running_stats=True, **o), (4, 3, 5, 2)), (lambda nn, **o: nn.InstanceNorm2d(3, track_running_stats=True, momentum=0.5, **o), (3, 5, 2)),
    (lambda nn, **o: nn.InstanceNorm2d(3, 1e-2, None, True, True, **o), (4, 3, 5, 2)), (lambda nn, **o: nn.InstanceNorm2d(3, affine=True, bias=False, **o), (4, 3, 5, 2)),
    (lambda nn, **o: nn.RMSNorm(5, **o), (4, 5)), (lambda nn, **o: nn.RMSNorm((3, 5), 1e-2, **o), (4, 3, 5)), (lambda nn, **o: nn.RMSNorm(5, elementwise_affine=False, **o), (4, 5)),
]  # fmt: skip


def state(layer):
    return {name: t.detach().numpy() for name, t in layer.state_dict().items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make, shape", MODULES, ids=[repr(make(nn)) + str(shape) for make, shape in MODULES])
def test_layers(make, shape, dtype):
    """Three steps of training and one in eval mode: outputs, gradients and everything kept."""
    ours, theirs = make(nn, dtype=getattr(engine, dtype)), make(torch.nn, dtype=getattr(torch, dtype))
    assert repr(ours) == repr(theirs) and list(state(ours)) == list(state(theirs))
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for p in theirs.parameters():
            p += torch.from_numpy(rng.standard_normal(tuple(p.shape)))
    ours.load_state_dict({name: engine.from_numpy(a.copy()) for name, a in state(theirs).items()})
    tolerance = LOOSE[dtype]
    for step in range(4):
        if step == 3:
            ours.eval()
            theirs.eval()
        x, weights = normal(*shape, dtype=dtype, seed=step), rng.standard_normal(shape).astype(dtype)
        found = []
        for lib, layer in ((engine, ours), (torch, theirs)):
            t = lib.from_numpy(x.copy()).requires_grad_(True)
            y = layer(t)
            (y * lib.from_numpy(weights)).sum().backward()
            found.append([y.detach().numpy(), t.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())])
        for i, (a, b) in enumerate(zip(*found, strict=True)):
            close(a, b, f"step {step}, {i}", tolerance, tolerance)
        for name, a in state(ours).items():
            close(a, state(theirs)[name], f"step {step}, {name}", tolerance, tolerance)


def test_local_response_norm_layer():
    check(lambda lib, x: lib.nn.LocalResponseNorm(3, 0.2, 0.6, 1.5)(x), normal(2, 5, 3, 3))
    for arguments in ((5,), (3, 0.2, 0.6, 1.5)):
        assert repr(nn.LocalResponseNorm(*arguments)) == repr(torch.nn.LocalResponseNorm(*arguments))


def test_resetting():
    layer = nn.BatchNorm2d(3)
    layer(engine.from_numpy(normal(2, 3, 2, 2)))
    with engine.no_grad():
        layer.weight.fill_(5)
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0, 0, 0] and layer.running_var.tolist() == [1, 1, 1]
    assert layer.num_batches_tracked.item() == 0 and layer.weight.tolist() == [5, 5, 5]
    layer.reset_parameters()
    assert layer.weight.tolist() == [1, 1, 1]


def test_a_batch_norm_without_statistics_of_its_own_uses_the_batch():
    for lib in (engine, torch):
        layer = lib.nn.BatchNorm1d(3).eval()
        layer.running_mean = layer.running_var = None
        y = layer(lib.from_numpy(normal(4, 3)))
        assert abs(y.detach().numpy().mean(0)).max() < 1e-6


def test_unused_channels_of_an_instance_norm_are_a_warning():
    for lib in (engine, torch):
        with pytest.warns(UserWarning, match="affine=False"):
            lib.nn.InstanceNorm1d(3)(lib.zeros(2, 4, 5))
