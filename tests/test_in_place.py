"""In-place operations: right where they are permitted, refused by name where a gradient would be wrong."""

import numpy as np
import pytest

import engine
from engine import nn
from engine.autograd import gradcheck


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def leaf(values, dtype="float64"):
    return engine.tensor(values, dtype=dtype, requires_grad=True)


def changed(op, by):
    return rf"^{op}: a tensor needed for its gradient has been modified by an inplace operation \({by}\) after {op} used it"


# ---- permitted


@pytest.mark.parametrize("change", [
    lambda h, c: h.add_(c), lambda h, c: h.sub_(c), lambda h, c: h.add_(2), lambda h, c: h.mul_(3),
    lambda h, c: h.div_(-4), lambda h, c: h.div_(c), lambda h, c: h.neg_(), lambda h, c: h.exp_(), lambda h, c: h.relu_(),
    lambda h, c: h.sigmoid_(), lambda h, c: h.tanh_(), lambda h, c: h.exp_().sqrt_(),
    lambda h, c: nn.functional.relu(h, inplace=True), lambda h, c: h.mul_(c), lambda h, c: h.abs_().add_(1).log_(),
    lambda h, c: h.square_(), lambda h, c: h.pow_(3), lambda h, c: h.clamp_(-0.5, 0.5), lambda h, c: h.addcmul_(c, c),
    lambda h, c: nn.functional.silu(h, inplace=True),
], ids="add sub add-number mul-number div-number div neg exp relu sigmoid tanh exp-sqrt functional mul log square pow clamp addcmul silu".split())  # fmt: skip
def test_in_place_on_an_intermediate(change):
    values = np.random.default_rng(0).standard_normal((3, 4))
    x, c = leaf(values), leaf(np.linspace(1, 2, 4))

    def f(x, c):
        h = x + 0.0
        assert change(h, c) is h
        return h * c

    assert gradcheck(f, (x, c))


def test_augmented_assignment_is_in_place():
    x = leaf([1.0, 2.0])
    h = kept = x * 1
    h += x
    h *= 2
    h -= 3
    h /= 2
    assert h is kept
    h.sum().backward()
    assert h.tolist() == [0.5, 2.5] and x.grad.tolist() == [2.0, 2.0]


def test_what_no_gradient_needs_may_change():
    x = leaf([1.0, 2.0])
    h = x * 3  # needs the 3 alone
    y = h + x  # needs nothing
    with engine.no_grad():
        h.zero_()
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_a_change_before_the_use_is_no_change_after_it():
    x = leaf([2.0])
    h = x * 1
    h.add_(1)
    (h * h).sum().backward()
    assert x.grad.tolist() == [6.0]


def test_one_array_may_change_while_another_is_needed():
    x, other = leaf([2.0]), engine.ones(1, dtype="float64")
    y = x * x
    other.add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [4.0]


def test_leaves_change_under_no_grad_and_stay_leaves():
    w = leaf([1.0])
    with engine.no_grad():
        w.sub_(0.25)
        w[0] = w[0] * 2
    assert w.is_leaf and w.requires_grad and w.tolist() == [1.5]


# ---- refused


def test_an_output_that_its_derivative_needs():
    y = leaf([1.0]).exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match=changed("exp", "add_")):
        y.sum().backward()


def test_an_input_that_a_derivative_needs():
    h = leaf([1.0]) * 1
    y = h * h
    h.add_(1)
    with pytest.raises(RuntimeError, match=changed("mul", "add_") + r".*clone\(\)"):
        y.sum().backward()


def test_an_operation_that_overwrites_its_second_operand_too():
    h = leaf([1.0, 2.0]) * 1
    h.mul_(h)
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation \(mul_\).*the form without underscore"):
        h.sum().backward()


