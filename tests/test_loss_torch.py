"""Losses of numbers, distributions, pairs and triplets, and every loss as a layer, beside PyTorch's."""

import warnings

import numpy as np
import pytest
from beside import agree, torch
from loss_arrays import REDUCTIONS, constant, labels, normal, probabilities, signs

import engine
from engine import nn


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # those of broadcasting and of old arguments, tested on their own
        yield request.param


# ---- numbers

ELEMENTWISE = {
    "mse_loss": [{}], "l1_loss": [{}], "smooth_l1_loss": [{}, {"beta": 0.5}, {"beta": 0.0}, {"beta": 2}, {"beta": -1.0}],
    "huber_loss": [{}, {"delta": 0.3}, {"delta": 5}, {"delta": 0.0}, {"delta": -1.0}],
    "kl_div": [{}, {"log_target": True}], "poisson_nll_loss": [{}, {"log_input": False}, {"full": True}, {"log_input": False, "eps": 0.1, "full": True}],
    "soft_margin_loss": [{}], "hinge_embedding_loss": [{}, {"margin": 0.3}],
    "binary_cross_entropy": [{}], "binary_cross_entropy_with_logits": [{}],
}  # fmt: skip
CASES = [pytest.param(name, options, id=f"{name}-{options}") for name in ELEMENTWISE for options in ELEMENTWISE[name]]
UNTRAINED = ("soft_margin_loss",)  # where PyTorch has no gradient of the target


def operands(name, shape, dtype):
    if name == "soft_margin_loss":
        return normal(*shape, dtype=dtype), signs(*shape, dtype="int64")
    if name == "hinge_embedding_loss":
        return normal(*shape, dtype=dtype), signs(*shape, dtype=dtype)
    first = probabilities if name == "binary_cross_entropy" or name == "poisson_nll_loss" else normal
    second = normal if name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss") else probabilities
    scale = 3 if name == "poisson_nll_loss" else 1
    return first(*shape, dtype=dtype), np.asarray(scale * second(*shape[::-1], dtype=dtype).reshape(shape))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean", "average"])
@pytest.mark.parametrize("name, options", CASES)
def test_elementwise(name, options, reduction, dtype):
    for shape in ((4, 5), (), (7,), (2, 3, 4), (0, 3)):
        call = lambda lib, x, t: getattr(lib.nn.functional, name)(x, t, reduction=reduction, **options)  # noqa: E731
        agree(call, *operands(name, shape, dtype), rtol=1e-5 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_broadcast(name):
    """With a warning where PyTorch has one, an error where it has that."""
    for shapes in (((4, 3), (3,)), ((3,), (2, 3)), ((4, 1), (4,)), ((2, 3), (3, 2)), ((2,), (3,)), ((3,), ())):
        if name == "soft_margin_loss" and shapes in (((3,), (2, 3)), ((4, 1), (4,))):
            continue  # the engine broadcasts the input too
        x, t = operands(name, shapes[0], "float32")[0], operands(name, shapes[1], "float32")[1]
        call = lambda lib, x, t: getattr(lib.nn.functional, name)(x, t, reduction="none")  # noqa: E731
        agree(call, x, t, rtol=1e-5)
        warned = []
        for lib in (torch, engine):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    call(lib, lib.from_numpy(x), lib.from_numpy(t))
                except (ValueError, RuntimeError):
                    continue  # PyTorch warns before its error, which is enough
                warned.append([w.category for w in caught])
        assert warned[:1] == warned[1:]


DTYPES = ["float32", "float64", "int64", "uint8", "bool"]
PROMOTED = ["mse_loss", "l1_loss", "smooth_l1_loss", "kl_div", "poisson_nll_loss"]


@pytest.mark.parametrize("second", DTYPES)
@pytest.mark.parametrize("first", DTYPES)
@pytest.mark.parametrize("name", PROMOTED)
def test_dtypes(name, first, second):
    if "float" not in first + second and name in ("l1_loss", "poisson_nll_loss"):
        return  # PyTorch has a result of some integers; the engine refuses them
    if "bool" in (first, second) and name == "l1_loss":
        return  # PyTorch subtracts no bools; they count as 0 and 1 here, as in its mse_loss
    # No target of 0 for kl_div, whose gradient PyTorch calls nan there; it is -inf.
    x, t = (
        np.array([0, 1, 1, 0]).astype(first),
        np.array([1, 1, 2, 2] if name == "kl_div" else [1, 1, 0, 0]).astype(second),
    )
    # PyTorch takes some steps of two dtypes in the smaller one.
    agree(
        lambda lib, x, t: getattr(lib.nn.functional, name)(x, t, reduction="sum"),
        x,
        t,
        rtol=1e-6 if first != second else None,
    )


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "average"])
def test_weights_of_elements(name, reduction):
    call = lambda lib, x, t, w: getattr(lib.nn.functional, name)(x, t, reduction=reduction, weight=w)  # noqa: E731
    for dtype in ("float32", "float64"):
        agree(call, normal(4, 3, dtype=dtype), normal(4, 3, dtype=dtype)[::-1].copy(), probabilities(4, 3, dtype=dtype))
    agree(call, normal(4, 3), normal(4, 3), probabilities(3))


