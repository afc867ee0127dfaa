"""Later training steps take no more memory: neither from the pool nor, object by object, from CPython."""

import gc
import sys

import pytest

import engine
import engine.nn.functional as F
from benchmarks.nets import NETS
from benchmarks.worker_engine import network
from engine import optim

memory = pytest.importorskip("engine_ext.memory", exc_type=ImportError)
WARM, STEPS = 30, 40


@pytest.fixture(autouse=True)
def without_collections():
    """A collection empties CPython's free lists, and would hide that they grow; steps leave no cycles behind."""
    gc.collect()
    gc.disable()
    with engine.use_backend("cpu"):
        yield
    gc.enable()


@pytest.mark.parametrize("name", ["lenet5", "mnistnet", "vgg", "resnet20"])
def test_steps_take_no_more_memory(name):
    engine.manual_seed(0)
    model = network(name)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, labels = engine.randn(2, *NETS[name].image), engine.tensor([1, 2])

    def steps(count):
        for _ in range(count):
            optimizer.zero_grad()
            F.cross_entropy(model(x), labels).backward()
            optimizer.step()

    steps(WARM)
    blocks, calls = sys.getallocatedblocks(), memory.pool_stats()["system_calls"]
    steps(STEPS)
    assert memory.pool_stats()["system_calls"] == calls
    assert sys.getallocatedblocks() - blocks < STEPS / 2
    assert gc.collect() == 0
