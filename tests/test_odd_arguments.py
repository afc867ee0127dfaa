"""Thousands of odd calls in a child process: every one gives a right-shaped result or a plain error, and none crashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import engine

HERE = Path(__file__).resolve().parent
MOST = 100  # seconds for all calls together


@pytest.mark.skipif(sys.platform != "linux", reason="the child's memory is limited as Linux does it")
@pytest.mark.parametrize("backend", engine.available_backends())
def test_no_odd_call_crashes(backend):
    path = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        run = subprocess.run([sys.executable, str(HERE / "odd_calls.py"), backend], capture_output=True, text=True,
                             timeout=MOST, env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        pytest.fail(f"hangs in: {(expired.stdout or b'').decode().splitlines()[-1]}")
    lines = run.stdout.splitlines()
    last = lines[-1] if lines else "nothing"
    assert run.returncode == 0, f"the process died ({run.returncode}) in: {last}\n{run.stderr[-3000:]}"
    assert last.startswith("done") and len(lines) > 5000
    faults = [line for line in lines if "-> FAULT" in line]
    assert not faults, f"{len(faults)} calls, first of them:\n" + "\n".join(faults[:20])
