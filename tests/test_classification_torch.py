"""Losses of class indices and of class probabilities beside PyTorch's: values, gradients, what is ignored, errors."""

import numpy as np
import pytest
from beside import agree, run, torch
from loss_arrays import REDUCTIONS, constant, labels, normal, probabilities

import engine
from engine import nn


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


# ---- class indices

SCORES = [(7, 5), (1, 5), (5,), (3, 5, 4), (2, 5, 3, 2), (2, 5, 2, 1, 3), (0, 5), (3, 5, 0), (4, 1)]
CLASS_OPTIONS = {
    "plain": {}, "weight": {"weight": [0.5, 1, 2, 0.25, 3]}, "smooth": {"label_smoothing": 0.1}, "smoothest": {"label_smoothing": 1.0},
    "ignore": {"ignore_index": 2}, "ignore-nothing": {"ignore_index": 77}, "ignore-weight": {"ignore_index": 2, "weight": [0.5, 1, 2, 0.25, 3]},
    "all": {"ignore_index": 1, "weight": [0.5, 0, 2, 0.25, 3], "label_smoothing": 0.3},
}  # fmt: skip


def options_of(lib, options, classes, dtype):
    options = dict(options)
    if "weight" in options:
        options["weight"] = constant(lib, options["weight"][:classes], dtype)
    return options


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("option", CLASS_OPTIONS)
@pytest.mark.parametrize("shape", SCORES, ids=str)
def test_class_indices(shape, option, reduction, dtype):
    classes = shape[0] if len(shape) == 1 else shape[1]
    x, t = normal(*shape, dtype=dtype), labels(*(shape[:1] + shape[2:] if len(shape) > 1 else ()), high=classes)
    for name in ("cross_entropy", "nll_loss"):
        if name == "nll_loss" and "label_smoothing" in CLASS_OPTIONS[option]:
            continue

        def call(lib, x, t, name=name):
            options = options_of(lib, CLASS_OPTIONS[option], classes, dtype)
            return getattr(lib.nn.functional, name)(x, t, reduction=reduction, **options)

        agree(call, x, t, rtol=1e-5 if dtype == "float32" else None)


