"""What importing the engine does to a process: nearly nothing. And what a fork does to the engine: nothing at all."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXTRA_MILLISECONDS = 50  # beside NumPy's own import, on an idle machine
NOISE = 4  # how much slower a busy one may be
HEAVY = ("scipy", "matplotlib", "tqdm", "mpi4py", "torch", "cupy", "safetensors", "pytest", "hypothesis", "IPython")


def child(code, timeout=120, **env):
    """The output of a fresh Python process that runs `code`."""
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True,
                         timeout=timeout, env={**os.environ, **env})  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    return run.stdout.strip()


def test_time_beside_numpy():
    code = "import time, numpy; t = time.process_time(); import engine; print(1000 * (time.process_time() - t))"
    child(code)  # writes the bytecode
    times = [float(child(code)) for _ in range(5)]
    assert statistics.median(times) < NOISE * EXTRA_MILLISECONDS, times


def test_only_what_is_needed_is_imported():
    code = "import sys, numpy; before = set(sys.modules); import engine; print(*sorted(set(sys.modules) - before))"
    new = child(code).split()
    assert not [m for m in new if m.partition(".")[0] in HEAVY]
    assert not [
        m for m in new if m.startswith(("engine.nn", "engine.optim", "engine.vision", "engine.utils", "engine.cli"))
    ]
    assert len(new) < 80, new


def test_heavy_parts_come_on_first_use():
    for name, module in (("nn", "engine.nn"), ("optim", "engine.optim"), ("save", "engine.serialization")):
        code = f"import sys, engine; assert {module!r} not in sys.modules; engine.{name}; print('ok')"
        assert child(code) == "ok"
    assert "vision" in child("import engine; print(dir(engine))")


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_no_thread_is_started():
    code = """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"    # NumPy's own threads are not ours
threads = lambda: len(os.listdir("/proc/self/task"))
import numpy
before = threads()
import engine
after = threads()
engine.zeros(2) + engine.zeros(2)
engine.nn.Linear(2, 2), engine.optim, engine.vision, engine.utils
print(before, after, threads())
"""
    before, after, used = child(code).split()
    assert before == after == used


def test_subnormal_numbers_are_left_alone():
    code = """
import numpy as np
tiny = np.float32(1e-40), np.float64(5e-324)
import engine
x = engine.ones(300, 300, requires_grad=True)
(x @ x).relu().sum().backward()
print(all(t * type(t)(1) != 0 for t in tiny), np.finfo("float32").smallest_subnormal > 0, np.float32(1e-38) / np.float32(100) > 0)
"""
    assert child(code) == "True True True"


def test_random_state_and_warnings_of_others_are_left_alone():
    code = """
import random, warnings, signal, numpy as np
before = random.getstate(), np.random.get_state()[1].tolist(), list(warnings.filters), np.geterr(), signal.getsignal(signal.SIGINT)
import engine
engine.manual_seed(1); engine.rand(3)
after = random.getstate(), np.random.get_state()[1].tolist(), list(warnings.filters), np.geterr(), signal.getsignal(signal.SIGINT)
print(before == after)
"""
    assert child(code) == "True"


TRAIN = """
import os, sys, warnings, engine
from engine import nn
def train():
    engine.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 13 * 13, 10))
    optimiser = engine.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, labels = engine.rand(32, 1, 28, 28), engine.randint(10, (32,))
    for _ in range(3):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(x), labels)
        loss.backward()
        optimiser.step()
    return loss.item()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("threads", [1, 4])
def test_training_goes_on_in_a_forked_child(threads):
    code = (
        TRAIN
        + f"""
engine.set_num_threads({threads}) if "cpu" in engine.available_backends() else engine.use_backend("reference")
warnings.simplefilter("ignore", DeprecationWarning)    # Python 3.12 warns of forks beside threads
before = train()
for _ in range(3):
    child = os.fork()
    if not child:
        try:
            same = train() == before
        finally:
            os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0, "the child came to another result"
    assert train() == before
print("ok")
"""
    )
    assert child(code, timeout=100) == "ok"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_multiprocessing_pools_work_after_training():
    code = (
        TRAIN
        + """
import multiprocessing
warnings.simplefilter("ignore", DeprecationWarning)
"cpu" in engine.available_backends() or engine.use_backend("reference")
def work(i):
    return train()
before = train()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(work, range(4)) == [before] * 4
print("ok")
"""
    )
    assert child(code, timeout=100) == "ok"