# ---- two classes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_binary_weights(name, dtype):
    p = probabilities if name == "binary_cross_entropy" else normal
    x, t = p(4, 3, dtype=dtype), probabilities(3, 4, dtype=dtype).T.copy()
    for weight in ((4, 3), (3,), (4, 1), (), (2, 4, 3), (5,)):
        for reduction in REDUCTIONS:

            def call(lib, x, t, weight=weight, reduction=reduction):
                w = constant(lib, probabilities(*weight), dtype)
                return getattr(lib.nn.functional, name)(x, t, w, reduction=reduction)

            agree(call, x, t, rtol=1e-5 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 1), ()], ids=str)
def test_weights_of_positives(shape):
    def call(lib, x, t):
        w = constant(lib, 3 * probabilities(*shape))
        return lib.nn.functional.binary_cross_entropy_with_logits(x, t, constant(lib, [1, 2, 3]), pos_weight=w)

    agree(call, normal(4, 3), probabilities(4, 3), rtol=1e-5)


def test_binary_extremes():
    x, t = np.array([0, 1, 0, 1, 0.5, 1e-30], "float32"), np.array([0, 1, 1, 0, 0.5, 1], "float32")
    agree(lambda lib, x: lib.nn.functional.binary_cross_entropy(x, constant(lib, t), reduction="none"), x)
    big = np.array([100, -100, 1e4, -1e4, 0, 30], "float32")
    call = lambda lib, x: lib.nn.functional.binary_cross_entropy_with_logits(x, constant(lib, t), reduction="none")  # noqa: E731
    agree(call, big)


