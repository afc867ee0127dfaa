"""DataLoader: order, streams, arguments; the same bytes for any number of workers."""

import itertools

import pytest
from loading import WORKERS, Noisy, Squares, digest, epoch, no_thread_is_left, numbers, seeded  # noqa: F401

import engine
from engine import nn, optim
from engine.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, get_worker_info
from engine.utils.data.sampler import BatchSampler, WeightedRandomSampler

# ---- order


@pytest.mark.parametrize("workers", WORKERS)
def test_in_order(workers):
    def loader(dataset, **options):
        return DataLoader(dataset, num_workers=workers, **options)

    four = loader(numbers(), batch_size=4)
    assert epoch(four) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] and len(four) == 3 == len(iter(four))
    short = loader(numbers(), batch_size=4, drop_last=True)
    assert epoch(short) == [[0, 1, 2, 3], [4, 5, 6, 7]] and len(short) == 2
    assert epoch(loader(numbers(3), batch_size=8)) == [[0, 1, 2]]
    assert epoch(loader(numbers(3), batch_size=8, drop_last=True)) == []
    assert [b.tolist() for b in loader(Squares(3))] == [[0], [1], [4]]


@pytest.mark.parametrize("workers", WORKERS)
def test_samplers_and_single_samples(workers):
    def loader(**options):
        return DataLoader(numbers(), num_workers=workers, **options)

    assert epoch(loader(batch_size=2, sampler=[3, 3, -1])) == [[3, 3], [9]]
    assert epoch(loader(batch_sampler=[[1, 2], [], [5]][::2])) == [[1, 2], [5]]
    assert epoch(loader(batch_sampler=BatchSampler(range(9, 4, -1), 2, True))) == [[9, 8], [7, 6]]
    assert [x.item() for x, _ in loader(batch_size=None, sampler=[4, 2])] == [4, 2]
    with pytest.raises(IndexError, match=r"sampler's index 12 \(its position 1\) is out of range .* 10 samples"):
        list(loader(batch_size=2, sampler=[0, 12]))
    by_name = DataLoader({"a": 1, "b": 2}, sampler=["b", "a"], num_workers=workers)
    assert [b.tolist() for b in by_name] == [[2], [1]]
    endless = iter(loader(batch_size=3, sampler=itertools.cycle([1, 2])))
    assert [next(endless)[0].tolist() for _ in range(2)] == [[1, 2, 1], [2, 1, 2]]


def test_shuffles_anew_from_its_generator():
    def two_epochs():
        loader = DataLoader(numbers(), batch_size=10, shuffle=True, generator=seeded())
        return epoch(loader)[0], epoch(loader)[0]

    first, second = two_epochs()
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second and first != list(range(10))
    assert two_epochs() == (first, second)

    def shuffled():
        engine.manual_seed(3)
        return epoch(DataLoader(numbers(), batch_size=10, shuffle=True))

    assert shuffled() == shuffled()


def test_whole_batches_are_preferred():
    class Counting(TensorDataset):
        calls = 0

        def get_batch(self, indices):
            Counting.calls += 1
            assert indices.dtype == engine.int64 and indices.tolist() == [i % 10 for i in indices.tolist()]
            return super().get_batch(indices)

        def __getitem__(self, index):
            raise AssertionError("read sample by sample")

    list(DataLoader(Counting(engine.arange(10)), batch_size=4))
    assert Counting.calls == 3
    assert epoch(DataLoader(Counting(engine.arange(10)), sampler=[-1])) == [[9]]
    with pytest.raises(AssertionError, match="read sample by sample"):
        list(DataLoader(Counting(engine.arange(10)), collate_fn=list))


@pytest.mark.parametrize("workers", WORKERS)
def test_getitems_and_collate_fn(workers):
    class Several(Squares):
        def __getitems__(self, indices):
            assert type(indices) is list
            return [i + 100 for i in indices]

    def batches(dataset, **options):
        return list(DataLoader(dataset, batch_size=2, num_workers=workers, **options))

    assert [b.tolist() for b in batches(Several(3))] == [[100, 101], [102]]
    assert batches(Several(3), collate_fn=tuple) == [(100, 101), (102,)]
    assert batches(Squares(3), collate_fn=sum) == [1, 4]
    assert [b.tolist() for b in batches(Subset(Several(5), [4, 2]))] == [[104, 102]]
    assert list(DataLoader([1, 2, 3], batch_size=2, collate_fn=sum, num_workers=workers)) == [3, 3]


