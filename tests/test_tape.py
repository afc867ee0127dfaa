"""The tape: what is recorded, what backward adds up, what memory a graph holds, and where gradients end."""

import gc
import threading
import weakref

import numpy as np
import pytest

import engine
from engine.ops.norm import batch_norm_train
from engine.tensor import record


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    """Every test runs on every backend: the tape must not care."""
    with engine.use_backend(request.param):
        yield request.param


def leaf(values, dtype="float32"):
    return engine.tensor(values, dtype=dtype, requires_grad=True)


def normal(*shape):
    return engine.tensor(np.random.default_rng(0).standard_normal(shape), dtype="float64", requires_grad=True)


# ---- recording


def test_nothing_is_recorded_without_a_leaf_that_wants_a_gradient():
    y = engine.tensor([1.0, 2.0]) * 3 + 1
    assert not y.requires_grad and y.grad_fn is None and y.is_leaf


def test_an_output_knows_the_operation_that_made_it():
    x = leaf([1.0])
    assert x.is_leaf and x.requires_grad and x.grad_fn is None
    y = x * 2
    assert not y.is_leaf and y.requires_grad and repr(y.grad_fn) == "<MulBackward0>"
    assert y.grad is None, "only leaves keep gradients"


def test_comparisons_and_indices_have_no_gradient():
    x = leaf([[1.0, 3.0, 2.0]])
    assert not (x > 1).requires_grad
    assert not x.argmax(1).requires_grad
    values, indices = x.max(1)
    assert values.requires_grad and not indices.requires_grad


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_integers_and_bools_refuse_to_require_gradients(dtype):
    with pytest.raises(RuntimeError, match="only tensors of floating point dtype can require gradients"):
        engine.zeros(2, dtype=dtype, requires_grad=True)
    with pytest.raises(RuntimeError, match="floating point"):
        engine.zeros(2, dtype=dtype).requires_grad_()


def test_requires_grad_of_a_result_cannot_be_switched_off():
    y = leaf([1.0]) * 2
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = False
    assert not y.detach().requires_grad


# ---- backward


def test_a_chain_of_10000_operations():
    x = leaf(1.0, "float64")
    y = x
    for _ in range(5000):
        y = y * 1.0001 + 0.5
    y.backward()
    assert x.grad.item() == pytest.approx(1.0001**5000, rel=1e-12)


def test_a_chain_of_100000_operations_is_dropped_without_recursion():
    y = leaf(1.0)
    for _ in range(100_000):
        y = y + 1
    del y


def test_an_operation_is_visited_once_however_many_paths_lead_to_it():
    x = leaf(1.0, "float64")
    y = x
    for _ in range(60):  # 2**60 paths
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_diamond():
    x = leaf([2.0, 3.0], "float64")
    y = x * x
    z = (y * x + y.exp() * y).sum()  # x^3 + x^2 exp(x^2)
    z.backward()
    v = np.array([2.0, 3.0])
    expected = 3 * v**2 + (2 * v + 2 * v**3) * np.exp(v**2)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)


def test_fan_out_to_many_users():
    x = leaf([1.0, 2.0], "float64")
    h = x * 1
    engine.stack([h * i for i in range(100)]).sum().backward()
    assert x.grad.tolist() == [4950.0, 4950.0]


def test_gradients_add_up_over_calls_in_the_same_buffer():
    x = leaf([1.0, 2.0])
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward()
    assert x.grad is first and x.grad.tolist() == [7.0, 7.0]


def test_a_leaf_is_its_own_graph():
    x = leaf(2.0)
    x.backward()
    x.backward()
    assert x.grad.item() == 2.0


