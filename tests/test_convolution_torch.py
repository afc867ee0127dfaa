"""Convolution, its transpose and its patches beside PyTorch's: values and gradients over generated arguments, errors, layers."""

import numpy as np
import pytest
from beside import agree, torch

import engine
from engine import nn
from engine.nn import functional as F

RTOL, ATOL = {"float32": 1e-4, "float64": 1e-11}, {"float32": 3e-5, "float64": 1e-11}


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def spread(rng, choices, axes):
    """One number, or one for each axis."""
    if rng.random() < 0.5:
        return int(rng.choice(choices))
    return tuple(int(v) for v in rng.choice(choices, axes))


def images(rng, channels, axes, dtype, batches=(0, 1, 2, 3)):
    """An image or a batch, which may be empty."""
    sizes = tuple(int(s) for s in rng.integers(1, 12, axes))
    batch = rng.choice(batches)
    return normal(rng, (channels, *sizes) if rng.random() < 0.25 else (batch, channels, *sizes), dtype)


def weights(rng, rows, columns, groups, axes, dtype):
    kernel = tuple(int(k) for k in rng.integers(1, 5, axes))
    return normal(rng, (rows, columns // groups, *kernel), dtype)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(120))
def test_convolution(axes, seed):
    rng = np.random.default_rng(seed)
    dtype = ("float32", "float64")[seed % 2]
    groups = int(rng.choice([1, 1, 2, 3]))
    c, o = groups * int(rng.integers(1, 5)), groups * int(rng.integers(1, 9))
    x, w = images(rng, c, axes, dtype), weights(rng, o, c, groups, axes, dtype)
    b = normal(rng, o, dtype) if rng.random() < 0.7 else None
    stride, dilation = spread(rng, [1, 1, 2, 3], axes), spread(rng, [1, 1, 2, 3], axes)
    padding = rng.choice(["number", "number", "same", "valid"])
    padding = spread(rng, [0, 1, 2, 4], axes) if padding == "number" else str(padding)
    if padding == "same":
        stride = 1

    def call(lib, x, w, b):
        return getattr(lib.nn.functional, f"conv{axes}d")(x, w, b, stride, padding, dilation, groups)

    agree(call, x, w, b, rtol=RTOL[dtype], atol=ATOL[dtype])


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(120))
def test_transposed_convolution(axes, seed):
    rng = np.random.default_rng(1000 + seed)
    dtype = ("float32", "float64")[seed % 2]
    groups = int(rng.choice([1, 1, 2, 3]))
    c, o = groups * int(rng.integers(1, 5)), groups * int(rng.integers(1, 9))
    # Of empty batches and 1x1 kernels PyTorch checks neither padding nor output padding: those drawn here are valid.
    x, w = images(rng, c, axes, dtype, (1, 2, 3)), weights(rng, c, o * groups, groups * groups, axes, dtype)
    b = normal(rng, w.shape[1] * groups, dtype) if rng.random() < 0.7 else None
    stride, dilation = spread(rng, [1, 2, 3], axes), spread(rng, [1, 1, 2, 3], axes)
    padding = spread(rng, [0, 0, 1, 2], axes)
    least = [max(np.broadcast_to(v, axes)[i] for v in (stride, dilation)) for i in range(axes)]
    extra = tuple(int(rng.integers(0, n)) for n in least)
    spans = np.broadcast_to(dilation, axes) * (np.array(w.shape[2:]) - 1)
    if any((np.array(x.shape[-axes:]) - 1) * stride + spans + 1 <= 2 * np.broadcast_to(padding, axes)):
        padding = 0

    def call(lib, x, w, b):
        return getattr(lib.nn.functional, f"conv_transpose{axes}d")(x, w, b, stride, padding, extra, groups, dilation)

    agree(call, x, w, b, rtol=RTOL[dtype], atol=ATOL[dtype])


@pytest.mark.parametrize("seed", range(60))
def test_unfold_and_fold(seed):
    rng = np.random.default_rng(2000 + seed)
    dtype = ("float32", "float64")[seed % 2]
    x = images(rng, 2, 2, dtype)
    kernel, dilation = spread(rng, [1, 2, 3], 2), spread(rng, [1, 1, 2], 2)
    padding, stride = spread(rng, [0, 1, 2], 2), spread(rng, [1, 2, 3], 2)
    agree(lambda lib, x: lib.nn.functional.unfold(x, kernel, dilation, padding, stride), x)
    size = x.shape[-2:]
    try:
        columns = torch.nn.functional.unfold(torch.zeros(1, *x.shape[-3:]), kernel, dilation, padding, stride).shape[1:]
    except RuntimeError:
        columns = (4, 5)
    cols = normal(rng, (*x.shape[:-3], *columns), dtype)
    agree(lambda lib, x: lib.nn.functional.fold(x, size, kernel, dilation, padding, stride), cols, rtol=1e-5, atol=1e-5)


MISTAKES = [
    *[lambda lib, o=o: lib.nn.functional.conv2d(lib.ones(1, 2, 5, 6), lib.ones(4, 2, 3, 2), **o) for o in (
        {"stride": 0}, {"stride": 1.5}, {"stride": (1, 1, 1)}, {"stride": -1}, {"dilation": 0}, {"padding": -1}, {"padding": "full"}, {"groups": 0},
        {"groups": 3}, {"groups": -1}, {"padding": 1.5}, {"dilation": 9}, {"stride": "a"}, {"stride": None}, {"groups": 1.5})],
    *[lambda lib, o=o: lib.nn.functional.conv_transpose2d(lib.ones(1, 2, 5, 6), lib.ones(2, 3, 3, 2), **o) for o in (
        {"stride": 0}, {"output_padding": 1}, {"output_padding": -1}, {"padding": -1}, {"padding": 9}, {"padding": "same"}, {"dilation": 0}, {"groups": 0},
        {"groups": 3}, {"output_padding": 1.5}, {"stride": (1, 1, 1)}, {"dilation": 3, "output_padding": 3})],
    *[lambda lib, o=o: lib.nn.functional.unfold(lib.ones(1, 2, 5, 6), **o) for o in (
        {"kernel_size": 7}, {"kernel_size": 0}, {"kernel_size": 2, "stride": 0}, {"kernel_size": 2, "dilation": 0}, {"kernel_size": 2, "padding": -1},
        {"kernel_size": (2, 3, 1)}, {"kernel_size": 2.5}, {"kernel_size": 2**31})],
    *[lambda lib, o=o: lib.nn.functional.fold(lib.ones(1, 8, 20), **o) for o in (
        {"output_size": 5, "kernel_size": 2}, {"output_size": (5, 6), "kernel_size": 3}, {"output_size": (5, 6, 7), "kernel_size": 2},
        {"output_size": (1, 1), "kernel_size": 2}, {"output_size": (5, 6), "kernel_size": 0}, {"output_size": (5, 6), "kernel_size": 2, "stride": 0},
        {"output_size": (5, 6), "kernel_size": 2, "padding": -1}, {"output_size": (0, 6), "kernel_size": 2}, {"output_size": (-1, 6), "kernel_size": 2},
        {"output_size": 2**31, "kernel_size": 2}, {"output_size": (5.5, 6), "kernel_size": 2})],
    *[lambda lib, s=s: lib.nn.functional.conv1d(lib.ones(*s), lib.ones(3, 2, 3)) for s in ((9,), (1, 2, 3, 4), (1, 3, 9), (1, 2, 2), (1, 2, 0))],
    *[lambda lib, s=s: lib.nn.functional.conv_transpose1d(lib.ones(*s), lib.ones(2, 3, 3)) for s in ((9,), (1, 2, 3, 4), (1, 3, 9), (1, 2, 0))],
    *[lambda lib, s=s: lib.nn.functional.conv_transpose2d(lib.ones(*s), lib.ones(2, 3, 3, 3)) for s in ((2, 9), (1, 2, 0, 5), (1, 3, 9, 9))],
    lambda lib: lib.nn.functional.conv1d(lib.ones(1, 2, 9), lib.ones(3, 2, 3, 1)),
    lambda lib: lib.nn.functional.conv_transpose2d(lib.ones(1, 2, 5, 5), lib.ones(2, 3, 3, 3), lib.ones(2)),
    lambda lib: lib.nn.functional.fold(lib.ones(8), (5, 6), 2),
    lambda lib: lib.nn.functional.fold(lib.ones(1, 1, 8, 20), (5, 6), 2),
    lambda lib: lib.nn.Conv1d(3, 4, 3, padding_mode="edge"),
    lambda lib: lib.nn.Conv1d(3, 4, 3, padding="full"),
    lambda lib: lib.nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
    lambda lib: lib.nn.ConvTranspose1d(3, 4, 3, groups=2),
    lambda lib: lib.nn.Conv1d(3, 4, 3, groups=0),
    *[lambda lib, o=o: lib.nn.ConvTranspose2d(2, 3, 3, 2, 1)(lib.ones(1, 2, 5, 6), output_size=o) for o in ((11, 12), (10,), 10, (3, 10, 12))],
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_the_same_types_of_errors(number):
    with pytest.raises(Exception) as theirs:
        MISTAKES[number](torch)
    with pytest.raises(theirs.type) as ours:
        MISTAKES[number](engine)
    assert len(str(ours.value)) > 15


LAYERS = [
    (lambda nn: nn.Conv1d(3, 5, 3), (2, 3, 9)), (lambda nn: nn.Conv1d(4, 6, (2,), 2, 1, 2, 2, False), (4, 9)),
    (lambda nn: nn.Conv1d(2, 3, 4, padding="same"), (2, 2, 7)), (lambda nn: nn.Conv1d(2, 3, 3, padding=2, padding_mode="reflect"), (2, 2, 7)),
    (lambda nn: nn.Conv1d(2, 3, 4, padding="same", padding_mode="circular"), (2, 2, 7)),
    (lambda nn: nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="replicate"), (2, 2, 7, 5)), (lambda nn: nn.Conv2d(2, 4, (3, 2), 2, 1, 1, 2, True, "circular"), (2, 7, 5)),
    (lambda nn: nn.Conv2d(2, 3, (4, 3), padding="same", dilation=2, padding_mode="reflect"), (1, 2, 9, 9)), (lambda nn: nn.Conv2d(2, 3, 3, padding="valid", padding_mode="reflect"), (1, 2, 9, 9)),
    (lambda nn: nn.ConvTranspose1d(3, 4, 3), (2, 3, 5)), (lambda nn: nn.ConvTranspose1d(4, 4, 3, 2, 1, 1, 2, False, 2), (4, 5)),
    (lambda nn: nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), 1, (1, 0), 2, True, (1, 2)), (2, 4, 4, 5)), (lambda nn: nn.ConvTranspose2d(3, 2, 4, 2, 1), (3, 5, 5)),
    (lambda nn: nn.Unfold((2, 3), 2, 1, (1, 2)), (2, 3, 6, 7)), (lambda nn: nn.Fold((5, 6), 2), (2, 8, 20)), (lambda nn: nn.Unfold(3), (3, 6, 7)),
]  # fmt: skip