# ---- the same bytes for any number of workers


class NoisyWhole(Noisy):
    def get_batch(self, indices):
        return [engine.rand(indices.shape[0], 2), indices]


class NoisySeveral(Noisy):
    def __getitems__(self, indices):
        return [(engine.rand(2), i) for i in indices]


def mix(samples):
    """A collate_fn that draws, as MixUp does."""
    share = engine.rand(1)
    return [share * engine.tensor([float(x[0]) for x, _ in samples]), engine.tensor([y for _, y in samples])]


@pytest.mark.parametrize("dataset", [Noisy(), NoisyWhole(), NoisySeveral()], ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("collate_fn", [None, mix])
@pytest.mark.parametrize("shuffle", [False, True])
def test_bytes_do_not_depend_on_workers(dataset, collate_fn, shuffle):
    def two_epochs(workers, generator, **options):
        engine.manual_seed(11)
        loader = DataLoader(
            dataset, 5, shuffle=shuffle, num_workers=workers, collate_fn=collate_fn, generator=generator, **options
        )
        digests = []
        for _ in range(2):
            batches = []
            for batch in loader:
                engine.rand(3)  # the loop draws too
                batches.append(batch)
            digests.append(digest(batches))
        return *digests, engine.rand(1).item()

    expected = two_epochs(0, None)
    assert expected[0] != expected[1]  # another epoch draws anew
    for workers in WORKERS[1:]:
        assert two_epochs(workers, None) == expected
        assert two_epochs(workers, None, prefetch_factor=7, persistent_workers=True) == expected
    explicit = two_epochs(0, seeded())
    assert explicit != expected and two_epochs(3, seeded()) == explicit


def test_lazy_samplers_do_not_mix_with_the_draws_of_the_loop():
    class Lazy:
        """Draws one index at a time, without naming a generator."""

        def __iter__(self):
            for _ in range(20):
                yield engine.randint(0, 10, (1,)).item()

    def run(workers, sampler):
        engine.manual_seed(2)
        seen = []
        for batch in DataLoader(numbers(), 3, sampler=sampler, num_workers=workers):
            seen.append((batch[0].tolist(), engine.rand(1).item()))
        return seen

    for sampler in (Lazy(), WeightedRandomSampler(range(10), 20)):
        expected = run(0, sampler)
        assert len({i for batch, _ in expected for i in batch}) > 3
        assert all(run(workers, sampler) == expected for workers in WORKERS[1:])


def test_samples_and_batches_draw_from_streams_of_their_own():
    class Draws(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return engine.rand(1).item()

    drawn = []

    def collate(samples):
        drawn.append(engine.rand(1).item())
        return samples

    samples = sum(DataLoader(Draws(), 2, collate_fn=collate), [])
    assert len(set(samples + drawn)) == 9


def test_weights_after_training_do_not_depend_on_workers():
    def train(workers):
        engine.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 37))
        optimizer, loss = optim.SGD(model.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss()
        for _ in range(2):
            for images, labels in DataLoader(Noisy(), batch_size=6, shuffle=True, num_workers=workers):
                optimizer.zero_grad()
                loss(model(images), labels).backward()
                optimizer.step()
        return b"".join(p.detach().numpy().tobytes() for p in model.parameters())

    expected = train(0)
    assert all(train(workers) == expected for workers in WORKERS[1:])


# ---- streams


class Count(IterableDataset):
    """0..n - 1 with noise; with `share`, each worker yields its part."""

    def __init__(self, count, share=False):
        self.count, self.share, self.start, self.step = count, share, 0, 1

    def __len__(self):
        return self.count

    def __iter__(self):
        info = get_worker_info()
        start, step = (info.id, info.num_workers) if info and self.share else (self.start, self.step)
        for i in range(start, self.count, step):
            yield i + engine.rand(1).item() / 2


def test_stream_in_the_loop_and_by_one_worker():
    def batches(workers, **options):
        engine.manual_seed(1)
        return [b.tolist() for b in DataLoader(Count(7), num_workers=workers, **options)]

    expected = batches(0, batch_size=3)
    assert [[int(x) for x in b] for b in expected] == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches(1, batch_size=3) == expected
    assert batches(1, batch_size=3, drop_last=True) == batches(0, batch_size=3, drop_last=True) == expected[:2]
    assert [int(x) for x in DataLoader(Count(4), batch_size=None)] == [0, 1, 2, 3]
    assert len(DataLoader(Count(7), 3)) == 3 and len(DataLoader(Count(7), 3, drop_last=True)) == 2
    assert len(DataLoader(Count(7), None)) == 7


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_streams_take_turns(workers):
    def run(dataset, **options):
        return [[int(x) for x in b] for b in DataLoader(dataset, 2, num_workers=workers, **options)]

    shared = run(Count(11, share=True))
    assert sorted(itertools.chain(*shared)) == list(range(11))
    assert shared == run(Count(11, share=True))
    assert shared[0] == [0, workers] and (workers == 1 or shared[1] == [1, 1 + workers])
    assert len(run(Count(3))) == 2 * workers  # not shared out: every worker has all of it

    def init(worker):
        info = get_worker_info()
        info.dataset.start, info.dataset.step = worker, info.num_workers

    assert run(Count(11), worker_init_fn=init) == shared


def test_streams_of_unequal_length():
    class Unequal(IterableDataset):
        def __iter__(self):
            worker = get_worker_info().id
            return iter([worker] * [1, 0, 5, 2][worker])

    batches = [b.tolist() for b in DataLoader(Unequal(), 2, num_workers=4)]
    assert batches == [[0], [2, 2], [3, 3], [2, 2], [2]]


# ---- arguments


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"batch_size": 0}, ValueError, "batch_size should be a positive integer value, but got batch_size=0"),
        ({"sampler": [1], "shuffle": True}, ValueError, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": [[1]], "sampler": [1]}, ValueError, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": [[1]], "drop_last": True}, ValueError, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, ValueError, "batch_size=None option disables auto-batching"),
        ({"num_workers": -1}, ValueError, "num_workers option should be non-negative"),
        ({"timeout": -1}, ValueError, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor option could only be specified with num_workers > 0"),
        ({"prefetch_factor": 0, "num_workers": 1}, ValueError, "prefetch_factor option should be positive"),
        ({"persistent_workers": True}, ValueError, "persistent_workers option needs num_workers > 0"),
        ({"multiprocessing_context": "fork"}, ValueError, "multiprocessing_context can only be used"),
        ({"multiprocessing_context": "x", "num_workers": 1}, ValueError, "should be one of .* got 'x'"),
        ({"generator": 3}, TypeError, "generator must be an engine.Generator, got int"),
    ],
)
def test_arguments(options, error, text):
    with pytest.raises(error, match=text):
        DataLoader(numbers(), **options)


