"""Fixtures that all tests share: where the data files lie, each instruction set in turn."""

import os
import signal
from pathlib import Path

import pytest

from engine_ext import _isa, parallel

PROJECT = Path(__file__).resolve().parent.parent


def pytest_configure():
    """Interrupts arrive, in tests and in what they start, also where a shell started pytest in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the public data sets: ENGINE_DATA, else ../shared/data; without either, a visible skip."""
    chosen = os.environ.get("ENGINE_DATA")
    folder = Path(chosen) if chosen else PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data files at {folder}; ENGINE_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def mnist_root(data_root) -> Path:
    """The folder of the four MNIST files, read in place."""
    return _existing(data_root / "mnist")


@pytest.fixture(scope="session")
def fashion_mnist_root(data_root) -> Path:
    """The folder of the four Fashion-MNIST files, read in place."""
    return _existing(data_root / "fashion-mnist")


@pytest.fixture(scope="session")
def cifar10_root(data_root) -> Path:
    """The folder of the six packed CIFAR-10 batches, read in place."""
    return _existing(data_root / "cifar-10")


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"no data files at {folder}; ENGINE_DATA names another place for the data sets")
    return folder


@pytest.fixture(params=_isa.isas())
def isa(request):
    """Runs the test once per instruction set this CPU has."""
    before = _isa.isa()
    _isa.use_isa(request.param)
    yield request.param
    _isa.use_isa(before)


@pytest.fixture
def every_thread():
    """The smallest work is spread over threads, whose number a test may change."""
    threads, threshold = parallel.get_num_threads(), parallel.get_threshold()
    parallel.set_threshold(0)
    yield
    parallel.set_num_threads(threads)
    parallel.set_threshold(threshold)


@pytest.fixture
def isa_any_threads(isa, every_thread):
    """Once per instruction set, the smallest work spread over threads."""
    return isa
