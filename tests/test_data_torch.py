"""engine.utils.data beside torch.utils.data: results, their dtypes and containers, orders, lengths, types of errors."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import engine
from engine.utils import data as ours

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.utils.data")
Point = namedtuple("Point", "x y")


def same(a, b):
    """Whether a result of ours is a result of theirs: containers, values, dtypes."""
    if isinstance(b, torch.Tensor):
        return isinstance(a, engine.Tensor) and str(a.dtype) == str(b.dtype)[6:] and a.tolist() == b.tolist()
    if isinstance(b, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    if isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def outcome(call):
    """The result of a call, or the type of what it raised."""
    try:
        return call()
    except Exception as error:
        return type(error)


BATCHES = {
    "floats": lambda t: [0.5, 1.5],
    "ints": lambda t: [1, 2],
    "int then float": lambda t: [1, 2.5],
    "bools": lambda t: [True, False],
    "strings": lambda t: ["a", "b"],
    "bytes": lambda t: [b"a", b"b"],
    "float32 scalars": lambda t: [np.float32(1), np.float32(2)],
    "float64 scalars": lambda t: [np.float64(1), np.float64(2)],
    "int32 scalars": lambda t: [np.int32(1), np.int32(2)],
    "arrays": lambda t: [np.ones(2, np.float32), np.zeros(2, np.float32)],
    "0-d arrays": lambda t: [np.array(1.0), np.array(2.0)],
    "bytes as arrays": lambda t: [np.zeros(2, np.uint8), np.ones(2, np.uint8)],
    "tensors": lambda t: [t.ones(2), t.zeros(2)],
    "tuples": lambda t: [(1, "a", t.ones(1)), (2, "b", t.ones(1))],
    "lists": lambda t: [[1, 2.0], [3, 4.0]],
    "named": lambda t: [Point(1, 2.0), Point(3, 4.0)],
    "dicts": lambda t: [{"a": 1, "b": [2.0]}, {"a": 3, "b": [4.0]}],
    "ordered": lambda t: [OrderedDict(a=1), OrderedDict(a=2)],
    "extra key": lambda t: [{"a": 1}, {"a": 2, "b": 3}],
    "missing key": lambda t: [{"a": 1}, {"b": 2}],
    "unequal tuples": lambda t: [(1, 2), (1,)],
    "unequal tensors": lambda t: [t.ones(2), t.ones(3)],
    "unequal arrays": lambda t: [np.ones(2), np.ones(3)],
    "none": lambda t: [None],
    "objects": lambda t: [object()],
    "string arrays": lambda t: [np.array(["a"])],
    "empty containers": lambda t: [[], []],
}


@pytest.mark.parametrize("name", BATCHES)
def test_default_collate(name):
    a, b = (outcome(lambda m=m, t=t: m.default_collate(BATCHES[name](t))) for m, t in ((ours, engine), (theirs, torch)))
    if isinstance(b, type):
        assert isinstance(a, type) and issubclass(a, b)
    else:
        assert same(a, b)


@pytest.mark.parametrize(
    "name", ["tuples", "named", "dicts", "arrays", "float32 scalars", "strings", "none", "string arrays"]
)
def test_default_convert(name):
    a, b = (m.default_convert(BATCHES[name](t)) for m, t in ((ours, engine), (theirs, torch)))
    assert same(a, b)


ARGUMENTS = [
    {"batch_size": 0}, {"batch_size": True}, {"batch_size": 2.0}, {"batch_size": None}, {"batch_size": None, "drop_last": True},
    {"batch_size": 4, "drop_last": True}, {"drop_last": 1}, {"sampler": [1, 2], "batch_size": 2}, {"sampler": [1], "shuffle": True},
    {"sampler": [1], "shuffle": False}, {"batch_sampler": [[0, 1], [2]]}, {"batch_sampler": [[0]], "batch_size": 2},
    {"batch_sampler": [[0]], "shuffle": True}, {"batch_sampler": [[0]], "drop_last": True}, {"batch_sampler": [(1, 2)]},
    {"num_workers": -1}, {"timeout": -1}, {"timeout": 1}, {"prefetch_factor": 2}, {"persistent_workers": True},
    {"multiprocessing_context": "fork"}, {"collate_fn": len, "batch_size": 3}, {"batch_size": 3}, {"sampler": [99]},
    {"batch_size": np.int64(2)}, {"collate_fn": len, "batch_size": None},
]  # fmt: skip


@pytest.mark.parametrize("options", ARGUMENTS, ids=str)
@pytest.mark.parametrize("kind", ["tensors", "list", "stream"])
def test_loader_arguments(options, kind):
    def run(module, t):
        class Stream(module.IterableDataset):
            def __iter__(self):
                return iter(range(5))

            def __len__(self):
                return 5

        dataset = {"list": [1.5, 2.5, 3.5, 4.5, 5.5], "stream": Stream()}.get(kind) or module.TensorDataset(t.arange(5))
        loader = module.DataLoader(dataset, **options)
        return len(loader), list(loader), loader.batch_size, loader.drop_last

    a, b = outcome(lambda: run(ours, engine)), outcome(lambda: run(theirs, torch))
    if isinstance(b, type):
        assert isinstance(a, type) and issubclass(a, b)
    else:
        assert same(a, b)


@pytest.mark.parametrize("count, replicas", [(10, 3), (2, 5), (9, 3), (1, 4)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_distributed_sampler(count, replicas, drop_last):
    for rank in range(replicas):
        a, b = (m.DistributedSampler(range(count), replicas, rank, False, 0, drop_last) for m in (ours, theirs))
        assert list(a) == list(b) and len(a) == len(b) and a.total_size == b.total_size


def test_lengths_of_samplers_and_splits():
    for options in (
        {},
        {"num_samples": 3},
        {"num_samples": 25},
        {"replacement": True},
        {"replacement": True, "num_samples": 4},
    ):
        a, b = (m.RandomSampler(range(10), **options) for m in (ours, theirs))
        assert len(a) == len(b) == len(list(a)) == len(list(b))
    for lengths in ([7, 3], [0.5, 0.5], [0.55, 0.25, 0.2], [1 / 3] * 3):
        a, b = (m.random_split(range(10), lengths) for m in (ours, theirs))
        assert [len(s) for s in a] == [len(s) for s in b]
        assert sorted(i for s in a for i in s) == list(range(10))


def test_types_of_errors():
    def raised(module, t):
        class Stream(module.IterableDataset):
            def __iter__(self):
                return iter([1])

        stream = Stream()
        return [
            outcome(call)
            for call in (
                lambda: module.TensorDataset(t.ones(2), t.ones(3)),
                lambda: module.ConcatDataset([]),
                lambda: module.ConcatDataset([stream]),
                lambda: module.ConcatDataset([[1, 2]])[2],
                lambda: module.ConcatDataset([[1, 2]])[-3],
                lambda: list(module.ChainDataset([[1]])),
                lambda: module.StackDataset(),
                lambda: module.StackDataset([1], a=[1]),
                lambda: module.StackDataset([1], [1, 2]),
                lambda: module.Dataset()[0],
                lambda: module.IterableDataset(),
                lambda: module.random_split(range(4), [1, 2]),
                lambda: module.random_split(range(4), [1.5, -0.5]),
                lambda: module.RandomSampler([]),
                lambda: module.RandomSampler([1], replacement=1),
                lambda: module.RandomSampler([1], num_samples=0),
                lambda: module.WeightedRandomSampler([1.0], 0),
                lambda: module.WeightedRandomSampler([1.0], 1, replacement=1),
                lambda: module.WeightedRandomSampler([[1.0]], 1),
                lambda: list(module.WeightedRandomSampler([-1.0], 1)),
                lambda: list(module.WeightedRandomSampler([0.0], 1)),
                lambda: list(module.WeightedRandomSampler([1.0], 2, replacement=False)),
                lambda: module.BatchSampler([1], 0, False),
                lambda: module.BatchSampler([1], 1, 0),
                lambda: module.DistributedSampler([1], 2, 2),
                lambda: len(module.DataLoader(stream)),
                lambda: setattr(module.DataLoader([1]), "batch_size", 3),
            )
        ]

    assert raised(ours, engine) == raised(theirs, torch)
