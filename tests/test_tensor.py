"""Tensors as arrays: making them, sharing memory with NumPy, dtypes, views, Python's protocols, text."""

import numpy as np
import pytest

import engine
from engine import nn
from engine.autograd import gradcheck


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


# ---- making


@pytest.mark.parametrize("data, dtype, shape", [
    (1, "int64", ()), (1.5, "float32", ()), (True, "bool", ()), ([], "float32", (0,)), ([[1, 2], [3, 4]], "int64", (2, 2)),
    ([1, 2.5], "float32", (2,)), ([[True, False]], "bool", (1, 2)), (np.float64(2), "float64", ()),
    (np.arange(3, dtype="int16"), "int16", (3,)), (np.zeros((2, 0)), "float64", (2, 0)),
    (np.arange(3, dtype=">i4"), "int32", (3,)), (np.arange(4.0, dtype=">f8"), "float64", (4,)), (range(3), "int64", (3,)),
])  # fmt: skip
def test_tensor_infers_dtype_and_shape(data, dtype, shape):
    t = engine.tensor(data)
    assert (t.dtype, t.shape) == (dtype, shape) and t.dtype.isnative
    np.testing.assert_array_equal(t.numpy(), np.asarray(data))


def test_tensor_copies():
    a = np.ones(3)
    t = engine.tensor(a)
    a[0] = 5
    u = engine.tensor(t)
    t[1] = 7
    assert t.tolist() == [1, 7, 1] and u.tolist() == [1, 1, 1]
    assert engine.tensor([engine.tensor(1.0), engine.tensor(2.0)]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("data, error, message", [
    ([[1, 2], [3]], ValueError, "do not form a rectangle"), ("abc", TypeError, "could not infer numbers from str"),
    (None, TypeError, "could not infer numbers"), ([None, 1], TypeError, "numbers"), (1j, TypeError, "numbers"),
    (np.zeros(2, "float16"), TypeError, "dtype float16 is not supported; use one of float32"),
    (np.zeros(2, "complex64"), TypeError, "numbers"), ({"a": 1}, TypeError, "dict"),
])  # fmt: skip
def test_what_is_no_tensor(data, error, message):
    with pytest.raises(error, match=message):
        engine.tensor(data)


def test_filled_tensors():
    assert engine.zeros(2, 3).shape == engine.zeros((2, 3)).shape == (2, 3)
    assert engine.ones(2).tolist() == [1.0, 1.0] and engine.ones(()).shape == ()
    assert engine.full((2,), 7).dtype == "int64" and engine.full((2,), 7.0).dtype == "float32"
    assert engine.full((2,), True).dtype == "bool" and engine.zeros(0, 4).numel() == 0
    x = engine.ones(2, dtype="float64")
    assert engine.zeros_like(x).dtype == engine.ones_like(x).dtype == "float64"
    assert engine.arange(4).tolist() == [0, 1, 2, 3] and engine.arange(1, 0, -0.25).tolist() == [1.0, 0.75, 0.5, 0.25]
    assert engine.arange(0).shape == (0,) and engine.arange(2.0).dtype == "float32"
    for bad in (lambda: engine.zeros(-1), lambda: engine.arange(3, 0), lambda: engine.arange(0, 3, 0)):
        with pytest.raises(RuntimeError):
            bad()
    with pytest.raises(TypeError, match="sizes must be integers"):
        engine.zeros(2.5)


def test_random_tensors_depend_on_the_seed_alone():
    draws = []
    for _ in range(2):
        engine.manual_seed(3)
        draws.append([engine.rand(50), engine.randn(2, 3), engine.randint(5, (100,)), engine.randperm(10)])
    for a, b in zip(*draws, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    uniform, _, integers, order = (t.numpy() for t in draws[0])
    assert 0 <= uniform.min() and uniform.max() < 1 and set(integers) == set(range(5))
    assert sorted(order) == list(range(10)) and engine.rand(3).tolist() != engine.rand(3).tolist()
    x = engine.randn(20_000)
    assert abs(x.mean().item()) < 0.03 and abs(x.var().item() - 1) < 0.04
    generator = engine.Generator().manual_seed(1)
    state = generator.get_state()
    first = engine.rand(4, generator=generator).tolist()
    generator.set_state(state)
    assert engine.rand(4, generator=generator).tolist() == first


# ---- NumPy


def test_numpy_shares_memory_both_ways():
    a = np.arange(6.0, dtype="float32").reshape(2, 3)
    t = engine.from_numpy(a)
    a[0, 0] = 10
    t[1, 1] = 20
    assert t[0, 0].item() == 10 and a[1, 1] == 20
    assert np.shares_memory(t.numpy(), a) and np.shares_memory(np.asarray(t), a)
    assert engine.as_tensor(t) is t and np.shares_memory(engine.as_tensor(a).numpy(), a)
    assert not np.shares_memory(np.array(t), a)


@pytest.mark.parametrize("view", [
    lambda a: a[::-1], lambda a: a.T, lambda a: a[:, ::2], lambda a: a[1:, 1:], lambda a: np.asfortranarray(a),
    lambda a: a[:, None, ::-1], lambda a: np.lib.stride_tricks.as_strided(a, (4, 4), (4, 4), writeable=True),
], ids="reversed transposed strided inner fortran axes overlapping".split())  # fmt: skip
def test_arrays_of_any_strides(view):
    base = np.random.default_rng(0).standard_normal((6, 6)).astype("float32")
    a = view(base)
    t = engine.from_numpy(a)
    assert np.shares_memory(t.numpy(), a) and t.shape == a.shape
    np.testing.assert_array_equal((t + 1).numpy(), a + 1)
    np.testing.assert_array_equal(t.relu().numpy(), np.maximum(a, 0))
    np.testing.assert_allclose(t.exp().numpy(), np.exp(a), rtol=1e-6)
    np.testing.assert_allclose(t.sum().item(), a.astype("float64").sum(), rtol=1e-5)
    np.testing.assert_allclose((t.flatten(1) @ t.flatten(1).t()).numpy(), a.reshape(len(a), -1) @ a.reshape(len(a), -1).T,
                               rtol=1e-4, atol=1e-5)  # fmt: skip


def test_arrays_that_cannot_be_shared():
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        engine.from_numpy(frozen)
    with pytest.raises(TypeError, match="byte order.*astype"):
        engine.from_numpy(np.zeros(3, ">f4"))
    for dtype in ("float16", "complex64", "uint32", "U3", object):
        with pytest.raises(TypeError, match="not supported"):
            engine.from_numpy(np.zeros(3, dtype))
    with pytest.raises(TypeError, match="expects a numpy.ndarray, got list"):
        engine.from_numpy([1.0])
    assert engine.as_tensor(frozen).tolist() == [0, 0, 0]


def test_subclasses_of_ndarray_are_plain_arrays_here(tmp_path):
    memmap = np.memmap(tmp_path / "a", "float32", "w+", shape=(2, 3))
    t = engine.from_numpy(memmap)
    t.fill_(2)
    assert memmap[1, 2] == 2 and type(t.numpy()) is np.ndarray and type((t[0] + t[1]).numpy()) is np.ndarray


def test_array_protocol():
    t = engine.tensor([1.0, 2.0])
    assert np.asarray(t, dtype="float64").dtype == "float64" and np.asarray(t).dtype == "float32"
    assert not np.shares_memory(np.array(t, copy=True), t.numpy())
    with pytest.raises(ValueError, match="copy"):
        np.asarray(t, dtype="float64", copy=False)
    np.testing.assert_array_equal(np.sqrt(t), np.sqrt([1.0, 2.0]).astype("float32"))
    with pytest.raises(RuntimeError, match=r"detach\(\)\.numpy\(\)"):
        engine.ones(2, requires_grad=True).numpy()
    with pytest.raises(RuntimeError, match=r"detach"):
        np.asarray(engine.ones(2, requires_grad=True))


def test_arithmetic_with_arrays_is_refused_and_with_their_scalars_served():
    t, a = engine.ones(2), np.ones(2, "float32")
    for f in (lambda: t + a, lambda: a + t, lambda: a * t, lambda: t @ a, lambda: a > t):
        with pytest.raises(TypeError, match="from_numpy"):
            f()
    for number in (np.float32(2), np.float64(2), np.int64(2), np.array(2.0)):
        assert (t * number).tolist() == [2.0, 2.0] and (t * number).dtype == "float32"
        assert type(number * t) is engine.Tensor and (number - t).tolist() == [1.0, 1.0]


# ---- dtypes

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")
PROMOTED = {  # of two tensors with dimensions; PyTorch's rules
    "bool":    "bool    uint8   int8    int16   int32   int64   float32 float64",
    "uint8":   "uint8   uint8   int16   int16   int32   int64   float32 float64",
    "int8":    "int8    int16   int8    int16   int32   int64   float32 float64",
    "int16":   "int16   int16   int16   int16   int32   int64   float32 float64",
    "int32":   "int32   int32   int32   int32   int32   int64   float32 float64",
    "int64":   "int64   int64   int64   int64   int64   int64   float32 float64",
    "float32": "float32 float32 float32 float32 float32 float32 float32 float64",
    "float64": "float64 float64 float64 float64 float64 float64 float64 float64",
}  # fmt: skip
PAIRS = [(a, b, c) for a in DTYPES for b, c in zip(DTYPES, PROMOTED[a].split(), strict=True)]


def _kind(dtype):
    return "bif".index(np.dtype(dtype).kind.replace("u", "i"))


def test_dtypes_of_two_tensors():
    for a, b, c in PAIRS:
        x, y = engine.ones(2, dtype=a), engine.ones(2, dtype=b)
        assert (x + y).dtype == c, (a, b)
        assert (x / y).dtype == (c if c.startswith("float") else "float32"), (a, b)
        assert (x < y).dtype == "bool"
        assert engine.cat([x, y]).dtype == c
        # A tensor without dimensions decides by its kind alone.
        scalar = engine.ones((), dtype=b)
        assert (x + scalar).dtype == (b if _kind(b) > _kind(a) else a), (a, b)
        assert (scalar + x).dtype == (b if _kind(b) > _kind(a) else a), (a, b)
        assert (engine.ones((), dtype=a) + scalar).dtype == c, (a, b)


NUMBERS = {
    True: lambda d: d,
    2: lambda d: "int64" if d == "bool" else d,
    2.5: lambda d: d if "float" in d else "float32",
}


def test_dtypes_of_a_tensor_and_a_number():
    for d in DTYPES:
        for number, expected in NUMBERS.items():
            for shape in ((2,), ()):
                x = engine.ones(shape, dtype=d)
                assert (x + number).dtype == (number + x).dtype == expected(d), (d, number)


def test_the_dtype_rules_are_those_of_pytorch():
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
    name = lambda t: str(t.dtype).removeprefix("torch.")  # noqa: E731
    for a, b, c in PAIRS:
        x, y = torch.ones(2, dtype=getattr(torch, a)), torch.ones(2, dtype=getattr(torch, b))
        scalar = torch.ones((), dtype=getattr(torch, b))
        assert name(x + y) == c and name(x + scalar) == (b if _kind(b) > _kind(a) else a), (a, b)
        assert name(x / y) == (c if c.startswith("float") else "float32")
        assert name(torch.ones((), dtype=getattr(torch, a)) + scalar) == c
        for number, expected in NUMBERS.items():
            assert name(x + number) == expected(a), (a, number)


def test_numbers_never_widen_and_integers_divide_as_floats():
    x = engine.ones(2)
    assert (x * 1e-3 + 1).dtype == (2 ** (x - 1)).dtype == "float32"
    assert (engine.tensor([1, 2]) / 2).tolist() == [0.5, 1.0] and engine.tensor([1, 2]).exp().dtype == "float32"
    assert (engine.tensor([1, 2]) ** 2).tolist() == [1, 4] and engine.tensor([3, 4]).sum().dtype == "int64"
    assert engine.ones(2, dtype="uint8").sum().dtype == engine.ones(2, dtype="bool").sum().dtype == "int64"


def test_conversions():
    x = engine.tensor([1.7, 0.0])
    assert x.long().tolist() == [1, 0] and x.bool().tolist() == [True, False] and x.double().dtype == "float64"
    assert x.to(engine.float64).dtype == x.to("float64").dtype == x.to(dtype=engine.double).dtype == "float64"
    assert x.to(x.double()).dtype == "float64" and x.to("cpu") is x and x.float() is x and x.cpu() is x
    assert x.to("cpu", engine.int32).dtype == "int32" and x.type_as(x.long()).dtype == "int64"
    with pytest.raises(RuntimeError, match="'cuda' is not available"):
        x.to("cuda")
    with pytest.raises(RuntimeError, match="unknown device 'tpu'"):
        engine.zeros(2, device="tpu")
    with pytest.raises(TypeError, match="float16 is not supported"):
        x.to("float16")
    y = engine.ones(2, dtype="float64", requires_grad=True)
    (y.float() * 3).sum().backward()
    assert y.grad.dtype == "float64" and y.grad.tolist() == [3.0, 3.0]


# ---- views and shapes

VIEWS = {
    "row": lambda x: x[1], "rows": lambda x: x[1:3], "columns": lambda x: x[:, ::2],
    "element": lambda x: x[1, 2], "new axis": lambda x: x[:, None], "ellipsis": lambda x: x[..., 1], "t": lambda x: x.t(),
    "T": lambda x: x.T, "permute": lambda x: x.permute(1, 0), "transpose": lambda x: x.transpose(0, -1),
    "reshape": lambda x: x.reshape(2, -1), "view": lambda x: x.view(3, 4), "flatten": lambda x: x.flatten(),
    "unsqueeze": lambda x: x.unsqueeze(1), "squeeze": lambda x: x[:1].squeeze(0), "expand": lambda x: x[:1].expand(3, -1),
    "of a view": lambda x: x.t()[1:].reshape(-1, 2, 2)[0], "tensor number": lambda x: x[engine.tensor(1)],
}  # fmt: skip
COPIES = {
    "mask": lambda x: x[x > 0], "list": lambda x: x[[0, 0, 2]], "index tensor": lambda x: x[engine.tensor([2, 2, 0])],
    "pairs": lambda x: x[[0, 1], [1, 1]], "row mask": lambda x: x[[True, False, True, False]],
    "strided reshape": lambda x: x.t().reshape(-1), "contiguous": lambda x: x.t().contiguous(), "clone": lambda x: x.clone(),
}  # fmt: skip


@pytest.mark.parametrize("name", [*VIEWS, *COPIES])
def test_views_share_memory_and_all_have_gradients(name):
    f = {**VIEWS, **COPIES}[name]
    values = np.random.default_rng(0).standard_normal((4, 3))
    x = engine.tensor(values)
    assert np.shares_memory(f(x).numpy(), x.numpy()) == (name in VIEWS)
    assert gradcheck(lambda x: f(x) * 2, engine.tensor(values, requires_grad=True))
    if name in VIEWS and name != "expand":
        f(x).fill_(9)
        assert (x.numpy() == 9).sum() == f(x).numel(), "a change of the view is a change of the base"


def test_view_refuses_to_copy():
    with pytest.raises(RuntimeError, match=r"not compatible.*Use \.reshape"):
        engine.zeros(2, 3).t().view(6)
    assert engine.zeros(0, 3).view(3, 0).shape == (3, 0)


@pytest.mark.parametrize("index", [5, -5, (0, 3), (0, 0, 0), [7], slice(None, None, 0), 1.5, "a"])
def test_indices_that_do_not_fit(index):
    with pytest.raises((IndexError, ValueError, TypeError)):
        engine.zeros(4, 3)[index]


@pytest.mark.parametrize("f", [
    lambda x: x.sum(), lambda x: x.mean(), lambda x: x.max(), lambda x: x.amin(), lambda x: x.argmax(), lambda x: x + 1,
    lambda x: x * x, lambda x: x / 3, lambda x: x**2, lambda x: x - x, lambda x: -x, lambda x: abs(x), lambda x: x > 0,
    lambda x: x.exp().log().sqrt(), lambda x: x.relu(), lambda x: x.sigmoid(), lambda x: x.tanh(), lambda x: x.softmax(0),
    lambda x: x.log_softmax(0), lambda x: x.clamp(0, 1), lambda x: engine.where(x > 0, x, -x), lambda x: x.reshape(()),
    lambda x: engine.maximum(x, x), lambda x: x.logsumexp(0), lambda x: x.clone(), lambda x: x.expand(2)[0], lambda x: x[...],
    lambda x: x.unsqueeze(0)[0], lambda x: x.max(0)[0], lambda x: x.float(), lambda x: engine.dropout(x, 0.5),
    lambda x: nn.functional.mse_loss(x, x + 1), lambda x: x.transpose(0, 0), lambda x: x.flatten()[-1], lambda x: x.pow(x),
], ids=range(35))  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_without_dimensions_stay_arrays(f, dtype):
    x = engine.tensor(0.5, dtype=dtype, requires_grad=True)
    y = f(x)
    assert type(y._array) is np.ndarray and y.shape == ()
    if y.requires_grad:
        y.backward()
        assert type(x.grad._array) is np.ndarray and x.grad.shape == () and x.grad.dtype == dtype


# ---- Python's protocols


def test_scalars():
    t = engine.tensor([[2.5]])
    assert t.item() == float(t) == 2.5 and int(t) == 2 and bool(t) and type(t.item()) is float
    assert not engine.tensor(0) and list(range(engine.tensor(3))) == [0, 1, 2] and [10, 20][engine.tensor(1)] == 20
    with pytest.raises(RuntimeError, match=r"2 elements \(shape \(2,\)\) cannot be converted"):
        engine.ones(2).item()
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(engine.ones(2))
    with pytest.raises(TypeError, match="only integer tensors"):
        [1][engine.tensor(0.0)]


def test_length_and_iteration():
    t = engine.tensor([[1, 2], [3, 4]])
    assert len(t) == 2 and [row.tolist() for row in t] == [[1, 2], [3, 4]]
    a, b = t
    assert b.tolist() == [3, 4] and list(engine.zeros(0, 3)) == []
    for bad in (lambda: len(engine.tensor(1)), lambda: list(engine.tensor(1))):
        with pytest.raises(TypeError, match="0-d tensor"):
            bad()


def test_equality_is_by_element_and_hash_by_identity():
    a, b = engine.tensor([1, 2]), engine.tensor([1, 3])
    assert (
        (a == b).tolist() == [True, False] and (a != b).tolist() == [False, True] and (a == 1).tolist() == [True, False]
    )
    assert a != None and not (a == None) and a != "a" and not (a == [1, 2])  # noqa: E711
    assert {a: 1, b: 2}[a] == 1 and len({a, b, a}) == 2


def test_sizes_and_flags():
    t = engine.zeros(2, 3, 4)
    assert t.size() == t.shape == (2, 3, 4) and t.size(1) == 3 and t.dim() == t.ndim == 3 and t.numel() == 24
    assert t.is_contiguous() and not t.permute(2, 0, 1).is_contiguous() and t.contiguous() is t
    assert engine.is_tensor(t) and not engine.is_tensor(t.numpy()) and t.device == "cpu" and t.device.type == "cpu"
    with pytest.raises(TypeError, match="engine.tensor"):
        engine.Tensor([1.0])
    with pytest.raises(AttributeError):
        t.nonsense = 1


@pytest.mark.parametrize("make, text", [
    (lambda: engine.tensor([1.0, 2.5]), "tensor([1.0000, 2.5000])"), (lambda: engine.tensor(3), "tensor(3)"),
    (lambda: engine.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
    (lambda: engine.tensor([True]), "tensor([True])"), (lambda: engine.zeros(0), "tensor([])"),
    (lambda: engine.zeros(1, dtype="float64"), "tensor([0.], dtype=float64)"),
    (lambda: engine.zeros(1, requires_grad=True), "tensor([0.], requires_grad=True)"),
    (lambda: engine.zeros(1, requires_grad=True) * 2, "tensor([0.], grad_fn=<MulBackward0>)"),
    (lambda: nn.Parameter(engine.zeros(1)), "Parameter containing:\ntensor([0.], requires_grad=True)"),
    (lambda: engine.tensor([1 / 3]), "tensor([0.3333])"), (lambda: engine.zeros(2, 0), "tensor([], size=(2, 0))"),
    (lambda: engine.tensor([1e-5, 2.0]), "tensor([1.0000e-05, 2.0000e+00])"), (lambda: engine.tensor([1.0, -20.0, float("nan")]), "tensor([  1., -20.,  nan])"),
    (lambda: engine.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"), (lambda: engine.arange(40) % 9, "tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5,\n        6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3])"),
    (lambda: engine.rand(64, requires_grad=True) * 0, "tensor([" + "".join("0., " if i % 24 < 23 else "0.,\n        " for i in range(63)) + "0.],\n       grad_fn=<MulBackward0>)"),
])  # fmt: skip
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_of_a_large_tensor_is_short():
    assert len(repr(engine.zeros(2000, 2000))) < 500


def test_where_takes_a_number_on_either_side():
    x = engine.tensor([-1.0, 2.0], requires_grad=True)
    engine.where(x > 0, x, 0.0).sum().backward()
    assert x.grad.tolist() == [0, 1]
    assert engine.where(x > 0, 5, x).tolist() == [-1, 5]
    with pytest.raises(TypeError, match="boolean"):
        engine.where(x, x, x)


def test_an_integer_that_does_not_fit_is_refused():
    with pytest.raises(RuntimeError, match="does not fit into uint8"):
        engine.tensor([1, 300], dtype="uint8")


def test_a_device_prints_as_itself():
    assert repr(engine.ones(1).device) == "device(type='cpu')"
    assert repr(engine.device("cuda:1")) == "device(type='cuda', index=1)"
    assert engine.device("cpu").type == "cpu" and engine.device("cuda:1").index == 1


def test_clamp_of_integers_by_a_float_is_a_float():
    assert engine.tensor([1, 2]).clamp(max=1.5).tolist() == [1.0, 1.5]
    assert engine.tensor([1, 5]).clamp(max=3).tolist() == [1, 3]
    with pytest.raises(TypeError, match="min must be a number"):
        engine.ones(2).clamp(min="a")


def test_a_scalar_formats_as_a_number():
    assert f"{engine.tensor(1.23456):.2f}" == "1.23"
    assert f"{engine.tensor([1.0])}" == "tensor([1.])"


def test_max_along_an_axis_names_its_results():
    result = engine.tensor([[1.0, 3.0], [4.0, 2.0]]).max(dim=1)
    assert result.values.tolist() == [3, 4] and result.indices.tolist() == [1, 0]


def test_submodules_are_there_after_importing_the_package():
    assert engine.utils.data.DataLoader and engine.nn.functional.relu and engine.optim.lr_scheduler.StepLR
