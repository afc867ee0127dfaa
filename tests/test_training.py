"""What the command line promises by default: LeNet-5 learns the digits and MNIST, as well as stated."""

import os
import re
import statistics
import subprocess
import sys

import pytest


def accuracy(folder, *arguments):
    """The last epoch's test accuracy of `python -m engine train ...`, in per cent."""
    command = [sys.executable, "-m", "engine", "train", *arguments, "--out", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CI": "1"}, timeout=900)
    assert result.returncode == 0, result.stderr
    return float(re.findall(r"test\s+([\d.]+)%", result.stdout)[-1])


def test_digits_by_five_seeds(tmp_path):
    # One thread: the bits are the same, and five runs beside other work do not wait for one another's.
    got = [accuracy(tmp_path / str(s), "digits", "--seed", str(s), "--threads", "1") for s in range(5)]
    assert statistics.median(got) >= 98.0, got


@pytest.mark.timeout(900)
def test_mnist(tmp_path, mnist_root):
    assert accuracy(tmp_path / "run", "mnist", "--root", str(mnist_root), "--threads", "1") >= 99.0