@pytest.mark.parametrize("modify, op", [
    (lambda w: w.add_(1), "add_"), (lambda w: w.detach().zero_(), "fill_"), (lambda w: w.data.fill_(3), "fill_"),
    (lambda w: w.__setitem__(0, 5.0), "setitem"), (lambda w: w[1:].mul_(2), "mul_"),
    (lambda w: w.reshape(-1).copy_(engine.zeros(2)), "copy_"), (lambda w: nn.init.normal_(w), "normal_"),
    (lambda w: nn.init.constant_(w, 2), "fill_"), (lambda w: w.t().exp_(), "exp_"),
], ids="op detach data setitem slice reshape init constant transpose".split())  # fmt: skip
def test_weights_that_changed_between_forward_and_backward(modify, op):
    w, x = leaf([1.0, 2.0]), leaf([1.0, 1.0])
    y = x * w
    with engine.no_grad():
        modify(w)
    with pytest.raises(RuntimeError, match=changed("mul", op)):
        y.sum().backward()


def test_a_change_seen_through_a_captured_view():
    x, h = leaf([[1.0, 2.0]]), engine.tensor([3.0, 4.0], dtype="float64")
    y = x * h.reshape(1, 2)
    h.zero_()
    with pytest.raises(RuntimeError, match=changed("mul", "fill_")):
        y.sum().backward()


def test_an_optimiser_step_between_forward_and_backward():
    model, x = nn.Linear(2, 1), engine.ones(1, 2, requires_grad=True)
    for optimiser, name in (
        (engine.optim.SGD(model.parameters(), lr=0.1), "sgd"),
        (engine.optim.Adam(model.parameters()), "adam"),
    ):
        loss = model(x).sum()
        model(x).sum().backward()
        optimiser.step()
        with pytest.raises(RuntimeError, match=changed("linear", name)):
            loss.backward()


def test_batch_norm_in_eval_mode_whose_statistics_changed():
    layer, x = nn.BatchNorm2d(1).eval(), engine.ones(2, 1, 2, 2, requires_grad=True)
    layer.weight.requires_grad_(True)
    y = layer(x).sum()
    layer.train()(x)
    with pytest.raises(RuntimeError, match=changed("batch_norm_eval", "batch_norm")):
        y.backward()


@pytest.mark.parametrize("modify, op", [
    (lambda w: w.add_(1), "add_"), (lambda w: w.zero_(), "fill_"), (lambda w: w.fill_(2), "fill_"),
    (lambda w: w.copy_(engine.zeros(2)), "copy_"), (lambda w: w.__setitem__(0, 1.0), "setitem"),
    (lambda w: w.__iadd__(1), "add_"), (lambda w: w.relu_(), "relu_"),
], ids="add zero fill copy setitem iadd relu".split())  # fmt: skip
def test_a_leaf_that_wants_a_gradient(modify, op):
    w = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=rf"^{op}: a leaf tensor that requires grad .* in-place operation.*no_grad"):
        modify(w)
    assert w.tolist() == [1.0, 2.0] and w.is_leaf


def test_a_view_that_wants_a_gradient():
    h = leaf([1.0, 2.0]) * 1
    with pytest.raises(RuntimeError, match="^mul_: in-place operation on a view whose gradient is wanted"):
        h[0].mul_(2)
    assert h.tolist() == [1.0, 2.0]


def test_a_view_whose_base_changed_after_it_was_taken():
    h = leaf([1.0, 2.0]) * 1
    v = h[0]
    h.mul_(2)
    with pytest.raises(
        RuntimeError, match="^mul_: this view's base was modified by an inplace operation after the view"
    ):
        v.backward()
    h[0].backward()


def test_views_that_are_gone_are_forgotten():
    h = leaf([1.0, 2.0]) * 1
    kept = [h[0] for _ in range(3)]
    for _ in range(1000):
        h[1]
    assert len(h._version.views) < 20
    h.add_(1)
    for view in kept:
        with pytest.raises(RuntimeError, match="after the view was taken"):
            view.backward()


@pytest.mark.parametrize("change, message", [
    (lambda x: x.add_(engine.ones(3, 2)), r"^add_: the result has shape \(3, 2\), which does not fit into shape \(2,\)"),
    (lambda x: x.long().add_(0.5), r"^add_: result type float32 can't be cast to the tensor's type int64"),
    (lambda x: x.bool().add_(1), "^add_: result type int64 can't be cast"),
], ids="shape float-into-int int-into-bool".split())  # fmt: skip
def test_results_that_do_not_fit(change, message):
    with pytest.raises(RuntimeError, match=message):
        change(engine.ones(2))


