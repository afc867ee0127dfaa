"""The same bits for any number of threads: single operations with their gradients, and whole trainings of networks."""

import hashlib
import threading

import numpy as np
import pytest

import engine
import engine.nn.functional as F
from benchmarks.nets import NETS
from benchmarks.worker_engine import network
from engine import nn, optim

parallel = pytest.importorskip("engine_ext.parallel", exc_type=ImportError)
_isa = pytest.importorskip("engine_ext._isa", exc_type=ImportError)
pytestmark = pytest.mark.skipif(not parallel.has_openmp, reason="built without OpenMP: one thread only")

THREADS = (1, 2, 3, 4, 7)


@pytest.fixture(autouse=True)
def on_the_cpu(every_thread):
    before = _isa.isa()
    with engine.use_backend("cpu"):
        yield
    _isa.use_isa(before)


def digest(arrays):
    h = hashlib.sha256()
    for a in arrays:
        h.update(f"{a.dtype} {a.shape}".encode() + np.ascontiguousarray(a).tobytes())
    return h.hexdigest()


def check_bits(f):
    """f() gives arrays; they must be the same to the bit for each of THREADS, and when asked again."""
    found = {}
    for n in (*THREADS, 1):
        engine.set_num_threads(n)
        assert parallel.team_size() == n, "the team is smaller than asked for: this proves nothing"
        found.setdefault(digest(f()), []).append(n)
    assert len(found) == 1, f"thread counts by result: {list(found.values())}"


# ---- can it fail?


def test_a_sum_that_depends_on_the_threads_is_caught():
    values = np.random.default_rng(0).standard_normal(10_000).astype("float32")

    def chunked():
        parts = np.array_split(values, engine.get_num_threads())
        return [sum((p.sum(dtype="float32") for p in parts), np.float32(0))]

    with pytest.raises(AssertionError, match="thread counts by result"):
        check_bits(chunked)


def test_a_team_that_is_too_small_is_caught(monkeypatch):
    monkeypatch.setattr(parallel, "team_size", lambda: 1)
    with pytest.raises(AssertionError, match="proves nothing"):
        check_bits(lambda: [np.zeros(1)])


# ---- single operations


def conv(x, w, b=True, **params):
    return (lambda x, w, *b: F.conv2d(x, w, *b, **params)), [x, w, (w[0],)] if b else [x, w]


def pool(f, x, *args, **params):
    return (lambda x: f(x, *args, **params)), [x]


def labels(m, n):
    return engine.from_numpy(np.random.default_rng(0).integers(0, n, m))


