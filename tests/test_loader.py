"""DataLoader: order, workers, random numbers, errors; the same bytes for any number of workers, no thread left behind."""

import _thread
import copy
import errno
import gc
import hashlib
import itertools
import os
import threading
import time
import traceback
import warnings

import numpy as np
import pytest

import engine
from engine import nn, optim
from engine.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, get_worker_info
from engine.utils.data.sampler import BatchSampler, WeightedRandomSampler
from engine_ext import parallel

WORKERS = [0, 1, 2, 4]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    gc.collect()
    left = [t for t in threading.enumerate() if t not in before]
    assert not left


def numbers(count=10):
    return TensorDataset(engine.arange(count), engine.arange(count) * 2)


def epoch(loader):
    return [batch[0].tolist() for batch in loader]


def seeded(seed=5):
    return engine.Generator().manual_seed(seed)


class Squares(Dataset):
    """Samples in plain Python; `act(index)` happens while one is read."""

    def __init__(self, count=20, act=lambda index: None):
        self.count, self.act = count, act

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.act(index)
        return index * index


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


class Noisy(Dataset):
    """Augmentation as users write it: draws per sample, an unequal number of them, and some work."""

    def __len__(self):
        return 37

    def __getitem__(self, index):
        if index % 3 == 0:
            time.sleep(0.002)
        noise = engine.randn(index % 4 + 1).sum()
        return np.full(3, index, np.float32) + noise.numpy(), index


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


def digest(batches):
    h = hashlib.sha256()
    for images, labels in batches:
        h.update(images.numpy().tobytes() + labels.numpy().tobytes())
    return h.hexdigest()


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


# ---- errors


