"""Data sets, samplers and collation: what they give, and what goes wrong with them."""

import itertools
import math
from collections import OrderedDict, UserDict, UserList, deque, namedtuple

import numpy as np
import pytest

import engine
from engine.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)

# ---- data sets


def numbers(count=10):
    return TensorDataset(engine.arange(count), engine.arange(count) * 2)


class Words(Dataset):
    """Samples in a list, read one by one."""

    def __init__(self, words):
        self.words = list(words)

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        return self.words[index]


class Stream(IterableDataset):
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)


def test_tensor_dataset():
    dataset = numbers()
    assert len(dataset) == 10
    assert [t.item() for t in dataset[3]] == [3, 6]
    assert [t.tolist() for t in dataset.get_batch(engine.tensor([4, 1]))] == [[4, 1], [8, 2]]


def test_tensor_dataset_errors():
    with pytest.raises(ValueError, match="needs at least one Tensor"):
        TensorDataset()
    with pytest.raises(TypeError, match="argument 1 is a list; convert it with engine.tensor"):
        TensorDataset(engine.arange(2), [1, 2])
    with pytest.raises(AssertionError, match="argument 1 has 3 samples, but argument 0 has 2"):
        TensorDataset(engine.arange(2), engine.arange(3))
    with pytest.raises(ValueError, match="argument 0 has no axis"):
        TensorDataset(engine.tensor(1.0))


def test_base_classes_say_what_is_missing():
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]
    with pytest.raises(TypeError, match="abstract.* __iter__|abstract.*'__iter__'"):
        IterableDataset()
    with pytest.raises(NotImplementedError, match="Sampler must define __iter__"):
        iter(Sampler())
    assert Dataset[int] and IterableDataset[int] and Sampler[int]  # as annotations write them


def test_subset_reads_through():
    subset = Subset(numbers(), [7, -1, 2])
    assert [x.item() for x, _ in (subset[i] for i in range(3))] == [7, 9, 2]
    assert [t.tolist() for t in subset[[2, 0]]] == [[2, 7], [4, 14]]
    (first, _), (second, _) = DataLoader(subset, batch_size=2)
    assert first.tolist() == [7, 9] and second.tolist() == [2]
    subset.indices = [1, 3]
    assert next(iter(DataLoader(subset, batch_size=2)))[0].tolist() == [1, 3]
    assert Subset(Subset(numbers(), range(5, 10)), [4, 0]).get_batch(engine.tensor([0, 1]))[0].tolist() == [9, 5]
    with pytest.raises(IndexError, match="index 10 at position 1 is out of range for a data set of 10 samples"):
        Subset(numbers(), [0, 10])


def test_subset_offers_whole_batches_only_where_its_data_set_does():
    class Several(Words):
        def __getitems__(self, indices):
            return [self.words[i].upper() for i in indices]

    assert Subset(Words("abc"), [0]).get_batch is None and Subset(Words("abc"), [0]).__getitems__ is None
    assert Subset(Several("abc"), [2, 1]).__getitems__([1, 0]) == ["B", "C"]
    assert next(iter(DataLoader(Subset(Several("abc"), [2, 1]), batch_size=2))) == ["C", "B"]


def test_a_subclass_that_overrides_getitem_is_not_passed_by():
    class Negative(TensorDataset):
        def __getitem__(self, index):
            return -super().__getitem__(index)[0]

    class Both(Negative):
        def get_batch(self, indices):
            return "whole"

    class Shifted(Subset):
        def __getitem__(self, index):
            return super().__getitem__(index)[0] + 100

    class Wrapper:
        """Forwards what it does not have itself."""

        def __init__(self, inner):
            self.inner = inner

        def __len__(self):
            return len(self.inner)

        def __getitem__(self, index):
            return self.inner[index][0] + 1000

        def __getattr__(self, name):
            return getattr(self.inner, name)

    def first(dataset):
        return next(iter(DataLoader(dataset, batch_size=2)))

    assert first(Negative(engine.arange(3))).tolist() == [0, -1]
    assert first(Both(engine.arange(3))) == "whole"
    assert first(Shifted(numbers(), [4, 5])).tolist() == [104, 105]
    assert first(Subset(Negative(engine.arange(3)), [2, 1])).tolist() == [-2, -1]
    assert first(Wrapper(numbers())).tolist() == [1000, 1001]


