"""Functions made of other operations beside NumPy's, their gradients by differences, and what has no counterpart elsewhere."""

import numpy as np
import pytest

import engine
from engine.autograd import gradcheck


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def array(*shape, dtype="float64"):
    return np.asarray(np.random.default_rng(sum(shape)).standard_normal(shape)).astype(dtype)


A, B, C = array(2, 3, 4), array(3, 4), array(4, 5)
LIKE_NUMPY = {  # what it is, of engine's tensors or NumPy's arrays, and the arrays
    "split": (lambda lib, a: engine.split(a, [1, 3], 2)[1], lambda a: np.split(a, [1], 2)[1], A),
    "chunk": (lambda lib, a: a.chunk(2, 1)[1], lambda a: np.array_split(a, [2], 1)[1], A),
    "tensor_split": (lambda lib, a: a.tensor_split(3, 2)[1], lambda a: np.array_split(a, 3, 2)[1], A),
    "unbind": (lambda lib, a: a.unbind(1)[2], lambda a: a[:, 2], A),
    "narrow": (lambda lib, a: a.narrow(2, -3, 2), lambda a: a[..., 1:3], A),
    "select": (lambda lib, a: a.select(1, -1), lambda a: a[:, -1], A),
    "unfold": (lambda lib, a: a.unfold(2, 3, 1), lambda a: np.lib.stride_tricks.sliding_window_view(a, 3, 2), A),
    "stack": (lambda lib, b: lib.stack([b, b * 2], 1), lambda b: np.stack([b, b * 2], 1), B),
    "hstack": (lambda lib, b: lib.hstack([b, b]), lambda b: np.hstack([b, b]), B),
    "vstack": (lambda lib, b: lib.vstack([b, b[0]]), lambda b: np.vstack([b, b[0]]), B),
    "dstack": (lambda lib, b: lib.dstack([b, b]), lambda b: np.dstack([b, b]), B),
    "meshgrid": (lambda lib, b: lib.meshgrid(b[0], b[1])[1], lambda b: np.meshgrid(b[0], b[1], indexing="ij")[1], B),
    "repeat": (lambda lib, b: b.repeat(2, 1, 3), lambda b: np.tile(b, (2, 1, 3)), B),
    "tile": (lambda lib, b: b.tile(2), lambda b: np.tile(b, 2), B),
    "repeat_interleave": (lambda lib, b: b.repeat_interleave(3, 1), lambda b: np.repeat(b, 3, 1), B),
    "repeat by counts": (lambda lib, b: b.repeat_interleave(lib.tensor([2, 0, 1]), 0), lambda b: np.repeat(b, [2, 0, 1], 0), B),
    "rot90": (lambda lib, a: a.rot90(3, (0, 2)), lambda a: np.rot90(a, 3, (0, 2)), A),
    "movedim": (lambda lib, a: a.movedim((0, 1), (2, 0)), lambda a: np.moveaxis(a, (0, 1), (2, 0)), A),
    "unflatten": (lambda lib, b: b.unflatten(1, (2, -1)), lambda b: b.reshape(3, 2, 2), B),
    "broadcast_to": (lambda lib, b: b.broadcast_to((2, 3, 4)), lambda b: np.broadcast_to(b, (2, 3, 4)), B),
    "diag": (lambda lib, b: lib.diag(b, 1), lambda b: np.diag(b, 1), B),
    "trace": (lambda lib, b: b.trace(), lambda b: np.trace(b), B),
    "var_mean": (lambda lib, a: lib.var_mean(a, 1)[0], lambda a: a.var(1, ddof=1), A),
    "norm": (lambda lib, a: a.norm(2, (0, 2)), lambda a: np.sqrt((a * a).sum((0, 2))), A),
    "matrix_norm": (lambda lib, b: lib.linalg.norm(b, 1), lambda b: np.linalg.norm(b, 1), B),
    "median": (lambda lib, a: a.median(2).values, lambda a: np.sort(a, 2)[..., 1], A),
    "cummax": (lambda lib, a: a.cummax(1).values, lambda a: np.maximum.accumulate(a, 1), A),
    "sort": (lambda lib, a: a.sort(1, descending=True).values, lambda a: -np.sort(-a, 1), A),
    "topk": (lambda lib, a: a.topk(2, largest=False).values, lambda a: np.sort(a, -1)[..., :2], A),
    "kthvalue": (lambda lib, a: a.kthvalue(2, 1).values, lambda a: np.sort(a, 1)[:, 1], A),
    "gather": (lambda lib, b: b.gather(1, lib.tensor([[0, 0], [3, 1], [2, 2]])), lambda b: np.take_along_axis(b, np.array([[0, 0], [3, 1], [2, 2]]), 1), B),
    "take_along_dim": (lambda lib, b: lib.take_along_dim(b, lib.tensor([[-1, 0]]), 1), lambda b: b[:, [-1, 0]], B),
    "index_select": (lambda lib, a: a.index_select(1, lib.tensor([2, 2, 0])), lambda a: a[:, [2, 2, 0]], A),
    "take": (lambda lib, b: b.take(lib.tensor([[5, -1]])), lambda b: b.take([[5, -1]]), B),
    "masked_select": (lambda lib, b: b.masked_select(lib.tensor([True, False, False, True])), lambda b: b[:, [0, 3]].reshape(-1), B),
    "masked_fill": (lambda lib, b: b.masked_fill(lib.tensor([True, False, False, True]), 2), lambda b: np.where([True, False, False, True], 2, b), B),
    "matmul": (lambda lib, a, c: a @ c, lambda a, c: a @ c, A, C),
    "mv": (lambda lib, b, c: b.mv(c[:, 0]), lambda b, c: b @ c[:, 0], B, C),
    "inner": (lambda lib, b: lib.inner(b, b), lambda b: np.inner(b, b), B),
    "outer": (lambda lib, b: lib.outer(b[0], b[:, 1]), lambda b: np.outer(b[0], b[:, 1]), B),
    "addmm": (lambda lib, b, c: lib.addmm(c[0], b, c, beta=2, alpha=-1), lambda b, c: 2 * c[0] - b @ c, B, C),
    "einsum": (lambda lib, a, c: lib.einsum("nij,jk->ink", a, c), lambda a, c: np.einsum("nij,jk->ink", a, c), A, C),
    "einsum of one": (lambda lib, a: lib.einsum("...ij->j...", a), lambda a: np.einsum("...ij->j...", a), A),
    "einsum of three": (lambda lib, a, b, c: lib.einsum("nij,ij,jk->nk", a, b, c), lambda a, b, c: np.einsum("nij,ij,jk->nk", a, b, c), A, B, C),
}  # fmt: skip