def test_arguments_of_streams():
    for name, value in (("shuffle", True), ("sampler", [1]), ("batch_sampler", [[1]])):
        with pytest.raises(ValueError, match=f"IterableDataset: expected unspecified {name} option"):
            DataLoader(Count(3), **{name: value})
    with pytest.raises(TypeError, match="must have __getitem__ and __len__, but generator has not"):
        DataLoader(i for i in range(3))


def test_attributes():
    loader = DataLoader(numbers(), 4, num_workers=2, pin_memory=True, multiprocessing_context="spawn")
    assert (loader.batch_size, loader.prefetch_factor, loader.drop_last, loader.in_order) == (4, 2, False, True)
    assert isinstance(loader.batch_sampler, BatchSampler) and loader.batch_sampler.sampler is loader.sampler
    assert DataLoader(numbers()).prefetch_factor is None
    assert DataLoader(numbers(), batch_sampler=[[1]]).batch_size is None
    for name in ("batch_size", "sampler", "batch_sampler", "drop_last", "dataset", "persistent_workers"):
        with pytest.raises(ValueError, match=f"{name} attribute should not be set after DataLoader is initialized"):
            setattr(loader, name, None)
    loader.collate_fn = lambda samples: "mine"
    assert list(loader) == ["mine"] * 3
