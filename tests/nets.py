"""The nets in tests/scripts, run by either library from the same numbers, and how far two runs are apart.

What rounding may do to a net is measured, not guessed. A computation whose every step is rounded gives the exact result
for inputs and weights that are off by some rounding units, so the float64 run is repeated with those off by DELTA: by how
much that moves the results, over DELTA, is the condition of the net, and a float32 run may be off by FACTOR units of
2**-24 times the condition (the engine's and PyTorch's runs of these nets are off by 0.3 to 6). A rectifier at its corner
or a tie in a pool makes gradients jump, and an input that has one within rounding tells nothing: inputs are drawn until
the condition is below MOST.
"""

import functools
import importlib
from dataclasses import dataclass

import numpy as np
import swap

import engine

DELTA = 2.0**-20  # 16 rounding units: no kink as near as this
MOST = 1000.0  # the nets have 20 to 300; a gradient that jumps has 10,000 and more
FACTOR = 8.0
UNIT = 2.0**-24
KINDS = ("output of train", "gradient of input", "gradient of parameter", "buffer", "output of eval")


@dataclass(frozen=True)
class Net:
    """How a script's net is made, small, and what goes into it."""

    name: str
    script: str
    make: object
    shapes: tuple = ((4, 3, 32, 32),)


NETS = [  # nothing in them is drawn
    Net("lenet", "lenet", lambda m: m.LeNet()),
    Net("mnist", "mnist", lambda m: m.Net((0, 0)), ((2, 1, 28, 28),)),
    Net("cifar", "cifar", lambda m: m.Net()),
    Net("vgg", "vgg", lambda m: m.VGG("8 | 12 | 16 16 | 24 | 24 |", hidden=32, dropout=0)),
    Net("vgg-no-norm", "vgg", lambda m: m.VGG("8 | 12 | 16 16 | 24 | 24 |", hidden=32, dropout=0, norm=False)),
    Net("residual", "residual", lambda m: m.Residual((8, 12, 16, 24), 2), ((4, 3, 24, 24),)),
    Net("residual-padded", "residual", lambda m: m.Residual((8, 12, 16), 3, weights=False), ((3, 3, 24, 24),)),
    Net("residual-bottleneck", "residual", lambda m: m.Residual((16, 24, 32), 2, sizes=(1, 3, 1)), ((4, 3, 16, 16),)),
    Net("residual-early", "residual", lambda m: m.Residual((8, 12, 16, 24), 2, block=m.Early), ((4, 3, 24, 24),)),
    Net("dense", "dense", lambda m: m.DenseNet((4, 4, 4), 6), ((3, 3, 16, 16),)),
    Net("inception", "inception", lambda m: m.Inception(), ((3, 3, 17, 17),)),
    Net("grouped", "grouped", lambda m: m.GroupNet(), ((4, 3, 16, 16),)),
    Net("grouped-weighed", "grouped", lambda m: m.GroupNet((16, 24), groups=2, weigh=True), ((4, 3, 16, 16),)),
    Net("mobile", "mobile", lambda m: m.Mobile()),
    Net("mobile-inverse", "mobile", lambda m: m.Inverse(dropout=0), ((4, 3, 10, 10),)),
    Net("excited-linear", "excited", lambda m: m.Excited(weigh=m.Linearly), ((4, 3, 16, 16),)),
    Net("excited", "excited", lambda m: m.Excited(), ((4, 3, 16, 16),)),
    Net("shuffle", "shuffle", lambda m: m.ShuffleNet(), ((4, 3, 16, 16),)),
    Net("shuffle-halves", "shuffle", lambda m: m.ShuffleNet(halves=True), ((4, 3, 13, 13),)),
    Net("efficient", "efficient", lambda m: m.Efficient(0), ((4, 3, 16, 16),)),
    Net("dual-path", "split", lambda m: m.DualNet(), ((4, 3, 12, 12),)),
    Net("cells", "split", lambda m: m.CellNet(), ((2, 3, 16, 16),)),
    Net("trees", "split", lambda m: m.TreeNet(), ((4, 3, 16, 16),)),
    Net("painter", "dcgan", lambda m: m.painter(), ((4, 16, 1, 1),)),
    Net("critic", "dcgan", lambda m: m.Critic()),
    Net("alike", "siamese", lambda m: m.Alike(), ((4, 1, 28, 28),) * 2),
    Net("nearer", "siamese", lambda m: m.Nearer(), ((4, 1, 28, 28),) * 3),
    Net("style", "style", lambda m: m.Repaint(), ((2, 3, 24, 20),)),
]
VAE = Net("vae", "vae", lambda m: m.Autoencoder(36, 24, 5), ((3, 1, 6, 6),))
DRAWING = [  # with dropout, stochastic depth, noise
    Net("mnist-drop", "mnist", lambda m: m.Net(), ((2, 1, 28, 28),)),
    Net("vgg-drop", "vgg", lambda m: m.VGG("8 | 12 | 16 16 | 24 | 24 |", hidden=32)),
    Net("dense-drop", "dense", lambda m: m.DenseNet((2, 2), 6, drop=0.2), ((4, 3, 16, 16),)),
    Net("mobile-drop", "mobile", lambda m: m.Inverse(), ((4, 3, 10, 10),)),
    Net("efficient-drop", "efficient", lambda m: m.Efficient(), ((4, 3, 16, 16),)),
    VAE,
]


