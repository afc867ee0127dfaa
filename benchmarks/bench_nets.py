"""Training steps and inference of whole networks, compared with the reference backend before they are timed."""

import numpy
import pytest

import engine
from benchmarks.sections.networks import arrays
from benchmarks.tasks import Inference, Training
from benchmarks.worker_engine import Engine

NETS = pytest.mark.parametrize("net", ("lenet5", "mnistnet"))
BATCHES = pytest.mark.parametrize("batch", (64, 1), ids="batch{}".format)


def prepared(task, net, batch):
    return task(Engine(), arrays(net, batch, count=2), "contiguous", net)


def check(task, net, batch):
    """The task on the cpu backend, after its outputs were found equal to the reference's."""
    with engine.use_backend("reference"):
        reference = prepared(task, net, batch)
        expected = {name: reference.fw.array(value) for name, value in reference.outputs().items()}
    mine = prepared(task, net, batch)
    for name, value in mine.outputs().items():
        limit = 1e-4 * numpy.abs(expected[name]).max()
        assert numpy.abs(mine.fw.array(value) - expected[name]).max() <= limit, name
    return mine


@NETS
@BATCHES
def test_training(net, batch, isa, benchmark):
    benchmark(check(Training, net, batch).run)


@NETS
@BATCHES
def test_inference(net, batch, isa, benchmark):
    benchmark(check(Inference, net, batch).run)