@pytest.mark.parametrize("make, shape", LAYERS, ids=[repr(make(torch.nn)) for make, _ in LAYERS])
def test_layers(make, shape):
    theirs = make(torch.nn)
    state = {name: t.numpy() for name, t in theirs.state_dict().items()}
    assert repr(make(nn)) == repr(theirs)
    assert [(name, t.shape) for name, t in make(nn).state_dict().items()] == [(n, a.shape) for n, a in state.items()]

    def call(lib, x, *parameters):
        layer = make(lib.nn)
        for name, p in zip(state, parameters, strict=True):
            setattr(layer, name, lib.nn.Parameter(p.detach()))
        y = layer(x)
        if not parameters:
            return y
        weights = lib.from_numpy(np.random.default_rng(1).standard_normal(tuple(y.shape)).astype("float32"))
        (y * weights).sum().backward()
        return lib.cat([t.reshape(-1) for t in (y.detach(), x.grad, *[p.grad for p in layer.parameters()])])

    agree(call, normal(np.random.default_rng(0), shape, "float32"), *state.values(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(9, 11), (10, 12), (9, 12), (1, 3, 10, 11)])
def test_output_size(size):
    layer, theirs = nn.ConvTranspose2d(2, 3, 3, 2, 1), torch.nn.ConvTranspose2d(2, 3, 3, 2, 1)
    x = np.ones((1, 2, 5, 6), "float32")
    assert layer(engine.tensor(x), output_size=size).shape == tuple(theirs(torch.tensor(x), output_size=size).shape)
    line, theirs = nn.ConvTranspose1d(2, 3, 3, 3), torch.nn.ConvTranspose1d(2, 3, 3, 3)
    assert line(engine.ones(2, 4), output_size=(14,)).shape == tuple(theirs(torch.ones(2, 4), output_size=(14,)).shape)