def drawn_state(net):
    """{name: array} to start from: what the script draws, with vectors (biases, scales, running statistics) away from
    their zeros and ones."""
    engine.manual_seed(0)
    rng = np.random.default_rng(1)
    state = {
        name: t.detach().numpy().copy() for name, t in net.make(swap.load(net.script, "engine")).state_dict().items()
    }
    for name, a in state.items():
        if a.ndim == 1:
            sign = 1 if name.endswith("var") else -1
            a += (0.2 * sign * np.abs(rng.standard_normal(a.shape))).astype(a.dtype)
    return state


def run(library, net, state, inputs, dtype):
    """{kind: {name: array}} of one step in train mode, with what is drawn from the same seed, and one call in eval mode."""
    lib = importlib.import_module(library)

    def tensor(a):
        return lib.from_numpy(np.array(a, dtype if a.dtype.kind == "f" else None))

    def listed(y):
        return [t for t in y if t is not None] if isinstance(y, (tuple, list)) else [y]

    model = net.make(swap.load(net.script, library)).to(getattr(lib, dtype))
    model.load_state_dict({name: tensor(a) for name, a in state.items()})
    xs = [tensor(x).requires_grad_(True) for x in inputs]
    lib.manual_seed(3)
    ys = listed(model.train()(*xs))
    rng = np.random.default_rng(5)
    sum((y * tensor(rng.standard_normal(tuple(y.shape)))).sum() for y in ys).backward()
    tensors = (
        {f".{i}": y for i, y in enumerate(ys)},
        {f".{i}": x.grad for i, x in enumerate(xs)},
        {name: p.grad for name, p in model.named_parameters() if p.grad is not None},
        dict(model.named_buffers()),
        {f".{i}": y for i, y in enumerate(listed(model.eval()(*xs)))},
    )
    return {
        kind: {name: t.detach().numpy().astype("float64") for name, t in found.items()}
        for kind, found in zip(KINDS, tensors, strict=True)
    }


def errors(got, truth):
    """{kind: the largest error}: differences over the RMS of what the same module has of that kind, as some of it is zero
    by symmetry (a bias or a scale that a batch norm takes out again, a running mean). Counts are equal."""
    found = {}
    for kind, results in truth.items():
        assert list(got[kind]) == list(results), kind
        found[kind] = 0.0
        for name, a in results.items():
            owner, _, last = name.rpartition(".")
            if last == "num_batches_tracked":
                assert got[kind][name] == a, f"{name}: {got[kind][name]}, expected {a}"
                continue
            family = [b for n, b in results.items() if n.rpartition(".")[0] == owner and not n.endswith("_tracked")]
            size = np.sqrt(sum((b * b).sum() for b in family) / sum(b.size for b in family)) or 1.0
            assert got[kind][name].shape == a.shape, name
            found[kind] = max(found[kind], float(np.abs(got[kind][name] - a).max() / size))
    return found


def nearby(arrays, rng):
    """The floats among `arrays` off by DELTA of each, at random, and off the other way: whichever side a kink is on."""
    by = [rng.standard_normal(a.shape) * DELTA for a in arrays]
    for sign in (1, -1):
        yield [a * (1 + sign * f) if a.dtype.kind == "f" else a for a, f in zip(arrays, by, strict=True)]


@functools.cache
def truth(library, net):
    """(state, inputs, results in float64, {kind: condition}), with the first inputs that have no kink near by."""
    state = drawn_state(net)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        inputs = [rng.standard_normal(shape).astype("float32") for shape in net.shapes]
        exact, condition = conditioned(library, net, state, inputs)
        if max(condition.values()) < MOST:
            return state, inputs, exact, condition
    raise AssertionError(f"{net.name}: no inputs without a kink near by")


def conditioned(library, net, state, inputs):
    """(results in float64, {kind: condition}, or MOST and more where a kink is near by)."""
    rng = np.random.default_rng(2)
    exact = run(library, net, state, inputs, "float64")
    condition = dict.fromkeys(KINDS, 1.0)  # less than that is no help to a sum
    for _ in range(3):
        for moved in nearby([*inputs, *state.values()], rng):
            xs, weights = moved[: len(inputs)], dict(zip(state, moved[len(inputs) :], strict=True))
            change = errors(run(library, net, weights, xs, "float64"), exact)
            condition = {kind: max(condition[kind], e / DELTA) for kind, e in change.items()}
            if max(condition.values()) >= MOST:
                return exact, condition
    return exact, condition
