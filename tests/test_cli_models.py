"""The command line around trained networks: train --resume, eval, predict, summary."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest
from test_cli import cli, environment, rejected  # noqa: F401  (cli is a fixture)

import engine
from engine.vision import datasets
from engine.vision.models import MODELS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of four epochs."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = [sys.executable, "-m", "engine", "train", "digits", "--epochs", "4", "--out", "run"]
    subprocess.run(arguments, cwd=folder, env=environment(), check=True, capture_output=True, timeout=300)
    return folder / "run"


def test_resumed_after_kill_gives_the_same_bytes(cli, tmp_path, run):  # noqa: F811
    arguments = [sys.executable, "-m", "engine", "train", "digits", "--epochs", "4", "--out", "b", "--threads", "1"]
    process = subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "b" / "checkpoint.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len((tmp_path / "b" / "curve.csv").read_text().splitlines()) - 1
    result = cli("train", "--resume", "b", "--threads", 3, "--workers", 2)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("resumed after epoch ") and 1 <= done <= 4
    assert (tmp_path / "b" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    with open(tmp_path / "b" / "curve.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(run / "curve.csv", newline="") as file:
        whole = list(csv.DictReader(file))
    assert [(r["number"], r["loss"], r["test_accuracy"]) for r in rows] == [
        (r["number"], r["loss"], r["test_accuracy"]) for r in whole
    ]


def test_resuming_what_is_over_changes_nothing(cli, tmp_path, run):  # noqa: F811
    before = (run / "model.safetensors").read_bytes()
    result = cli("train", "--resume", run)
    assert result.returncode == 0 and "resumed after epoch 4 of 4" in result.stdout
    assert (run / "model.safetensors").read_bytes() == before


def test_what_cannot_be_resumed(cli, tmp_path, run):  # noqa: F811
    assert "holds no checkpoint of a whole epoch" in rejected(cli("train", "--resume", "absent"))
    assert "leave out lr" in rejected(cli("train", "--resume", run, "--lr", "0.1"))
    assert "leave out --out" in rejected(cli("train", "--resume", run, "--out", "c"))
    (tmp_path / "odd").mkdir()
    engine.save_checkpoint(tmp_path / "odd" / "checkpoint.safetensors", epoch=1)
    assert "was not written by `train`" in rejected(cli("train", "--resume", "odd"))
    (tmp_path / "odd" / "checkpoint.safetensors").write_bytes(b"garbage")
    assert "checkpoint.safetensors" in rejected(cli("train", "--resume", "odd"))


def test_eval_repeats_the_last_accuracy(cli, run):  # noqa: F811
    result = cli("eval", "--weights", run / "model.safetensors")
    with open(run / "curve.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert result.returncode == 0 and f"{float(last['test_accuracy']):.2%}" in result.stdout
    assert "of 359 test images of digits right" in result.stdout


def test_predict_names_digits(cli, tmp_path, run):  # noqa: F811
    image = pytest.importorskip("PIL.Image", reason="predict needs Pillow (extra [vision])")
    test = datasets.Digits(train=False)
    numbers = range(12)
    for i in numbers:
        image.fromarray(test.data[i].numpy()).resize((100, 90)).convert("RGB").save(tmp_path / f"{i}.png")
    result = cli("predict", *[f"{i}.png" for i in numbers], "--weights", run / "model.safetensors")
    assert result.returncode == 0, result.stderr
    guesses = [line.split()[1] for line in result.stdout.splitlines()]
    assert sum(g == str(int(test.targets[i])) for i, g in enumerate(guesses)) >= 10


def test_wrong_weights_and_images(cli, tmp_path, run):  # noqa: F811
    weights = run / "model.safetensors"
    assert "there is no file 'no.safetensors'" in rejected(cli("eval", "--weights", "no.safetensors"))
    (tmp_path / "bad.safetensors").write_bytes(b"x" * 100)
    assert "bad.safetensors" in rejected(cli("eval", "--weights", "bad.safetensors"))
    engine.save({"a": engine.ones(1)}, tmp_path / "other.safetensors")
    assert "names no network and data set" in rejected(cli("eval", "--weights", "other.safetensors"))
    assert "no.png" in rejected(cli("predict", "no.png", "--weights", weights))
    (tmp_path / "text.png").write_text("not a picture")
    assert "text.png" in rejected(cli("predict", "text.png", "--weights", weights))


def test_predict_without_pillow_names_the_extra(cli, tmp_path, run):  # noqa: F811
    (tmp_path / "block" / "PIL").mkdir(parents=True)
    (tmp_path / "block" / "PIL" / "__init__.py").write_text("raise ImportError('blocked')")
    (tmp_path / "0.png").write_bytes(b"")
    path = os.pathsep.join([str(tmp_path / "block"), environment()["PYTHONPATH"]])
    message = rejected(cli("predict", "0.png", "--weights", run / "model.safetensors", PYTHONPATH=path))
    assert "pip install 'engine[vision]'" in message and "\n" not in message


@pytest.mark.parametrize("name", MODELS)
def test_summary_of_every_model(name, capsys):
    from engine.cli import main

    assert main(["summary", name]) == 0
    assert "parameters" in capsys.readouterr().out.splitlines()[-1]


def test_summary_options(cli):  # noqa: F811
    result = cli("summary", "resnet20", "--input", "3,32,32", "--classes", 7)
    assert result.returncode == 0 and "1x7" in result.stdout
    assert "expected sizes such as 3,32,32" in rejected(cli("summary", "resnet20", "--input", "32"))
    assert "--input: in model.features.20" in rejected(cli("summary", "vgg11", "--input", "3,16,16")).splitlines()[0]
    assert "resnet20 takes images of 3 channel(s)" in rejected(cli("summary", "resnet20", "--input", "1,32,32"))
    assert "image_size must be 28 or 32" in rejected(cli("summary", "lenet5", "--input", "1,50,50"))


def test_a_network_that_does_not_fit_the_images(cli):  # noqa: F811
    error = rejected(cli("train", "digits", "--model", "resnet20", "--epochs", 1))
    assert "resnet20 takes images of 3 channel(s)" in error and "choose one of lenet5, mnistnet" in error


def test_losses_of_a_run(cli, tmp_path):  # noqa: F811
    result = cli("train", "digits", "--model", "linear", "--loss", "hinge", "--epochs", 2, "--out", "h")
    assert result.returncode == 0 and "hinge loss, seed 0" in result.stdout
    result = cli("train", "digits", "--model", "lenet5_1998", "--epochs", 1, "--out", "l")
    assert result.returncode == 0 and "discriminative loss, seed 0" in result.stdout
    resumed = cli("train", "--resume", "h", "--loss", "hinge")
    assert "leave out loss" in rejected(resumed)
    assert "invalid choice: 'square'" in rejected(cli("train", "digits", "--loss", "square"))
