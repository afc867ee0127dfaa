"""Settings of `pytest benchmarks`: which files hold benchmarks, and the instruction sets and threads they run with."""

import pytest

import engine
from engine_ext import _isa


def pytest_collect_file(file_path, parent):
    """Files named bench_*.py hold tests too. (One named on the command line pytest collects by itself.)"""
    if file_path.match("bench_*.py") and not parent.session.isinitpath(file_path):
        return pytest.Module.from_parent(parent, path=file_path)
    return None


@pytest.fixture(params=_isa.isas())
def isa(request):
    """Each instruction set in turn, in use during the test."""
    before = _isa.isa()
    _isa.use_isa(request.param)
    yield request.param
    _isa.use_isa(before)


@pytest.fixture(params=(1, 2), ids="{}threads".format)
def threads(request):
    """One thread and two, in use during the test."""
    before = engine.get_num_threads()
    engine.set_num_threads(request.param)
    yield request.param
    engine.set_num_threads(before)


@pytest.fixture
def rate(benchmark):
    """Call `rate(flops, f, *args)`: benchmarks f(*args), returns its result, notes GFLOP/s beside the times."""

    def measure(flops, f, *args):
        result = benchmark(f, *args)
        if benchmark.stats:  # absent under --benchmark-disable
            benchmark.extra_info["GFLOP/s"] = flops / benchmark.stats.stats.median / 1e9
        return result

    return measure
