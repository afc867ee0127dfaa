"""`python -m benchmarks gpu`: on a GPU where there is one, else with the stand-in and PyTorch's CPU build in their places."""

import json
import os
import sys
from pathlib import Path

import numpy
import pytest
from stand_in import StandIn, cuda

from benchmarks import bars, nets, results, versus
from benchmarks.__main__ import main
from benchmarks.gpu import command, tasks
from benchmarks.peers import find
from engine import backends

TINY = "--net lenet5 --batch 2 --rounds 1 --seconds 0.001".split()


@pytest.fixture
def gpu(monkeypatch):
    """A GPU, or what stands in for it here and in the workers."""
    if "cuda" in backends.available():
        return
    if cuda.COMPILER is None:
        pytest.skip("the stand-in needs a C++ compiler")
    k, real = StandIn(), backends.get
    monkeypatch.setattr(backends, "get", lambda name: k if name == "cuda" else real(name))
    path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    monkeypatch.setattr(command, "OURS", "stand_in.worker_engine")
    monkeypatch.setattr(command, "THEIRS", "stand_in.worker_torch")


def records(path):
    (table,) = json.loads(path.read_text())["tables"]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_without_a_gpu_one_line_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["gpu"]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "device 'cuda' is not available" in text and "pip install" in text


def test_alone(gpu, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(find, "python", lambda name: None)
    output = tmp_path / "R.json"
    assert main(["gpu", *TINY, "--output", str(output)]) == 0
    training, inference = records(output)
    assert (training["what"], inference["what"]) == ("training", "inference")
    assert training["ms"] > 0 and training["PyTorch ms"] is None and training["with TF32 ms"] is None
    assert "Networks on one" in capsys.readouterr().out and "- GPU: " in output.with_suffix(".md").read_text()


def test_beside_pytorch(gpu, tmp_path):
    if not find.python("torch"):
        pytest.skip("no PyTorch: ENGINE_BENCH_TORCH names no interpreter that has it, and this one has it not")
    output = tmp_path / "R.json"
    assert main(["gpu", *TINY, "--output", str(output)]) == 0
    for record in records(output):
        assert record["speed / PyTorch's"] > 0 and record["speed / TF32's"] > 0
        assert record["its way"] in versus.LAYOUTS and record["its way "] in versus.LAYOUTS


def test_a_side_out_of_memory_leaves_dashes(gpu, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(find, "python", lambda name: None)

    def ask(self, real=versus.WorkerProcess.ask, **message):
        if message["do"] == "prepare" and "training" in message["name"] + message.get("task", ""):
            raise RuntimeError("cuda:0 is out of memory")
        return real(self, **message)

    monkeypatch.setattr(versus.WorkerProcess, "ask", ask)
    output = tmp_path / "R.json"
    assert main(["gpu", *TINY, "--output", str(output)]) == 1
    training, inference = records(output)
    assert training["ms"] is None and inference["ms"] > 0
    assert "training lenet5 at batch 2, engine: cuda:0 is out of memory" in capsys.readouterr().out


def test_a_turn_is_the_median_between_events():
    class Clock:
        now, waits = 0.0, 0

        def mark(self):
            return self.now

        def between(self, a, b):
            return b - a

    class Task(tasks.ByEvents):
        fw, calls = Clock(), 0

        def run(self):
            self.calls += 1
            self.fw.now += 0.1 if self.calls % 7 == 0 else 0.01

    task = Task()
    assert task.turn(0.5) == pytest.approx(0.01)
    assert task.calls == tasks.WARM_UP + 50
    task.calls = 0
    task.turn(0)
    assert task.calls == tasks.WARM_UP + tasks.FEWEST


def test_bars_of_a_gpu():
    columns = ("network", "batch", "what", "speed / PyTorch's")
    rows = [("resnet20", 512, "training", 0.7), ("resnet20", 64, "training", 0.4), ("resnet18", 64, "training", None)]
    made = bars.table({"Networks on one H": results.Table("Networks on one H", columns, rows, keys=3)})
    assert [(row[0], row[-1]) for row in made.rows] == [
        ("H, batch 512", "yes"),
        ("H, batch 64 (1 of 2 measured)", "no"),
    ]


def test_two_batches_are_enough():
    images, labels = nets.batches("lenet5", 3, command.COUNT)
    assert images.shape[:2] == labels.shape == (2, 3) and not numpy.array_equal(images[0], images[1])