# ---- filling and assigning


def test_what_is_filled_has_a_gradient_of_zero():
    x = leaf([1.0, 2.0])
    for fill in (
        lambda h: h.zero_(),
        lambda h: h.fill_(3),
        lambda h: h.copy_(engine.ones(2)),
        lambda h: h.uniform_(),
        lambda h: h.eq_(2),
    ):
        h = x * 2
        fill(h)
        assert h.requires_grad and h.dtype == engine.float64
        x.grad = None
        (h * x).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), h.detach().numpy())


def test_copying_takes_over_the_source_with_its_history():
    x = leaf([1.0, 2.0])
    h = engine.zeros(2, 2, dtype="float64")
    h.copy_(x * 3)
    h.sum().backward()
    assert h.tolist() == [[3.0, 6.0]] * 2 and x.grad.tolist() == [6.0, 6.0]


ASSIGNMENTS = {
    "number": (1, ()), "row": (0, (4,)), "broadcast row": (slice(None), (4,)), "slice": (slice(0, 2), (2, 4)),
    "strided": ((slice(None), slice(None, None, 2)), (3, 2)), "element": ((1, 2), ()), "ellipsis": ((..., 0), (3,)),
    "list": ([0, 2], (2, 4)), "leading ones": (0, (1, 1, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_assignment_has_gradients_on_both_sides(name):
    index, shape = ASSIGNMENTS[name]
    rng = np.random.default_rng(0)
    x, value = leaf(rng.standard_normal((3, 4))), leaf(rng.standard_normal(shape))

    def f(x, value):
        h = x * 2
        h[index] = value * 3
        return h * h

    assert gradcheck(f, (x, value))


def test_assignment_by_mask_and_by_integer_tensor():
    x = leaf([1.0, 2.0, 3.0])
    h = x * 1
    h[h > 1.5] = 0.0
    h[engine.tensor([0])] = engine.tensor([7.0], dtype="float64")
    h.sum().backward()
    assert h.tolist() == [7.0, 0.0, 0.0] and x.grad.tolist() == [0.0, 0.0, 0.0]


def test_assigning_a_taped_value_records_it():
    x, base = leaf([2.0]), engine.zeros(3, dtype="float64")
    base[1:2] = x * 5
    base.sum().backward()
    assert base.tolist() == [0.0, 10.0, 0.0] and x.grad.tolist() == [5.0]


def test_a_view_taken_before_its_base_gained_a_history_is_refused():
    base, x = engine.zeros(3), engine.ones(3, requires_grad=True)
    view = base[0:1]
    base.add_(x)
    with pytest.raises(RuntimeError, match="base was modified by an inplace operation"):
        view.sum().backward()


# ---- one pass


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "exp", "log", "sqrt", "neg"])
def test_written_onto_the_input_where_nothing_is_recorded(name, monkeypatch):
    values = np.random.default_rng(0).standard_normal((3, 50)).astype("float32") ** 2 - 0.1
    x = engine.tensor(values)
    expected = getattr(x, name)().numpy()
    for part in (x, x.clone().permute(1, 0), x.clone()[:, ::2], engine.tensor(values, requires_grad=True)):
        wanted, array = getattr(part.detach().clone(), name)(), part._array
        with engine.no_grad(), monkeypatch.context() as m:
            m.setitem(x._k.__dict__, "assign", None)
            assert getattr(part, name + "_")() is part
        assert part._array is array and part._version.op == name + "_"
        np.testing.assert_allclose(array, wanted.numpy(), rtol=1e-6)
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-6)


def test_a_gradient_sees_what_was_written_onto_its_input():
    x = leaf([1.0, -2.0])
    y = x * x
    with engine.no_grad():
        x.relu_()
    with pytest.raises(RuntimeError, match=changed("mul", "relu_")):
        y.sum().backward()


def test_what_repeats_one_element_is_not_written_onto():
    with pytest.raises(RuntimeError, match=r"relu_: unsupported operation: more than one element.*clone\(\)"):
        engine.ones(1).expand(4).relu_()