def test_concat_dataset():
    joined = Words("ab") + Words("") + Words("cde") + Words("f")
    assert isinstance(joined, ConcatDataset) and len(joined) == 6
    assert "".join(joined[i] for i in range(6)) == "abcdef" and joined[-1] == "f" and joined[-6] == "a"
    assert ConcatDataset([Words("ab"), Words("c")]).cumulative_sizes == [2, 3]
    assert list(DataLoader(joined, batch_size=4)) == [list("abcd"), list("ef")]
    with pytest.raises(IndexError, match="index 6 is out of range for 6 samples"):
        joined[6]
    with pytest.raises(ValueError, match="index -7 reaches before the first of 6 samples"):
        joined[-7]
    with pytest.raises(AssertionError, match="empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset, which number 1 is"):
        ConcatDataset([Words("a"), Stream(1)])


def test_chain_dataset():
    chained = Stream(1, 2) + Stream() + Stream(3)
    assert isinstance(chained, ChainDataset) and list(chained) == [1, 2, 3] and len(chained) == 3
    assert list(chained) == [1, 2, 3]
    with pytest.raises(AssertionError, match="only supports IterableDataset, but number 1 is a Words"):
        list(ChainDataset([Stream(1), Words("a")]))


def test_stack_dataset():
    pairs = StackDataset(Words("ab"), numbers(2))
    assert len(pairs) == 2 and pairs[1][0] == "b" and pairs[1][1][1].item() == 2
    named = StackDataset(word=Words("ab"), number=Words([1, 2]))
    assert named[0] == {"word": "a", "number": 1}
    batch = next(iter(DataLoader(named, batch_size=2)))
    assert batch["word"] == ["a", "b"] and batch["number"].tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"Size mismatch between datasets: .* \[2, 3\] samples"):
        StackDataset(Words("ab"), Words("abc"))
    with pytest.raises(ValueError, match="not both"):
        StackDataset(Words("ab"), b=Words("ab"))
    with pytest.raises(ValueError, match="at least one dataset"):
        StackDataset()


def test_random_split_partitions_and_repeats():
    def parts():
        return random_split(numbers(), [7, 3], generator=engine.Generator().manual_seed(1))

    first, second = parts()
    assert sorted(first.indices + second.indices) == list(range(10))
    assert (len(first), len(second)) == (7, 3)
    assert [p.indices for p in parts()] == [first.indices, second.indices]
    assert [len(p) for p in random_split(numbers(), [0.55, 0.25, 0.2])] == [6, 2, 2]
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        assert [len(p) for p in random_split(numbers(3), [1.0, 0.0])] == [3, 0]


def test_random_split_errors():
    with pytest.raises(ValueError, match=r"lengths \[7, 2\] add up to 9, but the data set has 10 samples"):
        random_split(numbers(), [7, 2])
    with pytest.raises(ValueError, match=r"fractions must lie in 0..1 and add up to 1, got \[0.5, 0.6\]"):
        random_split(numbers(), [0.5, 0.6])


# ---- samplers


def seeded(seed=3):
    return engine.Generator().manual_seed(seed)


def test_sequential_and_random_sampler():
    data = range(7)
    assert list(SequentialSampler(data)) == list(range(7)) and len(SequentialSampler(data)) == 7
    sampler = RandomSampler(data, generator=seeded())
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(7)) and first != second
    assert list(RandomSampler(data, generator=seeded())) == first
    longer = list(RandomSampler(data, num_samples=17, generator=seeded()))
    assert len(longer) == 17 and sorted(longer[:7]) == sorted(longer[7:14]) == list(range(7))
    assert longer[:7] != longer[7:14] and len(set(longer[14:])) == 3
    drawn = RandomSampler(data, replacement=True, num_samples=700, generator=seeded())
    counts = np.bincount(list(drawn), minlength=7)
    assert len(drawn) == 700 and counts.sum() == 700 and counts.min() > 60
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match=f"num_samples should be a positive integer value, .*{wrong}"):
            RandomSampler(data, num_samples=wrong)
    with pytest.raises(ValueError, match="num_samples=0"):
        RandomSampler([])
    with pytest.raises(TypeError, match="replacement should be a boolean value"):
        RandomSampler(data, replacement=1)