CONVOLUTIONS = [
    conv((8, 1, 32, 32), (6, 1, 5, 5)), conv((8, 6, 14, 14), (16, 6, 5, 5)), conv((5, 1, 28, 28), (32, 1, 3, 3)),
    conv((5, 32, 26, 26), (64, 32, 3, 3)), conv((1, 3, 17, 19), (7, 3, 3, 3), padding=1), conv((64, 2, 6, 6), (4, 2, 3, 3), False),
    conv((3, 8, 15, 13), (12, 4, 3, 2), stride=(2, 1), padding=(1, 2), groups=2), conv((2, 5, 9, 9), (3, 5, 1, 1), False),
    conv((2, 4, 16, 16), (8, 4, 3, 3), dilation=2, padding=2, stride=2), conv((2, 24, 10, 10), (24, 1, 3, 3), padding=1, groups=24),
    conv((1, 1, 1, 1), (1, 1, 1, 1)), conv((130, 1, 5, 5), (2, 1, 5, 5)), conv((17, 40, 7, 7), (33, 40, 3, 3), padding="same"),
    conv((3, 16, 32, 32), (32, 16, 3, 3), stride=2, padding=1), conv((3, 16, 32, 32), (32, 16, 1, 1), stride=2), conv((2, 64, 14, 14), (130, 64, 3, 3), stride=2, padding=1),
]  # fmt: skip
OPERATIONS = {
    **{f"conv2d {shapes[0]} {shapes[1]}": (f, shapes) for f, shapes in CONVOLUTIONS},
    **{f"linear {m} {k} {n}": (F.linear, [(m, k), (n, k), (n,)]) for m, k, n in
       [(64, 400, 120), (64, 84, 10), (1, 400, 120), (3, 9216, 128), (256, 120, 84), (2, 7, 1), (65, 385, 33), (5, 1, 3), (33, 800, 517)]},
    **{f"matmul {a} {b}": (engine.matmul, [a, b]) for a, b in
       [((129, 384), (384, 67)), ((1, 1000), (1000, 3)), ((400, 3), (3, 500)), ((3, 31, 17), (3, 17, 29)), ((1000, 1), (1, 7)), ((2, 2000), (2000, 2))]},
    **{f"max_pool2d {i}": case for i, case in enumerate([pool(F.max_pool2d, (8, 6, 28, 28), 2), pool(F.max_pool2d, (3, 5, 13, 11), 3, 2, 1),
                                                         pool(F.max_pool2d, (1, 1, 9, 9), 3, 1), pool(F.max_pool2d, (2, 3, 10, 10), 2, 1, dilation=2)])},
    **{f"avg_pool2d {i}": case for i, case in enumerate([pool(F.avg_pool2d, (8, 6, 28, 28), 2), pool(F.avg_pool2d, (3, 5, 13, 11), 3, 2, 1, True, False)])},
    **{f"batch_norm {s}": ((lambda x, w, b: F.batch_norm(x, None, None, w, b, True)), [s, (s[1],), (s[1],)]) for s in
       [(64, 6, 14, 14), (3, 17, 5, 5), (200, 33), (2, 1, 100, 100), (7, 64, 1, 1)]},
    "batch_norm eval": ((lambda x, w, b: F.batch_norm(x, engine.zeros(9), engine.ones(9), w, b)), [(5, 9, 7, 7), (9,), (9,)]),
    **{f"cross_entropy {m} {n}": ((lambda x, m=m, n=n: F.cross_entropy(x, labels(m, n))), [(m, n)]) for m, n in [(64, 10), (1, 3), (301, 17), (5, 5000)]},
    **{f"cross_entropy {name}": ((lambda x, o=o: F.cross_entropy(x, labels(301, 17), **o)), [(301, 17)]) for name, o in
       {"smooth": {"label_smoothing": 0.1}, "ignore": {"ignore_index": 3}, "weight": {"weight": engine.ones(17) * 0.3}}.items()},
    **{f"group_norm {s} {g}": ((lambda x, w, b, g=g: F.group_norm(x, g, w, b)), [s, (s[1],), (s[1],)]) for s, g in [((8, 64, 9, 7), 4), ((3, 6, 50), 6), ((2, 4, 100, 100), 1)]},
    **{f"layer_norm {s}": ((lambda x, w, b, s=s: F.layer_norm(x, s[-1:], w, b)), [s, s[-1:], s[-1:]]) for s in [(64, 120), (3, 5, 1031), (2, 20_000)]},
    "embedding": ((lambda w: F.embedding(labels(5000, 50).reshape(50, 100), w)), [(50, 33)]),
    **{f"{name} {s}": ((lambda x, name=name: getattr(x, name)(-1)), [s]) for name in ("softmax", "log_softmax") for s in [(64, 10), (7, 1001), (3, 5, 9)]},
    **{f"{name} {s}": ((lambda x, name=name: getattr(x.abs() + 0.5, name)()), [s]) for name in ("exp", "log", "sqrt", "relu", "sigmoid", "tanh", "neg")
       for s in [(64, 1000), (3, 16_385), (7,)]},
    **{f"{name} {a} {b}": ((lambda x, y, name=name: getattr(x, name)(y)), [a, b]) for name in ("add", "sub", "mul", "div")
       for a, b in [((64, 1000), (64, 1000)), ((64, 120), (120,)), ((40_000,), ()), ((8, 6, 9, 9), (6, 1, 1)), ((7,), (7,))]},
    **{f"{name} {s}": ((lambda x, name=name: getattr(x, name)()), [s]) for name in ("sum", "mean", "var") for s in [(100_003,), (64, 1000), (3, 5, 7)]},
    "sum of rows": ((lambda x: x.sum(1)), [(300, 700)]), "sum of columns": ((lambda x: x.sum(0)), [(700, 300)]),
}  # fmt: skip