def test_default_bounds_are_those_of_pytorch():
    for make in (lambda nn: nn.ConvTranspose2d(8, 4000, 5, groups=2), lambda nn: nn.Conv1d(8, 4000, 5, groups=2)):
        ours, theirs = make(nn), make(torch.nn)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert np.abs(p.detach().numpy()).max() == pytest.approx(np.abs(q.detach().numpy()).max(), rel=0.02)


# ---- what PyTorch does not offer, by what it does


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_padding_with_a_stride(kernel, stride):
    """TensorFlow's rule: ceil(size / stride) outputs, the odd element of padding behind."""
    rng = np.random.default_rng(0)
    for size in (5, 6, 7, 8):
        x, w = normal(rng, (1, 2, size, size + 1), "float64"), normal(rng, (3, 2, kernel, kernel), "float64")
        y = F.conv2d(engine.tensor(x), engine.tensor(w), stride=stride, padding="same")
        sides = []
        for n in (size + 1, size):
            total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
            sides += [total // 2, total - total // 2]
        padded = torch.nn.functional.pad(torch.tensor(x), sides)
        expected = torch.nn.functional.conv2d(padded, torch.tensor(w), stride=stride).numpy()
        assert y.shape[2:] == (-(-size // stride), -(-(size + 1) // stride))
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)
        line = F.conv1d(engine.tensor(x[:, :, 0]), engine.tensor(w[:, :, 0]), stride=stride, padding="same")
        expected = torch.nn.functional.conv1d(padded[:, :, sides[2]], torch.tensor(w[:, :, 0]), stride=stride).numpy()
        np.testing.assert_allclose(line.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_per_side(mode):
    rng = np.random.default_rng(0)
    x = normal(rng, (2, 2, 6, 7), "float64")
    layer = nn.Conv2d(2, 3, 3, padding=(1, 2, 0, 3), padding_mode=mode, dtype="float64")
    assert "padding=(1, 2, 0, 3)" in repr(layer)
    padded = torch.nn.functional.pad(torch.tensor(x), (0, 3, 1, 2), "constant" if mode == "zeros" else mode)
    expected = torch.nn.functional.conv2d(padded, *[torch.tensor(p.detach().numpy()) for p in layer.parameters()])
    np.testing.assert_allclose(layer(engine.tensor(x)).detach().numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)
    line = nn.Conv1d(2, 3, 3, padding=(2, 1), padding_mode=mode, dtype="float64")
    padded = torch.nn.functional.pad(torch.tensor(x[:, :, 0]), (2, 1), "constant" if mode == "zeros" else mode)
    expected = torch.nn.functional.conv1d(padded, *[torch.tensor(p.detach().numpy()) for p in line.parameters()])
    np.testing.assert_allclose(
        line(engine.tensor(x[:, :, 0])).detach().numpy(), expected.numpy(), rtol=1e-12, atol=1e-12
    )
    strided = nn.Conv2d(2, 3, 4, stride=3, padding="same", padding_mode=mode, dtype="float64")
    assert strided(engine.tensor(x)).shape == (2, 3, 2, 3)


def test_existing_kernels_serve_convolutions_of_one_axis_and_transposed_ones(monkeypatch, backend):
    """On the cpu backend no product of the reference runs for contiguous float32."""
    if backend != "cpu":
        pytest.skip("about the compiled kernels")
    from engine.backends.reference import Reference

    k = engine.backends.get("cpu")
    for name in ("conv2d", "conv2d_dx", "conv2d_dw", "channel_sum", "unfold", "fold", "avg_pool2d", "avg_pool2d_dx"):
        monkeypatch.setattr(Reference, name, None)
        monkeypatch.delitem(k.__dict__, name, raising=False)  # bound to its fallback at the first call

    def differentiate(y):
        (y * engine.rand(*y.shape)).sum().backward()

    x, w, b = (engine.rand(*shape, requires_grad=True) for shape in ((2, 4, 9), (4, 4, 3), (4,)))
    images, filters = engine.rand(2, 4, 8, 8, requires_grad=True), engine.rand(4, 2, 3, 3, requires_grad=True)
    differentiate(F.conv1d(x, w, b, 2, 1))
    differentiate(F.conv_transpose1d(x, w, b, 2, 1, 1))
    differentiate(F.conv_transpose2d(images, filters, stride=2))
    differentiate(F.fold(F.unfold(images, 3), (8, 8), 3))
    differentiate(F.adaptive_avg_pool2d(images, 1))
    differentiate(F.adaptive_avg_pool2d(images, (2, 4)))
    monkeypatch.undo()
    for name in ("conv2d", "conv2d_dx", "conv2d_dw", "channel_sum", "unfold", "fold", "avg_pool2d", "avg_pool2d_dx"):
        k.__dict__.pop(name, None)