def test_retain_graph_allows_a_second_backward_and_only_then():
    x = leaf([2.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(RuntimeError, match=r"backward through the graph a second time.*retain_graph=True"):
        y.backward()
    assert x.grad.tolist() == [8.0], "a refused backward leaves gradients alone"


def test_part_of_a_graph_that_was_used_up_names_its_operation():
    x = leaf([2.0])
    h = x.exp()
    h.sum().backward()
    with pytest.raises(RuntimeError, match="^exp: Trying to backward through the graph a second time"):
        (h * 2).sum().backward()


def test_the_gradient_argument_weighs_and_is_checked():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    (x * 2).backward(gradient=engine.tensor([[1.0, 0.0], [0.5, 2.0]]))
    assert x.grad.tolist() == [[2.0, 0.0], [1.0, 4.0]]
    with pytest.raises(RuntimeError, match=r"gradient has shape \(2,\), expected \(2, 2\)"):
        (x * 2).backward(gradient=engine.ones(2))
    with pytest.raises(RuntimeError, match=r"only for scalar outputs, got shape \(2, 2\)"):
        (x * 2).backward()


def test_backward_without_a_graph_says_why():
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        engine.ones(()).backward()


def test_create_graph_is_refused_by_name():
    with pytest.raises(NotImplementedError, match="create_graph=True"):
        leaf(1.0).backward(create_graph=True)


def test_outputs_of_one_operation_can_be_used_alone_or_together():
    x = normal(3, 4, 2, 2)
    y, mean, var = batch_norm_train(x)
    (y * y * y).sum().backward()
    assert x.grad is not None
    a = normal(4, 3)
    values, indices = a.max(1)
    (values * values).sum().backward()
    dense = np.zeros((4, 3))
    array = a.detach().numpy()
    dense[np.arange(4), indices.numpy()] = 2 * array.max(1)
    np.testing.assert_array_equal(a.grad.numpy(), dense)


def test_two_threads_train_at_once():
    results = {}

    def work(name, factor):
        with engine.use_backend("reference"):
            x = leaf([1.0] * 50, "float64")
            for _ in range(200):
                (x * factor).sum().backward()
            results[name] = x.grad.tolist()

    threads = [threading.Thread(target=work, args=(i, float(i))) for i in (1, 2, 3)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert results == {i: [200.0 * i] * 50 for i in (1, 2, 3)}


# ---- memory


@pytest.fixture
def counting_alone():
    """Arrays must go when their last reference does, not when the collector runs."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def spy(x, look):
    """x, through an operation whose derivative calls `look`."""

    def vjp(g):
        look()
        return g

    return record("spy", x._k, x._k.copy(x._array), (vjp,), (x,))


@pytest.mark.usefixtures("counting_alone")
def test_backward_frees_what_it_has_consumed():
    x, alive = leaf([1.0, 2.0]), []
    a = spy(x * 1, lambda: alive.append([ref() is not None for ref in refs])).exp()
    b = spy(a, lambda: alive.append([ref() is not None for ref in refs])).exp()
    loss = b.sum()
    refs = [weakref.ref(a._array), weakref.ref(b._array)]
    del a, b
    assert [ref() is not None for ref in refs] == [True, True], "backward still needs both"
    loss.backward()
    assert alive == [[True, False], [False, False]], "each went as soon as its operation was done"
    assert x.grad is not None


@pytest.mark.usefixtures("counting_alone")
def test_retain_graph_keeps_what_backward_needs():
    x = leaf([1.0])
    h = x.exp()
    loss = h.sum()
    ref = weakref.ref(h._array)
    del h
    loss.backward(retain_graph=True)
    assert ref() is not None
    loss.backward()
    assert ref() is None


@pytest.mark.usefixtures("counting_alone")
def test_only_what_a_wanted_gradient_needs_is_held():
    x, w = engine.ones(2, 3), leaf([[1.0, 2.0, 3.0]])
    weights = w + 0.0  # addition captures no values
    y = engine.nn.functional.linear(x, weights)  # dw needs x; dx, which needs the weights, is not wanted
    refs = weakref.ref(weights._array), weakref.ref(x._array)
    del weights, x
    assert refs[0]() is None and refs[1]() is not None, "graph alive, weights gone"
    y.sum().backward()
    assert w.grad.tolist() == [[2.0, 2.0, 2.0]]

    inputs = leaf([[1.0, 2.0, 3.0]]) + 0.0
    y = engine.nn.functional.linear(inputs, engine.ones(4, 3))
    ref = weakref.ref(inputs._array)
    del inputs
    assert ref() is None


@pytest.mark.usefixtures("counting_alone")
def test_a_graph_goes_with_its_last_output():
    h = leaf([1.0]).exp()
    y = h * h
    ref = weakref.ref(h._array)
    del h, y
    assert ref() is None


# ---- gradients of leaves are their own


def _memory(t):
    return np.asarray(t.grad.numpy() if t.requires_grad else t.numpy())


@pytest.mark.parametrize("f", [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a + b + a,
    lambda a, b: a.reshape(-1).reshape(2, 3) + b.view(3, 2).view(2, 3),
    lambda a, b: a.t().t() + b.clone(),
    lambda a, b: engine.where(engine.ones(2, 3, dtype="bool"), a, b) + b,
    lambda a, b: engine.cat([a, b]).sum() + a[:] + b[:, :],
    lambda a, b: a.expand(2, 3) + b.squeeze(),
], ids=range(8))  # fmt: skip
def test_gradients_never_alias_one_another_or_what_came_in(f):
    a, b, seed = leaf([[1.0, 2, 3], [4, 5, 6]]), leaf([[1.0] * 3] * 2), engine.ones(2, 3)
    y = f(a, b)
    y.backward(gradient=seed, retain_graph=True)
    first = a.grad.tolist(), b.grad.tolist()
    memories = _memory(a), _memory(b), seed.numpy()
    for i, p in enumerate(memories):
        assert p.flags.writeable and p.flags.c_contiguous
        for q in memories[:i]:
            assert not np.shares_memory(p, q)
    a.grad.zero_()
    seed.fill_(5.0)
    assert b.grad.tolist() == first[1]
    y.backward(gradient=engine.ones(2, 3))
    assert a.grad.tolist() == first[0]
    assert b.grad.tolist() == [[2 * v for v in row] for row in first[1]]


def test_the_gradient_of_a_sum_is_writable():
    x = leaf([[1.0, 2.0]])
    x.sum().backward()
    x.grad.add_(1)
    assert x.grad.tolist() == [[2.0, 2.0]]
    one = leaf([3.0])
    one.sum().backward()
    one.grad.mul_(2)
    assert one.grad.tolist() == [2.0]


# ---- grad modes


def test_no_grad_and_enable_grad_nest_and_survive_exceptions():
    x = leaf([1.0])
    with engine.no_grad():
        assert not engine.is_grad_enabled() and not (x * 2).requires_grad
        with engine.enable_grad():
            assert (x * 2).requires_grad
            with engine.no_grad(), engine.no_grad():
                assert not (x * 2).requires_grad
            assert engine.is_grad_enabled()
        with pytest.raises(KeyError), engine.enable_grad():
            raise KeyError
        assert not engine.is_grad_enabled()
    assert engine.is_grad_enabled() and (x * 2).requires_grad


def test_one_no_grad_object_may_be_entered_again_inside_itself():
    off = engine.no_grad()
    with off:
        with off:
            pass
        assert not engine.is_grad_enabled()
    assert engine.is_grad_enabled()


@pytest.mark.parametrize("make, wanted", [
    (engine.no_grad, False), (engine.enable_grad, True),
    (lambda: engine.set_grad_enabled(False), False), (lambda: engine.set_grad_enabled(True), True),
], ids=["no_grad", "enable_grad", "set_grad_enabled-False", "set_grad_enabled-True"])  # fmt: skip
@pytest.mark.parametrize("around", [True, False])
def test_modes_decorate(make, wanted, around):
    with engine.enable_grad() if around else engine.no_grad():

        @make()
        def f(n):
            """Counts down."""
            return [engine.is_grad_enabled()] + (f(n - 1) if n else [])

        assert engine.is_grad_enabled() == around, "decorating changes nothing yet"
        assert f(2) == [wanted] * 3 and engine.is_grad_enabled() == around
    assert f.__name__ == "f" and f.__doc__ == "Counts down."


def test_set_grad_enabled_as_a_call_and_as_a_context():
    try:
        engine.set_grad_enabled(False)
        assert not engine.is_grad_enabled()
        with engine.set_grad_enabled(True):
            assert engine.is_grad_enabled()
        assert not engine.is_grad_enabled()
    finally:
        engine.set_grad_enabled(True)


def test_modes_belong_to_their_thread():
    seen = []
    with engine.no_grad():
        thread = threading.Thread(target=lambda: seen.append(engine.is_grad_enabled()))
        thread.start()
        thread.join(60)
    assert seen == [True]


def test_the_first_gradient_is_kept_without_a_copy_where_it_is_nobody_elses():
    k, copies = engine.backends.default(), []
    w, x = engine.randn(3, 4, requires_grad=True), engine.randn(5, 4)
    y = engine.matmul(x, w.t()).sum()
    whole = engine.nn.functional.linear(x, w).sum()
    before = k.copy
    try:
        k.copy = lambda a: copies.append(a.shape) or before(a)
        whole.backward()
        assert not copies
        w.grad = None
        y.backward()  # the gradient of a transposed view is no contiguous array: a copy
        assert copies == [(3, 4)]
    finally:
        del k.copy


def test_no_grad_decorates_without_parentheses():
    x = engine.ones(2, requires_grad=True)

    @engine.no_grad
    def f():
        return x * 2

    assert not f().requires_grad and (x * 2).requires_grad


@pytest.mark.parametrize("switch, inside", [(engine.no_grad(), False), (engine.enable_grad(), True)])
def test_decorated_generators_are_inside_at_each_step_only(switch, inside):
    seen, closed = [], []

    @switch
    def steps():
        try:
            while True:
                try:
                    seen.append((engine.is_grad_enabled(), (yield len(seen))))
                except KeyError as error:
                    seen.append((engine.is_grad_enabled(), error.args[0]))
                if len(seen) == 3:
                    return "end"
        finally:
            closed.append(engine.is_grad_enabled())

    with engine.enable_grad() if not inside else engine.no_grad():
        it = steps()
        assert next(it) == 0 and it.send("a") == 1 and it.throw(KeyError("b")) == 2
        assert engine.is_grad_enabled() is not inside
        with pytest.raises(StopIteration, match="end"):
            it.send("c")
        assert seen == [(inside, "a"), (inside, "b"), (inside, "c")] and closed == [inside]
        other = steps()
        seen.clear()
        next(other), other.close()
        assert closed == [inside, inside] and engine.is_grad_enabled() is not inside


def test_gradients_that_meet_are_added_onto_one_that_nobody_holds(monkeypatch):
    x = engine.tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True)
    k, onto = x._k, []
    add = k.add
    monkeypatch.setitem(k.__dict__, "add", lambda a, b, out=None: onto.append(out is not None) or add(a, b, out))
    h = x * 2
    (h.relu() * h.tanh()).sum().backward()
    assert True in onto
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.where(h.detach().numpy() > 0, np.tanh(h.detach().numpy()), 0)
                               + 2 * np.maximum(h.detach().numpy(), 0) / np.cosh(h.detach().numpy()) ** 2, rtol=1e-5)  # fmt: skip


def test_gradients_that_somebody_holds_stay_when_others_are_added():
    x, held = engine.ones(2, 2, requires_grad=True), []
    h = x * 3
    (part := h.reshape(4)).register_hook(held.append)
    (same := h + 0).register_hook(held.append)
    g = engine.ones(4)
    engine.autograd.backward([part, same, h.sin(), h], [g, engine.ones(2, 2), engine.ones(2, 2), engine.ones(2, 2)])
    assert [t.sum().item() for t in held] == [4, 4] and g.sum().item() == 4
    np.testing.assert_allclose(x.grad.numpy(), 3 * (3 + np.cos(np.full((2, 2), 3.0))), rtol=1e-6)