WRONG_NUMBERS = {
    "above 1": lambda F, lib: F.binary_cross_entropy(constant(lib, [0.5, 1.5]), lib.ones(2)),
    "below 0": lambda F, lib: F.binary_cross_entropy(constant(lib, [-0.1, 0.5]), lib.ones(2)),
    "nan": lambda F, lib: F.binary_cross_entropy(constant(lib, [float("nan")]), lib.ones(1)),
    "bce dtypes": lambda F, lib: F.binary_cross_entropy(lib.ones(2), lib.ones(2, dtype=lib.float64)),
    "bce integers": lambda F, lib: F.binary_cross_entropy(lib.ones(2), lib.ones(2, dtype=lib.int64)),
    "bce all integers": lambda F, lib: F.binary_cross_entropy(lib.ones(2, dtype=lib.int64), lib.ones(2, dtype=lib.int64)),
    "bce shapes": lambda F, lib: F.binary_cross_entropy(lib.ones(2), lib.ones(2, 1)),
    "logits shapes": lambda F, lib: F.binary_cross_entropy_with_logits(lib.ones(2), lib.ones(2, 1)),
    "logits integers": lambda F, lib: F.binary_cross_entropy_with_logits(lib.ones(2), lib.ones(2, dtype=lib.int64)),
    "pos_weight": lambda F, lib: F.binary_cross_entropy_with_logits(lib.ones(2, 3), lib.ones(2, 3), pos_weight=lib.ones(2)),
    "mse shapes": lambda F, lib: F.mse_loss(lib.ones(2, 3), lib.ones(3, 2)),
    "weights": lambda F, lib: F.mse_loss(lib.ones(2, 3), lib.ones(2, 3), weight=lib.ones(3)),
    "beta": lambda F, lib: F.smooth_l1_loss(lib.zeros(2), lib.zeros(2), beta=None),
    "delta": lambda F, lib: F.huber_loss(lib.zeros(2), lib.zeros(2), delta="a"),
    "similarity axes": lambda F, lib: F.cosine_similarity(lib.ones(2, 3), lib.ones(2, 3), dim=None),
    "triplet margin": lambda F, lib: F.triplet_margin_loss(lib.ones(2, 3), lib.ones(2, 3), lib.ones(2, 3), margin=0),
    "triplet shapes": lambda F, lib: F.triplet_margin_loss(lib.ones(2, 3), lib.ones(3), lib.ones(2, 3)),
    "ranking shapes": lambda F, lib: F.margin_ranking_loss(lib.ones(2, 3), lib.ones(3), lib.ones(2, 3)),
    "cosine shapes": lambda F, lib: F.cosine_embedding_loss(lib.ones(2, 3), lib.ones(2, 3), lib.ones(2, 3)),
    "cosine pairs": lambda F, lib: F.cosine_embedding_loss(lib.ones(2, 3), lib.ones(2, 4), lib.ones(2)),
    "similarity shapes": lambda F, lib: F.cosine_similarity(lib.ones(2, 3), lib.ones(2, 4)),
    "similarity integers": lambda F, lib: F.cosine_similarity(lib.ones(2, 3, dtype=lib.int64), lib.ones(2, 3, dtype=lib.int64)),
    "similarity axis": lambda F, lib: F.cosine_similarity(lib.ones(2, 3), lib.ones(2, 3), dim=2),
    "distance shapes": lambda F, lib: F.pairwise_distance(lib.ones(2, 3), lib.ones(2, 4)),
    "variance": lambda F, lib: F.gaussian_nll_loss(lib.ones(2, 3), lib.ones(2, 3), -lib.ones(2, 3)),
    "variance shape": lambda F, lib: F.gaussian_nll_loss(lib.ones(2, 3), lib.ones(2, 3), lib.ones(3)),
    "variance number": lambda F, lib: F.gaussian_nll_loss(lib.ones(2, 3), lib.ones(2, 3), -1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_NUMBERS)
def test_wrong_numbers(name):
    agree(lambda lib: WRONG_NUMBERS[name](lib.nn.functional, lib))


# ---- distributions, pairs and triplets


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("full", [False, True])
def test_gaussian(full, reduction):
    x, t = normal(4, 3), normal(3, 4).T.copy()
    for var in (
        probabilities(4, 3),
        probabilities(4, 1),
        probabilities(4),
        np.array([[1e-9], [1], [0], [2]], "float32"),
    ):
        agree(lambda lib, x, t, v: lib.nn.functional.gaussian_nll_loss(x, t, v, full, reduction=reduction), x, t, var,
              rtol=1e-5)  # fmt: skip
    agree(lambda lib, x, t: lib.nn.functional.gaussian_nll_loss(x, t, 0.5, full, reduction=reduction), x, t)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_similarity(dtype):
    pairs = [((4, 3), (4, 3)), ((4, 3), (1, 3)), ((2, 3, 4), (3, 4)), ((4, 1), (4, 1)), ((0, 3), (0, 3))]
    for shapes in pairs:
        a, b = (normal(*s, dtype=dtype) for s in (shapes[0], shapes[1]))
        b = b + np.asarray(0.3, dtype)
        for dim in (0, 1, -1):
            agree(lambda lib, a, b, dim=dim: lib.nn.functional.cosine_similarity(a, b, dim), a, b, rtol=1e-5)
        for p in (1, 2.0, 3, float("inf")):
            agree(lambda lib, a, b, p=p: lib.nn.functional.pairwise_distance(a, b, p, keepdim=p == 1), a, b, rtol=1e-5)
    zeros = np.array([[0, 0, 0], [1e-20, 0, 0], [1, 2, 3]], dtype)
    agree(lambda lib, a, b: lib.nn.functional.cosine_similarity(a, b), zeros, np.ones((3, 3), dtype), rtol=1e-5)
    agree(lambda lib, a, b: lib.cosine_similarity(a, b, dim=-1, eps=0.5), zeros, np.ones((3, 3), dtype), rtol=1e-5)
    agree(lambda lib, a, b: lib.pairwise_distance(a, b, eps=0.5), zeros, np.ones((3, 3), dtype))
    mixed = (normal(4, 3), normal(3, 4, dtype="float64").T.copy())
    agree(lambda lib, a, b: lib.nn.functional.cosine_similarity(a, b), *mixed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(6, 5), (5,), (2, 3, 5), (0, 5)], ids=str)
