"""Embedding, one_hot and Bilinear beside PyTorch's: values, gradients, state, texts and errors."""

import numpy as np
import pytest
from beside import agree, close, torch

import engine
from engine import nn


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def normal(*shape, dtype="float32"):
    return np.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), dtype)


INDICES = [np.array([[1, 3, 3], [0, 6, 1]]), np.array(2), np.zeros((0, 2), "int64"), np.array([6, 6, 6, 6, 0], "int32")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": 3},
        {"padding_idx": -1},
        {"padding_idx": 0, "scale_grad_by_freq": True},
        {"scale_grad_by_freq": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("indices", INDICES, ids=lambda i: str(i.shape))
def test_embedding(indices, options, dtype):
    agree(lambda lib, i, w: lib.nn.functional.embedding(i, w, **options), indices, normal(7, 4, dtype=dtype))


def test_tables_of_integers():
    agree(lambda lib, i, w: lib.nn.functional.embedding(i, w), np.array([[1, 0], [2, 2]]), np.arange(6).reshape(3, 2))


def test_a_bias_of_another_size_is_named():
    """PyTorch broadcasts a bias of one element."""
    with pytest.raises(RuntimeError, match=r"bilinear got a bias of shape \(1,\), expected \(5,\)"):
        nn.functional.bilinear(engine.zeros(2, 3), engine.zeros(2, 4), engine.zeros(5, 3, 4), engine.zeros(1))


@pytest.mark.parametrize("norm_type", [2.0, 1, float("inf")])
def test_rows_of_limited_length(norm_type):
    """They are shortened in place, those that were looked up alone, and the gradient is that of what they became."""
    found = []
    for lib in (engine, torch):
        layer = lib.nn.Embedding(7, 4, max_norm=1.0, norm_type=norm_type)
        with lib.no_grad():
            layer.weight.copy_(lib.from_numpy(normal(7, 4)))
            layer.weight[5].fill_(0.01)
        y = layer(lib.from_numpy(np.array([[1, 3], [3, 5]])))
        (y * y).sum().backward()
        found.append([y.detach().numpy(), layer.weight.detach().numpy(), layer.weight.grad.numpy()])
    for ours, theirs in zip(*found, strict=True):
        close(ours, theirs, "")
    assert (found[0][1][[0, 2, 4, 6]] == normal(7, 4)[[0, 2, 4, 6]]).all()


WRONG = {
    "padding in words": lambda F, lib: F.embedding(lib.tensor([0]), lib.zeros(7, 4), "a"),
    "classes in words": lambda F, lib: F.one_hot(lib.tensor([0]), "a"),
    "an array": lambda F, lib: F.embedding(np.array([0]), lib.zeros(7, 4)),
    "too large": lambda F, lib: F.embedding(lib.tensor([0, 7]), lib.zeros(7, 4)),
    "negative": lambda F, lib: F.embedding(lib.tensor([0, -1]), lib.zeros(7, 4)),
    "no rows": lambda F, lib: F.embedding(lib.tensor([0]), lib.zeros(0, 4)),
    "floats": lambda F, lib: F.embedding(lib.zeros(2), lib.zeros(7, 4)),
    "padding": lambda F, lib: F.embedding(lib.tensor([0]), lib.zeros(7, 4), 7),
    "padding below": lambda F, lib: F.embedding(lib.tensor([0]), lib.zeros(7, 4), -8),
    "a vector": lambda F, lib: F.embedding(lib.tensor([0]), lib.zeros(7)),
    "padding of the layer": lambda F, lib: lib.nn.Embedding(7, 4, padding_idx=7),
    "pretrained": lambda F, lib: lib.nn.Embedding.from_pretrained(lib.zeros(7)),
    "one_hot floats": lambda F, lib: F.one_hot(lib.zeros(2)),
    "one_hot small": lambda F, lib: F.one_hot(lib.tensor([0, 3]), 3),
    "one_hot negative": lambda F, lib: F.one_hot(lib.tensor([0, -3]), 3),
    "one_hot none": lambda F, lib: F.one_hot(lib.zeros(0, dtype=lib.int64)),
    "one_hot zero": lambda F, lib: F.one_hot(lib.tensor([0]), 0),
    "one_hot below": lambda F, lib: F.one_hot(lib.tensor([0]), -2),
    "one_hot of int32": lambda F, lib: F.one_hot(lib.zeros(2, dtype=lib.int32)),
    "bilinear shapes": lambda F, lib: F.bilinear(lib.zeros(2, 3), lib.zeros(2, 4), lib.zeros(5, 4, 3)),
    "bilinear batches": lambda F, lib: F.bilinear(lib.zeros(2, 3), lib.zeros(1, 4), lib.zeros(5, 3, 4)),
    "bilinear bias": lambda F, lib: F.bilinear(lib.zeros(2, 3), lib.zeros(2, 4), lib.zeros(5, 3, 4), lib.zeros(4)),
    "bilinear dtypes": lambda F, lib: F.bilinear(lib.zeros(2, 3), lib.zeros(2, 4, dtype=lib.float64), lib.zeros(5, 3, 4)),
    "Bilinear": lambda F, lib: lib.nn.Bilinear(0, 3, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name):
    agree(lambda lib: WRONG[name](lib.nn.functional, lib))


def test_what_is_refused_by_name():
    with pytest.raises(NotImplementedError, match=r"embedding\(sparse=True\): sparse gradients are not offered"):
        nn.functional.embedding(engine.tensor([0]), engine.zeros(2, 2), sparse=True)
    with pytest.raises(NotImplementedError, match=r"Embedding\(sparse=True\)"):
        nn.Embedding(3, 2, sparse=True)
    with pytest.raises(
        IndexError, match=r"embedding\(\): index 9 is out of bounds .* with size 7 \(at position \(1, 0\)"
    ):
        nn.Embedding(7, 4)(engine.tensor([[0], [9]]))


MODULES = [lambda nn: nn.Embedding(7, 4), lambda nn: nn.Embedding(7, 4, 2), lambda nn: nn.Embedding(7, 4, -1, 1.5, 3.0, True), lambda nn: nn.Bilinear(3, 4, 5),
           lambda nn: nn.Bilinear(3, 4, 5, bias=False)]  # fmt: skip


@pytest.mark.parametrize("make", MODULES)
def test_layers(make):
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    assert {n: tuple(t.shape) for n, t in ours.state_dict().items()} == {
        n: tuple(t.shape) for n, t in theirs.state_dict().items()
    }
    for name, value in vars(theirs).items():
        if not name.startswith("_"):
            assert getattr(ours, name) == value, name
    if theirs._get_name() == "Embedding" and theirs.padding_idx is not None:
        assert ours.weight[ours.padding_idx].tolist() == [0, 0, 0, 0]


def test_starting_values():
    engine.manual_seed(0)
    table = nn.Embedding(300, 40).weight.detach().numpy()
    assert abs(table.mean()) < 0.04 and table.std() == pytest.approx(1, rel=0.02)
    layer = nn.Bilinear(25, 30, 20)
    assert np.abs(layer.weight.detach().numpy()).max() == pytest.approx(0.2, rel=0.01)
    assert np.abs(layer.bias.detach().numpy()).max() <= 0.2


def test_pretrained_tables_share_memory():
    table = engine.from_numpy(normal(5, 3))
    layer = nn.Embedding.from_pretrained(table, padding_idx=1)
    assert not layer.weight.requires_grad and np.shares_memory(layer.weight.numpy(), table.numpy())
    assert layer(engine.tensor([1, 4])).tolist() == table.numpy()[[1, 4]].tolist()
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


def test_training_with_padding_leaves_it_alone():
    layer = nn.Embedding(4, 3, padding_idx=2)
    optimizer = engine.optim.SGD(layer.parameters(), lr=1.0)
    layer(engine.tensor([[2, 1], [2, 0]])).sum().backward()
    optimizer.step()
    assert layer.weight[2].tolist() == [0, 0, 0]


@pytest.mark.parametrize("values", [[0, 2, 1], [[3], [0]], 2, [[[]]]], ids=str)
@pytest.mark.parametrize("classes", [-1, 4, 9])
def test_one_hot(values, classes):
    agree(lambda lib, x: lib.nn.functional.one_hot(x, classes), np.array(values, "int64"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lead", [(), (6,), (2, 3), (0,)], ids=str)
def test_bilinear(lead, dtype):
    arrays = (
        normal(*lead, 3, dtype=dtype),
        normal(*lead, 4, dtype=dtype),
        normal(5, 3, 4, dtype=dtype),
        normal(5, dtype=dtype),
    )
    tolerance = 1e-5 if dtype == "float32" else 1e-11
    agree(lambda lib, a, b, w: lib.nn.functional.bilinear(a, b, w), *arrays[:3], rtol=tolerance, atol=tolerance)
    agree(lambda lib, *t: lib.nn.functional.bilinear(*t), *arrays, rtol=tolerance, atol=tolerance)