def test_subset_random_sampler():
    sampler = SubsetRandomSampler([5, 3, 8], generator=seeded())
    assert len(sampler) == 3 and sorted(sampler) == [3, 5, 8]
    assert len({tuple(sampler) for _ in range(60)}) == 6  # every order


def test_weighted_random_sampler_draws_in_proportion():
    sampler = WeightedRandomSampler([0.0, 1.0, 3.0, 0.0], 40000, generator=seeded())
    counts = np.bincount(list(sampler), minlength=4)
    assert counts[0] == counts[3] == 0 and len(sampler) == 40000
    assert abs(counts[2] / 40000 - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 40000)
    assert list(WeightedRandomSampler(engine.tensor([1.0, 2.0]), 5, generator=seeded())) == list(
        WeightedRandomSampler([engine.tensor(1.0), engine.tensor(2.0)], 5, generator=seeded())
    )


def test_weighted_random_sampler_without_replacement():
    weights = [1.0, 2.0, 0.0, 5.0]
    generator, first = seeded(), []
    for _ in range(2000):
        drawn = list(WeightedRandomSampler(weights, 3, replacement=False, generator=generator))
        assert sorted(drawn) == [0, 1, 3]
        first.append(drawn[0])
    shares = np.bincount(first, minlength=4) / 2000
    np.testing.assert_allclose(shares, [1 / 8, 2 / 8, 0, 5 / 8], atol=5 * math.sqrt(0.25 / 2000))


def test_weighted_random_sampler_errors():
    for weights, count, problem in (
        ([1.0, 0.0], 2, "2 weights, of which 1 are positive"), ([1.0, -0.5], 1, "weight 1 is -0.5"),
        ([math.inf], 1, "weight 0 is inf"), ([1.0, math.nan], 1, "weight 1 is nan"),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=problem):
            list(WeightedRandomSampler(weights, count, replacement=False))
    with pytest.raises(RuntimeError, match="of which 0 are positive"):
        list(WeightedRandomSampler([0.0], 1))
    with pytest.raises(ValueError, match=r"1d sequence but given weights have shape \(1, 2\)"):
        WeightedRandomSampler([[1.0, 2.0]], 1)
    with pytest.raises(ValueError, match="num_samples should be a positive integer"):
        WeightedRandomSampler([1.0], 0)
    with pytest.raises(ValueError, match="replacement should be a boolean"):
        WeightedRandomSampler([1.0], 1, replacement=1)


def test_batch_sampler():
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert list(BatchSampler([], 2, False)) == []
    assert (len(BatchSampler(range(5), 2, False)), len(BatchSampler(range(5), 2, True))) == (3, 2)
    assert list(itertools.islice(BatchSampler(itertools.count(), 2, False), 2)) == [[0, 1], [2, 3]]
    for wrong in (0, -1, 2.0, True, "2"):
        with pytest.raises(ValueError, match="batch_size should be a positive integer value"):
            BatchSampler(range(5), wrong, False)
    with pytest.raises(ValueError, match="drop_last should be a boolean value"):
        BatchSampler(range(5), 2, 1)


@pytest.mark.parametrize("count, replicas, drop_last", [(10, 3, False), (10, 3, True), (2, 5, False), (9, 3, True)])
def test_distributed_sampler_shares_everything_out(count, replicas, drop_last):
    data, expected = range(count), count // replicas if drop_last else -(-count // replicas)
    shares = [DistributedSampler(data, replicas, r, drop_last=drop_last, seed=4) for r in range(replicas)]
    assert all(len(s) == len(list(s)) == expected for s in shares)
    seen = [i for s in shares for i in s]
    assert set(seen) == set(data) if not drop_last else len(set(seen)) == len(seen) == expected * replicas
    before = [list(s) for s in shares]
    assert [list(s) for s in shares] == before
    for s in shares:
        s.set_epoch(1)
    assert [list(s) for s in shares] != before or count < 4


