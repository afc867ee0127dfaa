"""grad, Function, hooks on tensors and detect_anomaly."""

import gc
import weakref

import numpy as np
import pytest

import engine
from engine import nn
from engine.autograd import Function, backward, detect_anomaly, grad, gradcheck, set_detect_anomaly


def leaf(*shape, seed=0, dtype="float32"):
    return engine.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def same(t, array):
    np.testing.assert_allclose(t.detach().numpy(), array, rtol=1e-6, atol=1e-6)


# ---- grad and backward


def test_grad_returns_gradients_and_touches_no_leaf():
    x, w = leaf(4), leaf(4, seed=1)
    h = x * w
    y = (h * h).sum()
    gx, gh = grad(y, (x, h))
    same(gx, 2 * (x * w * w).detach().numpy())
    same(gh, 2 * h.detach().numpy())
    assert x.grad is None and w.grad is None and h.grad is None


def test_grad_runs_only_what_leads_to_its_inputs():
    x, w = leaf(3), leaf(3, seed=1)
    h = x * w
    (gh,) = grad((h * 2).sum(), h)  # x * w is not run, so its part of the tape is whole
    same(gh, [2, 2, 2])
    h.sum().backward()
    same(x.grad, w.detach().numpy())


def test_grad_of_several_outputs_is_that_of_their_sum():
    x = leaf(3)
    y, z = x * 2, x * x
    (g,) = grad((y, z), x, (engine.ones(3), engine.tensor([1.0, 0.0, 2.0])))
    same(g, 2 + 2 * x.detach().numpy() * [1, 0, 2])
    (g,) = grad((x.sum(), (x * x).sum()), [x])
    same(g, 1 + 2 * x.detach().numpy())


def test_grad_of_what_is_not_used():
    x, unused = leaf(3), leaf(2)
    with pytest.raises(RuntimeError, match="input 1.*not have been used"):
        grad(x.sum(), (x, unused))
    assert grad((x * 1).sum(), (x, unused), allow_unused=True)[1] is None
    same(grad((x * 1).sum(), (x, unused), materialize_grads=True)[1], [0, 0])
    with pytest.raises(RuntimeError, match="input 0.*does not require grad"):
        grad(x.sum(), engine.ones(3))
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        grad(engine.ones(()), x)
    with pytest.raises(NotImplementedError, match="create_graph"):
        grad(x.sum(), x, create_graph=True)


def test_grad_keeps_the_tape_when_asked():
    x = leaf(3)
    y = (x * x).sum()
    first = grad(y, x, retain_graph=True)[0]
    same(grad(y, x)[0], first.numpy())
    with pytest.raises(RuntimeError, match="second time"):
        grad(y, x)


def test_backward_of_several():
    x = leaf(3)
    backward([(x * 2).sum(), x * x], [None, engine.ones(3)])
    same(x.grad, 2 + 2 * x.detach().numpy())
    with pytest.raises(RuntimeError, match="2 tensors and 3 gradients"):
        backward([x.sum(), x.sum()], [None, None, None])


def test_backward_into_chosen_inputs():
    x, w = leaf(3), leaf(3, seed=1)
    (x * w).sum().backward(inputs=[x])
    same(x.grad, w.detach().numpy())
    assert w.grad is None


# ---- hooks on tensors


def test_a_hook_sees_and_changes_the_gradient():
    x, seen = leaf(3), []
    h = x * 2
    handle = h.register_hook(lambda g: seen.append(g.tolist()))
    h.register_hook(lambda g: g * 10)
    (h * 3 + h).sum().backward()
    assert seen == [[4, 4, 4]]  # the whole gradient, once
    same(x.grad, [80, 80, 80])
    handle.remove()
    h = x * 2
    with h.register_hook(lambda g: g * 0):
        pass
    x.grad = None
    h.sum().backward()
    assert len(seen) == 1
    same(x.grad, [2, 2, 2])


def test_a_hook_on_a_leaf_sees_its_whole_gradient():
    x, seen = leaf(2), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    handle = x.register_hook(lambda g: g / 2)
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    (x * 3 + x).sum().backward()
    assert seen == [[4, 4], [2, 2]]
    handle.remove()
    x.sum().backward()
    same(x.grad, [3, 3])
    assert grad((x * 2).sum(), x)[0].tolist() == [2, 2] and len(seen) == 5


def test_hooks_need_a_gradient():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        engine.ones(3).register_hook(print)
    with pytest.raises(RuntimeError, match="non-leaf"):
        (leaf(3) * 2).register_post_accumulate_grad_hook(print)
    with pytest.raises(RuntimeError, match="requires_grad=False"):
        engine.ones(3).retain_grad()


def test_retained_gradients_of_results():
    x = leaf(3)
    h = x * 2
    h.retain_grad()
    (h * h).sum().backward()
    same(h.grad, 2 * h.detach().numpy())
    x.retain_grad()
    same(x.grad, 8 * x.detach().numpy())


def test_a_hook_keeps_no_tensor_alive():
    x = leaf(3)
    h = x * 2
    h.register_hook(lambda g: None)
    h.retain_grad()
    gone = weakref.ref(h)
    del h
    assert gone() is None