@pytest.mark.parametrize("isa", _isa.isas())
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name, isa):
    _isa.use_isa(isa)
    f, shapes = OPERATIONS[name]
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(s).astype("float32") for s in shapes]
    seed = []

    def run():
        inputs = [engine.tensor(v, requires_grad=True) for v in values]
        y = f(*inputs)
        if not seed:
            seed.append(engine.tensor(rng.standard_normal(y.shape).astype("float32")))
        y.backward(seed[0])
        return [y.detach().numpy(), *(t.grad.numpy() for t in inputs)]

    check_bits(run)


@pytest.mark.parametrize("isa", _isa.isas())
def test_normalised_images(isa):
    from engine.ops.augment import normalize_images

    _isa.use_isa(isa)
    images = engine.from_numpy(np.random.default_rng(0).integers(0, 256, (37, 3, 13, 11)).astype("uint8"))
    check_bits(lambda: [normalize_images(images, labels(50, 37), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)).numpy()])


# ---- training


def train(make_optimiser, name="lenet5", steps=20, batch=32):
    """All weights and statistics of a network after some steps on random images, and the losses on the way."""
    engine.manual_seed(0)
    net, of = network(name), NETS[name]
    optimiser = make_optimiser(net.parameters())
    rng, losses = np.random.default_rng(0), []
    for _ in range(steps):
        x = engine.from_numpy(rng.standard_normal((batch, *of.image)).astype("float32"))
        optimiser.zero_grad()
        loss = F.cross_entropy(net(x), engine.from_numpy(rng.integers(0, of.classes, batch)))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all() and len(set(losses)) == steps
    return [np.array(losses), *(t.numpy() for t in net.state_dict().values())]


OPTIMISERS = {
    "SGD with momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-4),
    "Adam": lambda p: optim.Adam(p, lr=1e-3),
}


@pytest.mark.parametrize("isa", _isa.isas())
@pytest.mark.parametrize("name", OPTIMISERS)
def test_20_steps_of_lenet5(name, isa):
    _isa.use_isa(isa)
    check_bits(lambda: train(OPTIMISERS[name]))


@pytest.mark.parametrize("isa", _isa.isas())
@pytest.mark.parametrize("name", ["mnistnet", "vgg", "resnet20", "mobile", "resnext"])
def test_20_steps_of(name, isa):
    _isa.use_isa(isa)
    check_bits(lambda: train(OPTIMISERS["SGD with momentum"], name, batch=9))


def test_20_steps_of_resnet18():
    check_bits(lambda: train(OPTIMISERS["SGD with momentum"], "resnet18", batch=2))


def test_a_net_with_batch_norm_and_dropout():
    def run():
        engine.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(0.3),
                            nn.Conv2d(8, 12, 3, stride=2, groups=4), nn.Tanh(), nn.Flatten(), nn.Linear(12 * 9, 5))  # fmt: skip
        optimiser = optim.AdamW(net.parameters(), lr=0.01)
        for _ in range(5):
            optimiser.zero_grad()
            F.cross_entropy(net(engine.randn(9, 1, 14, 14)), engine.randint(5, (9,))).backward()
            optimiser.step()
        return [t.numpy() for t in net.state_dict().values()]

    check_bits(run)


def test_two_python_threads_do_not_disturb_each_other():
    engine.set_num_threads(3)
    alone = digest(train(OPTIMISERS["Adam"], steps=4))
    weights = np.random.default_rng(0).standard_normal((64, 300)).astype("float32")
    expected, seen = (weights @ weights.T), []

    def disturb():
        with engine.use_backend("cpu"):
            t = engine.from_numpy(weights)
            while len(seen) < 200:
                seen.append((t @ t.t()).numpy())

    other = threading.Thread(target=disturb)
    other.start()
    together = digest(train(OPTIMISERS["Adam"], steps=4))
    other.join(60)
    assert together == alone and len({a.tobytes() for a in seen}) == 1
    np.testing.assert_allclose(seen[0], expected, rtol=1e-4, atol=1e-3)