class Custom(Exception):
    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize(
    "error, expected",
    [
        (ValueError("bad pixel"), r"bad pixel \(sample 7 of Squares(, worker \d)?\)$"),
        (KeyError("label"), r"'label' \(sample 7 of Squares(, worker \d)?\)$"),
        (RuntimeError(), r"^\(sample 7 of Squares(, worker \d)?\)$"),
        (IndexError("list index out of range"), r"out of range \(sample 7"),
        (FileNotFoundError(errno.ENOENT, "No such file", "7.png"), r"No such file \(sample 7 of .*\): '7.png'$"),
        (StopIteration(), r"StopIteration was raised \(sample 7 of Squares"),
        (Custom(3, "x"), r"\(3, 'x'\)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_keep_their_type_and_name_the_sample(workers, error, expected):
    def act(index):
        if index == 7:
            raise copy.copy(error)

    kind = RuntimeError if isinstance(error, StopIteration) else type(error)
    with pytest.raises(kind, match=expected) as caught:
        list(DataLoader(Squares(act=act), batch_size=4, num_workers=workers))
    if workers:
        where = str(caught.value) + "".join(getattr(caught.value, "__notes__", ["worker"]))
        assert "worker" in where
    if kind is FileNotFoundError:
        assert caught.value.errno == errno.ENOENT and caught.value.filename == "7.png"
    if kind is Custom:
        assert caught.value.code == 3
    lines = traceback.format_exception(caught.value)
    assert any("in act" in line for line in lines)  # the traceback reaches the user's line


@pytest.mark.parametrize("workers", WORKERS)
def test_errors_of_batches_name_them(workers):
    def loader(dataset, **options):
        return DataLoader(dataset, batch_size=2, num_workers=workers, **options)

    class Ragged(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return engine.zeros(2, 3 + (index == 2)), index

    with pytest.raises(RuntimeError) as caught:
        list(loader(Ragged(), sampler=[1, 2]))
    assert str(caught.value).startswith(
        "sample 2[0] has shape (2, 4), but sample 1[0] of the same batch has shape (2, 3); "
        "samples of a batch must be alike (or give DataLoader a collate_fn) (batch 0 of Ragged, samples 1, 2"
    )
    with pytest.raises(ZeroDivisionError, match=r"batch 1 of Squares, samples 2, 3"):
        list(loader(Squares(), collate_fn=lambda samples: 1 / (samples[0] - 4)))

    class Broken(Squares):
        def get_batch(self, indices):
            raise LookupError("no such block")

    with pytest.raises(LookupError, match=r"no such block \(batch 0 of Broken, samples 0, 1"):
        list(loader(Broken()))

    class Torn(IterableDataset):
        def __iter__(self):
            yield from range(5)
            raise ValueError("torn")

    with pytest.raises(ValueError, match=r"torn \(sample number 5 of Torn"):
        list(loader(Torn()))


@pytest.mark.parametrize("workers", WORKERS)
def test_a_loop_can_go_on_after_an_error(workers):
    def act(index):
        if index == 2:
            raise ValueError("skip me")

    batches, loop = [], iter(DataLoader(Squares(6, act), batch_size=2, num_workers=workers))
    while True:
        try:
            batches.append(next(loop).tolist())
        except StopIteration:
            break
        except ValueError:
            batches.append("skipped")
    assert batches == [[0, 1], "skipped", [16, 25]]
    assert list(loop) == []


@pytest.mark.parametrize("workers", WORKERS)
def test_errors_of_the_sampler_come_in_their_turn(workers):
    def indices():
        yield from range(5)
        raise ValueError("no more")

    class Failing:
        def __iter__(self):
            return indices()

    seen = []
    with pytest.raises(ValueError, match="^no more$"):
        for batch in DataLoader(numbers(), batch_size=2, sampler=Failing(), num_workers=workers):
            seen.append(batch[0].tolist())
    assert seen == [[0, 1], [2, 3]]


def test_a_worker_that_exits_or_cannot_start():
    def act(index):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(DataLoader(Squares(act=act), num_workers=2))

    def init(worker):
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        list(DataLoader(Squares(), num_workers=2, worker_init_fn=init))


def test_timeout():
    release = threading.Event()

    def act(index):
        if index == 3:
            release.wait(20)

    seen, start = [], time.monotonic()
    loop = iter(DataLoader(Squares(act=act), 2, num_workers=2, timeout=0.2))
    try:
        with pytest.raises(
            RuntimeError, match=r"timed out after 0.2 seconds waiting for batch 1 of Squares, samples \[2, 3\]"
        ):
            for batch in loop:
                seen.append(batch.tolist())
        assert seen == [[0, 1]] and time.monotonic() - start < 10
    finally:
        release.set()
    assert next(loop).tolist() == [4, 9]  # late, not lost
    assert sum(1 for _ in loop) == 8
    with pytest.raises(AssertionError, match="timeout=1 needs num_workers > 0"):
        iter(DataLoader(Squares(), timeout=1))


# ---- threads


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith("engine-loader")]


def test_threads_live_as_long_as_the_loop():
    loader = DataLoader(Squares(), batch_size=2, num_workers=3)
    assert not loader_threads()
    loop = iter(loader)
    assert len(loader_threads()) == 3 and all(t.daemon for t in loader_threads())
    next(loop)
    del loop
    assert not loader_threads()
    for _ in loader:
        break
    assert not loader_threads()
    list(loader)
    assert not loader_threads()


def test_an_error_that_was_dealt_with_keeps_no_threads():
    def act(index):
        if index == 4:
            raise ValueError("bad")

    gc.disable()  # no help from the collector: there are no cycles
    try:
        for _ in range(2):
            try:
                list(DataLoader(Squares(act=act), num_workers=2))
            except ValueError:
                pass
            assert not loader_threads()
    finally:
        gc.enable()


def test_break_does_not_wait_for_the_rest_of_a_batch():
    read = []

    def act(index):
        read.append(index)
        time.sleep(0.02)

    start = time.monotonic()
    batches = [[0], range(1, 1000), range(1000, 2000)]  # 20 seconds each but the first
    for _ in DataLoader(Squares(2000, act), batch_sampler=batches, num_workers=2):
        break
    assert time.monotonic() - start < 4
    before = len(read)
    time.sleep(0.1)
    assert len(read) == before < 400


@pytest.mark.parametrize("where", ["body", "wait"])
def test_keyboard_interrupt(where):
    def act(index):
        if where == "wait" and index == 6:
            time.sleep(0.5)

    def loop():
        for number, _ in enumerate(DataLoader(Squares(act=act), 2, num_workers=2)):
            if where == "body" and number == 2:
                raise KeyboardInterrupt
            if where == "wait" and number == 2:
                threading.Timer(0.1, _thread.interrupt_main).start()
        return "finished"

    def interrupted():
        try:
            loop()
        except KeyboardInterrupt:  # whose traceback holds the loop
            return where == "body" or not loader_threads()
        return False

    assert interrupted()
    assert not loader_threads()
    time.sleep(0.1)


def test_reads_ahead_as_far_as_asked_and_no_further():
    read, enough = [], threading.Semaphore(0)

    def act(index):
        read.append(index)
        enough.release()

    loop = iter(DataLoader(Squares(100, act), 2, num_workers=3, prefetch_factor=4))
    next(loop)
    for _ in range(2 * (3 * 4 + 1)):
        assert enough.acquire(timeout=10)
    time.sleep(0.05)
    assert len(read) == 2 * (3 * 4 + 1)


def test_batches_as_they_are_finished():
    release = threading.Event()

    def act(index):
        if index == 0:
            release.wait(20)

    loop = iter(DataLoader(Squares(6, act), 2, num_workers=2, in_order=False))
    assert [next(loop).tolist() for _ in range(2)] == [[4, 9], [16, 25]]
    release.set()
    assert [b.tolist() for b in loop] == [[0, 1]]


def test_persistent_workers():
    started, threads = [], set()

    def act(index):
        threads.add(threading.get_ident())

    loader = DataLoader(Squares(act=act), 2, num_workers=2, persistent_workers=True, worker_init_fn=started.append)
    expected = [b.tolist() for b in DataLoader(Squares(), 2)]
    assert [b.tolist() for b in loader] == expected and len(loader_threads()) == 2
    for _ in loader:
        break
    first, second = iter(loader), iter(loader)  # two loops share the workers
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(first, second, strict=True)]
    assert pairs == [(b, b) for b in expected]
    assert sorted(started) == [0, 1] and len(threads - {threading.get_ident()}) <= 2
    del loader, first, second
    gc.collect()
    assert not loader_threads()


def test_worker_info():
    assert get_worker_info() is None
    infos = {}

    class Asks(Squares):
        calls = 0

        def __getitem__(self, index):
            info = get_worker_info()
            assert info.dataset is self
            self.calls += 1
            time.sleep(0.001)
            infos[info.id] = info
            return index

    dataset = Asks(40)
    engine.manual_seed(0)
    list(DataLoader(dataset, num_workers=2))
    assert set(infos) == {0, 1} and {i.num_workers for i in infos.values()} == {2}
    assert infos[1].seed == infos[0].seed + 1
    assert dataset.calls == 0 and sum(i.dataset.calls for i in infos.values()) == 40  # shallow copies
    assert get_worker_info() is None


def test_two_loaders_at_once_and_one_inside_another():
    a, b = (DataLoader(numbers(), 3, shuffle=True, num_workers=2, generator=seeded(s)) for s in (1, 2))
    expected = [epoch(DataLoader(numbers(), 3, shuffle=True, generator=seeded(s))) for s in (1, 2)]
    pairs = [(x[0].tolist(), y[0].tolist()) for x, y in zip(a, b, strict=True)]
    assert [list(side) for side in zip(*pairs, strict=True)] == expected
    inner = DataLoader(numbers(4), 2, num_workers=2)
    nested = DataLoader(Squares(5, lambda index: epoch(inner)), num_workers=2)
    assert [b.item() for b in nested] == [0, 1, 4, 9, 16]


def test_loader_inside_a_thread():
    results = {}

    def run(name):
        results[name] = digest(DataLoader(Noisy(), 4, shuffle=True, num_workers=2, generator=seeded()))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(results.values()) == {digest(DataLoader(Noisy(), 4, shuffle=True, generator=seeded()))}


def test_workers_follow_the_modes_of_the_loop_and_compute_alone():
    seen = []

    def act(index):
        seen.append((engine.is_grad_enabled(), engine.backends.default().name, parallel.team_size()))

    before = parallel.get_num_threads()
    parallel.set_num_threads(3)
    try:
        with engine.no_grad(), engine.use_backend("reference"):
            list(DataLoader(Squares(2, act), num_workers=1))
        list(DataLoader(Squares(2, act), num_workers=1))
        assert parallel.team_size() == 3
    finally:
        parallel.set_num_threads(before)
    assert seen[0] == (False, "reference", 1) and seen[-1] == (True, "cpu", 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child():
    loader = DataLoader(Squares(400), 2, num_workers=2, persistent_workers=True)
    loop = iter(loader)
    next(loop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks beside threads
        child = os.fork()
    if not child:
        code = 1
        try:
            for _ in range(5):  # what was made before the fork is still there
                next(loop)
        except RuntimeError as error:
            code = 2 if "workers of this loop are gone" in str(error) else 3
        try:
            if sum(1 for _ in loader) == 200 and code == 2:
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(1 for _ in loop) == 199


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