def test_in_place_changes_are_noticed_behind_hooks():
    x = leaf(3)
    h = x.exp()
    h.register_hook(lambda g: g)
    h.data.mul_(2)
    h.detach().mul_(2)
    with pytest.raises(RuntimeError, match="inplace operation"):
        h.sum().backward()


# ---- Function


class Power(Function):
    @staticmethod
    def forward(ctx, x, n):
        ctx.save_for_backward(x)
        ctx.n = n
        return x**n

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.n * x ** (ctx.n - 1), None


class Both(Function):
    """Two results and a context set up apart from forward."""

    @staticmethod
    def forward(a, b):
        return a * b, a + b

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g, h):
        a, b = ctx.saved_tensors
        return g * b + h, g * a + h


def test_a_function_of_ones_own():
    x = engine.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    y = Power.apply(x, 3)
    assert y.grad_fn is not None and "Power" in repr(y.grad_fn)
    y.sum().backward()
    assert x.grad.tolist() == [3, 12]
    assert gradcheck(lambda t: Power.apply(t, 3), x)
    assert gradcheck(Both.apply, (x, engine.tensor([0.5, -1.0], dtype="float64", requires_grad=True)))
    with engine.no_grad():
        assert not Power.apply(x, 2).requires_grad
    assert not Power.apply(x.detach(), 2).requires_grad


def test_a_missing_gradient_is_zeros_unless_declined():
    given = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x, materialize):
            ctx.set_materialize_grads(materialize)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, g, h):
            given.append(h)
            return g, None

    x = leaf(2)
    Two.apply(x, True)[0].sum().backward()
    Two.apply(x, False)[0].sum().backward()
    assert given[0].tolist() == [0, 0] and given[1] is None


def test_function_knows_what_needs_a_gradient():
    seen = []

    class Look(Function):
        @staticmethod
        def forward(ctx, a, b, n):
            seen.append(ctx.needs_input_grad)
            index = (a > 0).long()
            ctx.mark_non_differentiable(index)
            return a + b, index

        @staticmethod
        def backward(ctx, g, _):
            return g, None, None

    y, index = Look.apply(leaf(2), engine.ones(2), 3)
    assert seen == [(True, False, False)] and y.requires_grad and not index.requires_grad


def test_function_mistakes():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, what):
            ctx.what = what
            return x * 1 if what != "list" else [1.0]

        @staticmethod
        def backward(ctx, g):
            return {"few": (), "shape": (engine.ones(5), None), "type": (1.0, None), "many": (g, None, g)}[ctx.what]

    x = leaf(2)
    for what, error, words in [
        ("few", RuntimeError, "expected 2, got 0"),
        ("many", RuntimeError, "expected 2, got 3"),
        ("shape", RuntimeError, r"got \(5,\) but expected shape compatible with \(2,\)"),
        ("type", TypeError, "got float for argument 0"),
    ]:
        with pytest.raises(error, match=words):
            Wrong.apply(x, what).sum().backward()
    with pytest.raises(TypeError, match="output 0 is float"):
        Wrong.apply(x, "list")
    with pytest.raises(NotImplementedError, match="forward"):
        Function.apply(x)
    with pytest.raises(TypeError, match="save_for_backward"):
        engine.autograd.function.Context(()).save_for_backward(3)


def test_saved_tensors_are_watched_and_freed():
    x = leaf(2)
    kept = x * 1
    y = Power.apply(kept, 2)
    kept.detach().mul_(3)
    with pytest.raises(RuntimeError, match="Power: a tensor needed for its gradient has been modified"):
        y.sum().backward()
    big = x * 2
    gone = weakref.ref(big)
    y = Power.apply(big, 2)
    del big
    assert gone() is not None
    y.sum().backward()
    gc.collect()
    assert gone() is None


def test_a_function_may_return_its_input():
    class Reverse(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return -g

    x = leaf(2)
    y = Reverse.apply(x)
    y.sum().backward()
    same(x.grad, [-1, -1])
    assert y is not x


# ---- detect_anomaly


class Root(nn.Module):
    def forward(self, x):
        return (x * 0).sqrt() * 0  # 0 * inf backwards


def test_nan_names_operation_module_and_line():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(Root()))
    with detect_anomaly(), pytest.raises(RuntimeError) as error:
        net(engine.ones(1, 2)).sum().backward()
    text = str(error.value)
    assert text.startswith("Function 'SqrtBackward0' of model.1.0 (Root) returned nan values in its 0th output.")
    assert "(x * 0).sqrt() * 0" in text
    net(engine.ones(1, 2)).sum().backward()  # outside nothing is checked


def test_anomaly_nests_and_switches_off():
    x = engine.zeros(2, requires_grad=True)
    before = engine.tape.Node.__init__, engine.tape.Node.gradients
    with detect_anomaly(check_nan=False):
        (x.sqrt() * 0).sum().backward()
        with set_detect_anomaly(True), pytest.raises(RuntimeError, match="nan"):
            (x.sqrt() * 0).sum().backward()
        (x.sqrt() * 0).sum().backward()
    set_detect_anomaly(True)
    with pytest.raises(RuntimeError, match="nan"):
        (x.sqrt() * 0).sum().backward()
    set_detect_anomaly(False)
    assert (engine.tape.Node.__init__, engine.tape.Node.gradients) == before