def test_distributed_sampler_errors():
    assert list(DistributedSampler(range(5), 2, 1, shuffle=False)) == [1, 3, 0]
    with pytest.raises(ValueError, match=r"Invalid rank 2, rank should be in the interval \[0, 1\]"):
        DistributedSampler(range(5), 2, 2)
    with pytest.raises(RuntimeError, match="needs num_replicas and rank"):
        DistributedSampler(range(5))


# ---- collation

Point = namedtuple("Point", "x y")


def test_default_collate_stacks_each_kind():
    assert default_collate([engine.ones(2), engine.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    arrays = default_collate([np.float32([1, 2]), np.float32([3, 4])])
    assert arrays.tolist() == [[1, 2], [3, 4]] and arrays.dtype == engine.float32
    assert default_collate([np.float64(1), np.float64(2)]).dtype == engine.float64
    assert default_collate([1.5, 2]).dtype == engine.float64 and default_collate([1, 2]).dtype == engine.int64
    assert default_collate([True, False]).dtype == engine.bool
    assert default_collate(["a", "b"]) == ["a", "b"] and default_collate([b"a"]) == [b"a"]
    assert default_collate([np.str_("a")]) == ["a"]


def test_default_collate_keeps_containers():
    tuples = default_collate([(1, "a"), (2, "b")])
    assert type(tuples) is list and tuples[0].tolist() == [1, 2] and tuples[1] == ("a", "b")
    point = default_collate([Point(1, 2.0), Point(3, 4.0)])
    assert isinstance(point, Point) and point.x.tolist() == [1, 3] and point.y.dtype == engine.float64
    for kind in (dict, OrderedDict, UserDict):
        batch = default_collate([kind({"a": 1}), kind({"a": 2})])
        assert type(batch) is kind and batch["a"].tolist() == [1, 2]
    for sequence in (list, UserList, deque):
        batch = default_collate([sequence([1, 2]), sequence([3, 4])])
        assert type(batch) is sequence and [b.tolist() for b in batch] == [[1, 3], [2, 4]]
    nested = default_collate([{"a": [(1, {"b": 2.0})]}, {"a": [(3, {"b": 4.0})]}])
    assert nested["a"][0][1]["b"].tolist() == [2.0, 4.0]
    assert default_collate([{"a": 1}, {"a": 2, "b": 3}])["a"].tolist() == [1, 2]


def test_collation_errors_name_the_sample():
    with pytest.raises(TypeError, match="sample 0 is a object, which cannot be stacked into a batch"):
        default_collate([object()])
    with pytest.raises(TypeError, match="sample 1 is a str, but sample 0 of the same batch is a int"):
        default_collate([1, "a"])
    with pytest.raises(RuntimeError, match="sample 1 has 1 fields, but sample 0 of the same batch has 2 fields"):
        default_collate([(1, 2), (1,)])
    with pytest.raises(RuntimeError, match=r"sample 1\['a'\]\[0\] has shape \(3,\)"):
        default_collate([{"a": [engine.ones(2)]}, {"a": [engine.ones(3)]}])
    with pytest.raises(KeyError, match="sample 1 has no .*'a'.*, which sample 0"):
        default_collate([{"a": 1}, {"b": 1}])
    with pytest.raises(TypeError, match="sample 0 is a NoneType"):
        default_collate([None])
    with pytest.raises(ValueError, match="no samples to stack"):
        default_collate([])


def test_default_convert():
    array = np.zeros(3, np.float32)
    converted = default_convert({"a": array, "b": (1, "x"), "c": Point(np.int64(4), None), "d": np.array(["s"])})
    assert isinstance(converted["a"], engine.Tensor) and converted["b"] == [1, "x"]
    assert converted["c"].x.item() == 4 and converted["c"].y is None and converted["d"][0] == "s"
    array[0] = 7
    assert converted["a"].tolist() == [7, 0, 0]  # shared, not copied
    tensor = engine.ones(2)
    assert default_convert(tensor) is tensor and default_convert("text") == "text"
