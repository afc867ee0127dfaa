"""DataLoader's workers: errors that say where, time-outs, threads that end, modes, forks."""

import _thread
import copy
import errno
import gc
import os
import threading
import time
import traceback
import warnings

import pytest
from loading import WORKERS, Noisy, Squares, digest, epoch, no_thread_is_left, numbers, seeded  # noqa: F401

import engine
from engine.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info
from engine_ext import parallel

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