def test_triplets(shape, reduction):
    anchor, positive, negative = (normal(*shape) + np.float32(shift) for shift in (0, 0.4, -0.2))
    negative = np.ascontiguousarray(negative[::-1])
    for options in ({}, {"swap": True}, {"p": 1, "margin": 0.3}, {"p": 3, "eps": 1e-3, "swap": True}):

        def call(lib, *t, options=options):
            return lib.nn.functional.triplet_margin_loss(*t, reduction=reduction, **options)

        agree(call, anchor, positive, negative, rtol=1e-5)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(6, 5), (5,), (0, 5)], ids=str)
def test_pairs(shape, reduction):
    a, b, t = normal(*shape), normal(*shape)[..., ::-1].copy(), signs(*shape[:-1])
    for margin in (0.0, 0.4):
        for targets in (t, t.astype("int64"), t.astype("float64")):
            agree(lambda lib, a, b, t, m=margin: lib.nn.functional.cosine_embedding_loss(a, b, t, m, reduction=reduction),
                  a, b, targets.astype("int64"), rtol=1e-5)  # fmt: skip
        call = lambda lib, a, b, t, m=margin: lib.nn.functional.margin_ranking_loss(a, b, t, m, reduction=reduction)  # noqa: E731
        agree(call, a, b, signs(*shape))
        agree(call, a, b, signs(*shape, dtype="int64"))


# ---- layers

LAYERS = [
    lambda lib, **o: lib.nn.CrossEntropyLoss(**o), lambda lib, **o: lib.nn.CrossEntropyLoss(constant(lib, [1, 2, 3, 4, 5]), ignore_index=1, label_smoothing=0.2, **o),
    lambda lib, **o: lib.nn.NLLLoss(**o), lambda lib, **o: lib.nn.NLLLoss(constant(lib, [1, 2, 3, 4, 5]), ignore_index=0, **o),
    lambda lib, **o: lib.nn.MultiMarginLoss(2, 0.5, constant(lib, [1, 2, 3, 4, 5]), **o), lambda lib, **o: lib.nn.MSELoss(**o),
    lambda lib, **o: lib.nn.L1Loss(**o), lambda lib, **o: lib.nn.SmoothL1Loss(beta=0.3, **o), lambda lib, **o: lib.nn.HuberLoss(delta=0.3, **o),
    lambda lib, **o: lib.nn.BCELoss(constant(lib, [1, 2, 3, 4, 5]), **o), lambda lib, **o: lib.nn.BCEWithLogitsLoss(constant(lib, [1, 2, 3, 4, 5]), **o),
    lambda lib, **o: lib.nn.BCEWithLogitsLoss(pos_weight=constant(lib, [1, 2, 3, 4, 5]), **o), lambda lib, **o: lib.nn.KLDivLoss(log_target=True, **o),
    lambda lib, **o: lib.nn.PoissonNLLLoss(full=True, **o), lambda lib, **o: lib.nn.SoftMarginLoss(**o), lambda lib, **o: lib.nn.HingeEmbeddingLoss(0.5, **o),
]  # fmt: skip
SEVERAL = [
    lambda lib, **o: lib.nn.TripletMarginLoss(0.5, p=3, eps=1e-4, swap=True, **o), lambda lib, **o: lib.nn.MarginRankingLoss(0.2, **o),
    lambda lib, **o: lib.nn.GaussianNLLLoss(full=True, eps=0.3, **o), lambda lib, **o: lib.nn.CosineEmbeddingLoss(0.1, **o),
]  # fmt: skip
DISTANCES = [lambda lib: lib.nn.CosineSimilarity(0, 1e-3), lambda lib: lib.nn.PairwiseDistance(3, 1e-3, True)]