@pytest.mark.parametrize("name", LIKE_NUMPY)
def test_as_numpy(name):
    ours, numpys, *arrays = LIKE_NUMPY[name]
    y = ours(engine, *map(engine.tensor, arrays))
    np.testing.assert_allclose(y.numpy(), numpys(*arrays), rtol=1e-12)
    inputs = tuple(engine.tensor(a, requires_grad=True) for a in arrays)
    assert gradcheck(lambda *x: ours(engine, *x), inputs)


@pytest.mark.parametrize("change", [
    lambda x: x.scatter_add_(0, engine.tensor([[0, 1, 1, 2]]), engine.ones(1, 4, dtype="float64")), lambda x: x.masked_fill_(x.detach() > 0, 3.0),
    lambda x: x.index_fill_(1, engine.tensor([0, 2]), 0.0), lambda x: x.tril_(), lambda x: x.cumsum_(1), lambda x: x.index_add_(0, engine.tensor([1, 1]), engine.tensor(B[:2])),
    lambda x: x.unsqueeze_(1), lambda x: x.t_(), lambda x: x.transpose_(0, 1), lambda x: x.addmm_(engine.tensor(B[:, :3]), engine.tensor(B)), lambda x: x.copy_(x * 2),
])  # fmt: skip
def test_changes_in_place_have_gradients(change):
    def f(x):
        y = x * 1
        assert change(y) is y
        return y * y

    assert gradcheck(f, (engine.tensor(B, requires_grad=True),))


def test_parts_of_a_whole_are_views_of_it():
    x = engine.zeros(2, 6)
    for part in (
        *x.split(2, 1),
        *x.chunk(3, 1),
        *x.unbind(0),
        *x.tensor_split(2, 1),
        x.narrow(1, 0, 2),
        x.select(0, 1),
        x.diagonal(),
        x.unfold(1, 2, 2),
    ):
        assert np.shares_memory(part.numpy(), x.numpy())
    x.chunk(3, 1)[1].fill_(2)
    x.diagonal().add_(1)
    x.unbind(0)[1][5] = 7
    assert x.tolist() == [[1, 0, 2, 2, 0, 0], [0, 1, 2, 2, 0, 7]]


def test_a_part_that_is_used_alone_gives_the_rest_no_gradient():
    x = engine.tensor(B, requires_grad=True)
    first, _, third = x.split([1, 1, 2], 1)
    (first.sum() * 2 + third[0, 1]).backward()
    assert x.grad.tolist() == [[2, 0, 0, 1], [2, 0, 0, 0], [2, 0, 0, 0]]


def test_a_change_through_a_part_is_seen_by_the_tape():
    x = engine.tensor(B, requires_grad=True) * 1
    y = x * x
    with engine.no_grad():
        x.unbind(0)[0].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_nothing_that_was_not_asked_for_is_computed_on_shapes_alone():
    x = engine.zeros(10**6, 10**6, device="meta")
    assert x.chunk(2, 1)[1].shape == (10**6, 5 * 10**5) and x.unsqueeze(0).squeeze(0).t().shape == x.shape
    assert x[:4, :5].scatter(1, engine.zeros(4, 1, dtype="int64", device="meta"), 1.0).shape == (4, 5)


def test_how_tensors_print():
    x = engine.tensor([1 / 3, 1e-7])
    before = repr(x)
    try:
        engine.set_printoptions(precision=2, sci_mode=False)
        assert repr(x) == "tensor([0.33, 0.00])"
        engine.set_printoptions(profile="full")
        assert "..." not in repr(engine.arange(2000))
        engine.set_printoptions(threshold=5, edgeitems=1, linewidth=40)
        assert repr(engine.arange(2000)) == "tensor([   0,  ..., 1999])"
        with pytest.raises(ValueError, match="default, short, full"):
            engine.set_printoptions(profile="long")
    finally:
        engine.set_printoptions(profile="default")
    assert repr(x) == before


def test_methods_in_place_that_are_functions_too():
    x = engine.tensor([-1.0, 4.0], requires_grad=True)
    y = x * 2
    assert engine.relu_(y) is y and y.tolist() == [0, 8]
    assert engine.clamp_(y, max=6) is y and engine.sqrt_(y.add_(3)) is y
    y.sum().backward()
    assert y.tolist() == pytest.approx([3**0.5, 3]) and x.grad.tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="leaf"):
        engine.exp_(x)
    with pytest.raises(TypeError, match="must be a Tensor, got list"):
        engine.exp_([1.0])