@pytest.mark.parametrize("option", ["plain", "weight", "smooth"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ignored_positions(reduction, option):
    """-100 is ignored unless another index is; if all are, the mean is nan."""
    for t in ([1, -100, 3, -100], [-100] * 4, [0, 1, 2, 3]):
        for shape, shaped in (((4, 5), np.array(t)), ((1, 5, 2, 2), np.array(t).reshape(1, 2, 2))):

            def call(lib, x, t):
                return lib.nn.functional.cross_entropy(
                    x, t, reduction=reduction, **options_of(lib, CLASS_OPTIONS[option], 5, "float32")
                )

            agree(call, normal(*shape), shaped, rtol=1e-5)


def test_an_ignored_position_may_hold_anything():
    x = normal(3, 4)
    x[1] = np.inf
    x[2, 0] = -np.inf
    for t in ([0, -100, 1], [1, -100, -100]):
        value, gradients = run(engine, lambda lib, x, t: lib.nn.functional.cross_entropy(x, t), [x, np.array(t)])
        assert np.isfinite(value)
        assert np.isfinite(gradients()[0][0]).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_labels_of_other_integers(dtype):
    """PyTorch takes int64, and uint8 of rows; here any integer counts."""
    t = np.array([[[0, 2], [4, 1]]])
    call = lambda lib, x, t: lib.nn.functional.cross_entropy(x, t, ignore_index=2)  # noqa: E731
    value, gradients = run(engine, call, [normal(1, 5, 2, 2), t.astype(dtype)])
    expected, true_gradients = run(torch, call, [normal(1, 5, 2, 2), t])
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradients()[0], true_gradients()[0], rtol=1e-5, atol=1e-7)


def test_bytes_may_be_ignored_too():
    masks = engine.tensor(np.array([[[0, 255], [4, 1]]], "uint8"))
    x = engine.tensor(normal(1, 5, 2, 2))
    expected = nn.functional.cross_entropy(x, engine.tensor([[[0, -100], [4, 1]]]))
    assert nn.functional.cross_entropy(x, masks, ignore_index=255).item() == expected.item()


def test_negative_smoothing_is_refused():
    """PyTorch lets it pass and does not smooth."""
    with pytest.raises(RuntimeError, match="label_smoothing must be between 0.0 and 1.0, got -0.1"):
        nn.functional.cross_entropy(engine.zeros(3, 4), engine.tensor([0, 1, 2]), label_smoothing=-0.1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("option", ["plain", "weight", "smooth", "smoothest", "ignore", "ignore-nothing", "all"])
@pytest.mark.parametrize("shape", SCORES, ids=str)
def test_class_probabilities(shape, option, reduction, dtype):
    classes = shape[0] if len(shape) == 1 else shape[1]
    t = probabilities(*shape, dtype=dtype)

    def call(lib, x, t):
        options = options_of(lib, CLASS_OPTIONS[option], classes, dtype)
        return lib.nn.functional.cross_entropy(x, t, reduction=reduction, **options)

    agree(call, normal(*shape, dtype=dtype), t, rtol=1e-5 if dtype == "float32" else None)


def test_class_probabilities_pass_gradients_to_weights():
    call = lambda lib, x, t, w: lib.nn.functional.cross_entropy(x, t, w)  # noqa: E731
    agree(call, normal(4, 3), probabilities(4, 3), np.array([1, 2, 0.5], "float32"), rtol=1e-5)


def test_large_scores_stay_finite():
    x = np.array([[1e4, -1e4, 0], [-1e30, 0, 1e30]], "float32")
    agree(lambda lib, x, t: lib.nn.functional.cross_entropy(x, t, reduction="none"), x, np.array([1, 2]))
    agree(lambda lib, x, t: lib.nn.functional.cross_entropy(x, t, label_smoothing=0.1), x, np.array([1, 2]))


WRONG_CLASSES = {
    "label": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 4, 1], "int64")),
    "negative": lambda F, lib: F.nll_loss(lib.zeros(3, 4), constant(lib, [0, -1, 1], "int64")),
    "pixels": lambda F, lib: F.cross_entropy(lib.zeros(1, 4, 2), constant(lib, [[0, 9]], "int64")),
    "beside ignored": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, -100, 7], "int64")),
    "smooth": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 7], "int64"), label_smoothing=0.1),
    "number": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1], "int64")),
    "floats": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), lib.zeros(3)),
    "floats-nll": lambda F, lib: F.nll_loss(lib.zeros(3, 4), lib.zeros(3, 4)),
    "bools": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), lib.zeros(3, dtype=lib.bool)),
    "bools, one ignored": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), lib.zeros(3, dtype=lib.bool), ignore_index=1),
    "floats, one ignored": lambda F, lib: F.nll_loss(lib.zeros(3, 4), lib.zeros(3), ignore_index=1),
    "integer scores": lambda F, lib: F.cross_entropy(lib.zeros(3, 4, dtype=lib.int64), constant(lib, [0, 1, 2], "int64")),
    "one-hot": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), lib.zeros(3, 4, dtype=lib.int64)),
    "one-hot shape": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), lib.zeros(3, 5)),
    "pixel shape": lambda F, lib: F.cross_entropy(lib.zeros(3, 4, 2, 2), lib.zeros(3, 2, 3, dtype=lib.int64)),
    "weight shape": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), lib.ones(3)),
    "weight dtype": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), lib.ones(4, dtype=lib.float64)),
    "weight ndim": lambda F, lib: F.nll_loss(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), lib.ones(1, 4)),
    "smoothing": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), label_smoothing=1.5),
    "smoothing in words": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), label_smoothing="a"),
    "no smoothing": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), label_smoothing=None),
    "ignored in words": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), ignore_index="a"),
    "reduction": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), reduction="average"),
    "a number": lambda F, lib: F.cross_entropy(lib.zeros(()), constant(lib, 0, "int64")),
    "one row, one label": lambda F, lib: F.cross_entropy(lib.zeros(3), constant(lib, [1], "int64")),
    "list": lambda F, lib: F.cross_entropy(lib.zeros(3, 4), [0, 1, 2]),
    "margin": lambda F, lib: F.multi_margin_loss(lib.zeros(3, 4), constant(lib, [0, 1, 4], "int64")),
    "margin p": lambda F, lib: F.multi_margin_loss(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), p=3),
    "margin weight": lambda F, lib: F.multi_margin_loss(lib.zeros(3, 4), constant(lib, [0, 1, 2], "int64"), weight=lib.ones(3)),
    "margin floats": lambda F, lib: F.multi_margin_loss(lib.zeros(3, 4), lib.zeros(3)),
    "margin shape": lambda F, lib: F.multi_margin_loss(lib.zeros(3, 4, 2), constant(lib, [0, 1, 2], "int64")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_CLASSES)
def test_wrong_classes(name):
    agree(lambda lib: WRONG_CLASSES[name](lib.nn.functional, lib))


def test_multi_margin_of_nothing():
    """PyTorch's is memory that was never written."""
    x, t = engine.zeros(0, 5, requires_grad=True), engine.tensor(np.zeros(0, "int64"))
    assert np.isnan(nn.functional.multi_margin_loss(x, t).item())
    assert nn.functional.multi_margin_loss(x, t, reduction="sum").item() == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape, target", [((6, 5), (6,)), ((5,), ()), ((5,), (1,)), ((3, 1), (3,))], ids=str)
def test_multi_margin(shape, target, reduction, p, dtype):
    for weight in (None, [0.5, 1, 2, 0.25, 3]):

        def call(lib, x, t, weight=weight):
            w = None if weight is None else constant(lib, weight[: shape[-1]], dtype)
            return lib.nn.functional.multi_margin_loss(x, t, p, 0.7, w, reduction=reduction)

        agree(call, normal(*shape, dtype=dtype), labels(*target, high=shape[-1]))