def same_layer(make, **options):
    ours, theirs = make(engine, **options), make(torch, **options)
    assert repr(ours) == repr(theirs)
    assert {n: t.tolist() for n, t in ours.state_dict().items()} == {
        n: t.tolist() for n, t in theirs.state_dict().items()
    }
    for name, value in vars(theirs).items():
        if not name.startswith("_") and name != "training":
            assert getattr(ours, name) == value, name


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("make", LAYERS, ids=[type(make(torch)).__name__ for make in LAYERS])
def test_layers(make, reduction):
    same_layer(make, reduction=reduction)
    kind = type(make(engine)).__name__
    x = probabilities(6, 5) if kind in ("BCELoss", "PoissonNLLLoss") else normal(6, 5)
    target = labels(6) if kind in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss") else signs(6, 5, dtype="int64")
    target = (
        target
        if kind not in ("BCELoss", "BCEWithLogitsLoss", "KLDivLoss", "PoissonNLLLoss")
        else probabilities(5, 6).T.copy()
    )
    agree(lambda lib, x, t: make(lib, reduction=reduction)(x, t), x, target, rtol=1e-5)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("make", SEVERAL, ids=[type(make(torch)).__name__ for make in SEVERAL])
def test_layers_of_three(make, reduction):
    same_layer(make, reduction=reduction)
    pairs = type(make(engine)).__name__ == "CosineEmbeddingLoss"
    arrays = normal(6, 5), normal(5, 6).T.copy(), signs(6, dtype="int64") if pairs else probabilities(6, 5)
    agree(lambda lib, *t: make(lib, reduction=reduction)(*t), *arrays, rtol=1e-5)


@pytest.mark.parametrize("make", DISTANCES)
def test_layers_of_distances(make):
    same_layer(make)
    agree(lambda lib, *t: make(lib)(*t), normal(6, 5), normal(5, 6).T.copy(), rtol=1e-5)


def test_kl_div_by_batches():
    call = lambda lib, x, t: lib.nn.KLDivLoss(reduction="batchmean")(x, t)  # noqa: E731
    for shapes in (((6, 5), (6, 5)), ((5,), (5,)), ((), ()), ((2, 5), (5,)), ((1, 5), (4, 5)), ((0, 5), (0, 5))):
        agree(call, normal(*shapes[0]), probabilities(*shapes[1]), rtol=1e-5)


@pytest.mark.parametrize("size_average", [None, True, False])
@pytest.mark.parametrize("reduce", [None, True, False])
def test_old_arguments(size_average, reduce):
    old = {"size_average": size_average, "reduce": reduce}
    agree(lambda lib, x, t: lib.nn.functional.mse_loss(x, t, **old), normal(4, 3), normal(4, 3))
    agree(lambda lib, x, t: lib.nn.functional.cross_entropy(x, t, **old), normal(4, 5), labels(4), rtol=1e-5)
    agree(lambda lib, x, t: lib.nn.MSELoss(size_average, reduce)(x, t), normal(4, 3), normal(4, 3))
    for lib in (engine, torch):
        assert lib.nn.L1Loss(**old).reduction == (
            "none" if reduce is False else "sum" if size_average is False else "mean"
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lib.nn.L1Loss(**old)
        assert [w.category for w in caught] == ([] if size_average is reduce is None else [UserWarning])


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "MSELoss", "BCELoss", "TripletMarginLoss", "HuberLoss"])
def test_a_wrong_reduction_is_refused_at_once(kind):
    with pytest.raises(ValueError, match="'batchmean' is not a valid value for reduction: use 'mean', 'sum' or 'none'"):
        getattr(nn, kind)(reduction="batchmean")
    with pytest.raises(ValueError, match="use 'mean', 'sum', 'none' or 'batchmean'"):
        nn.KLDivLoss(reduction="average")
