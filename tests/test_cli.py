"""The command line as a user meets it: in its own process, from a folder of its own."""

import csv
import errno
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import engine
from engine.cli import COMMANDS
from engine.vision.models import MODELS

PROJECT = str(Path(engine.__file__).resolve().parent.parent)


def environment(**changes):
    path = os.pathsep.join(filter(None, [PROJECT, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **changes}


@pytest.fixture
def cli(tmp_path):
    """Run `python -m engine ...` in an empty folder."""

    def cli(*arguments, **variables):
        return subprocess.run(
            [sys.executable, "-m", "engine", *map(str, arguments)],
            cwd=tmp_path,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=300,
        )

    return cli


def rejected(result, code=2):
    """The error of a command that was refused: one line, no traceback."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")
    return result.stderr.rstrip()


# ---- help and info


def test_alone_it_lists_commands_with_examples(cli):
    result = cli()
    assert result.returncode == 0 and not result.stderr
    for command in COMMANDS:
        assert command.help in result.stdout
        assert f"example: python -m engine {command.example}" in result.stdout


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_every_command_has_help(cli, command):
    result = cli(command, "--help")
    assert result.returncode == 0 and "example: python -m engine" in result.stdout


def test_version(cli):
    assert cli("--version").stdout == f"engine {engine.__version__}\n"


def test_info(cli):
    result = cli("info", ENGINE_VERBOSE="0")
    assert result.returncode == 0, result.stderr
    names = [line.split("  ")[0] for line in result.stdout.splitlines()]
    for name in (
        "engine",
        "Python",
        "NumPy",
        "CPU",
        "ISA used",
        "threads",
        "OpenMP",
        "backends",
        "extra [viz]",
    ):
        assert name in names, result.stdout
    assert "ENGINE_VERBOSE=0" in result.stdout


# ---- training


def test_train_digits_leaves_a_usable_run(cli, tmp_path):
    result = cli("train", "digits", "--epochs", 2, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert not result.stderr  # no progress bar when nobody watches
    run = tmp_path / "runs" / "digits-lenet5"
    lines = result.stdout.splitlines()
    assert "seed 0, threads 1, device cpu" in lines[0]
    assert [line.split()[:2] for line in lines[1:3]] == [["epoch", "1/2"], ["epoch", "2/2"]]
    for word in (
        "model: runs/digits-lenet5/model.safetensors",
        "curve: ",
        "log: ",
        "next: python -m engine train",
    ):
        assert word in lines[-1]

    with open(run / "curve.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[1]["test_accuracy"]) > 0.7
    assert (run / "log.txt").read_text() == result.stdout

    model = MODELS["lenet5"].build(image_size=32)
    model.load_state_dict(engine.load(run / "model.safetensors"))


def test_seed_decides_the_run(cli, tmp_path):
    def weights(name, *options):
        assert cli("train", "digits", "--epochs", 1, "--out", name, *options).returncode == 0
        return (tmp_path / name / "model.safetensors").read_bytes()

    first = weights("a", "--seed", 1, "--threads", 1)
    assert weights("b", "--seed", 1, "--threads", 3) == first
    assert weights("c", "--seed", 2) != first


def test_curve_is_drawn_with_matplotlib(cli, tmp_path):
    pytest.importorskip("matplotlib", reason="curve.png needs matplotlib (extra [viz])")
    result = cli("train", "digits", "--epochs", 1, "--out", "run")
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "curve: run/curve.png" in result.stdout


def test_without_matplotlib_a_line_says_so(cli, tmp_path):
    (tmp_path / "block" / "matplotlib").mkdir(parents=True)
    (tmp_path / "block" / "matplotlib" / "__init__.py").write_text("raise ImportError('blocked')")
    path = os.pathsep.join([str(tmp_path / "block"), PROJECT])
    result = cli("train", "digits", "--epochs", 1, "--out", "run", PYTHONPATH=path)
    assert result.returncode == 0, result.stderr
    assert "note: no curve.png: a drawing needs matplotlib, which " in result.stdout
    assert "curve: run/curve.csv" in result.stdout


def test_earlier_run_is_kept(cli, tmp_path):
    earlier = tmp_path / "run"
    earlier.mkdir()
    (earlier / "model.safetensors").write_text("precious")
    result = cli("train", "digits", "--epochs", 1, "--out", "run")
    assert result.returncode == 0, result.stderr
    assert (earlier / "model.safetensors").read_text() == "precious" and len(list(earlier.iterdir())) == 1
    assert (tmp_path / "run-2" / "model.safetensors").exists()
    assert "note: run holds an earlier run, which is kept; this one goes to run-2" in result.stdout


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("ci, shown", [("", True), ("true", False)])
def test_progress_bar_is_for_terminals(tmp_path, ci, shown):
    import fcntl
    import pty
    import termios

    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0))
    # One image a batch: an epoch that lasts longer than the bar takes to be drawn again.
    arguments = [sys.executable, "-m", "engine", "train", "digits", "--epochs", "1", "--batch-size", "1"]
    process = subprocess.Popen(arguments, cwd=tmp_path, env=environment(CI=ci), stdout=subprocess.DEVNULL, stderr=side)
    os.close(side)
    seen = b""
    try:
        while chunk := os.read(terminal, 4096):
            seen += chunk
    except OSError:  # how Linux reports that the other side is closed
        pass
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    assert (b"epoch 1/1:" in seen and b"loss=" in seen) if shown else seen == b""


def test_interrupt_keeps_what_was_learned(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", "train", "digits", "--epochs", "10000", "--out", "run"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "model.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "interrupted; what was learned so far is kept" in out
    assert out.splitlines()[-1].startswith("model: run/model.safetensors")
    MODELS["lenet5"].build(image_size=32).load_state_dict(engine.load(tmp_path / "run" / "model.safetensors"))


def test_an_interrupt_in_the_first_epoch_promises_no_resuming(tmp_path, monkeypatch, capsys):
    from engine.cli import main, train

    def fit(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(train, "fit", fit)
    assert main(["train", "digits", "--out", str(tmp_path / "run")]) == 130
    out = capsys.readouterr().out
    assert "what was learned so far is kept (less than an epoch)" in out and "--resume" not in out


def test_diverged_run_ends_with_advice(cli):
    result = cli("train", "digits", "--epochs", 2, "--optimizer", "sgd", "--lr", "1e6")
    assert "in epoch 1; try a smaller --lr than 1e+06" in rejected(result, code=1)


def test_train_mnist_in_place(cli, mnist_root):
    before = sorted(mnist_root.iterdir())
    result = cli("train", "mnist", "--root", mnist_root, "--epochs", 1, "--batch-size", 256)
    assert result.returncode == 0, result.stderr
    assert "60000 training and 10000 test images" in result.stdout
    assert sorted(mnist_root.iterdir()) == before


def test_full_disk_is_an_error_and_loses_nothing(tmp_path, monkeypatch, capsys):
    from engine.cli import main, trained

    save, calls = trained.save, []

    def second_save_fails(model, path, *names):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        save(model, path, *names)

    monkeypatch.setattr(trained, "save", second_save_fails)
    assert main(["train", "digits", "--epochs", "3", "--out", str(tmp_path / "run")]) == 1
    assert f"error: [Errno {errno.ENOSPC}] No space left on device" in capsys.readouterr().err
    MODELS["lenet5"].build(image_size=32).load_state_dict(engine.load(tmp_path / "run" / "model.safetensors"))


# ---- refusals: golden


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["trian"], "argument <command>: invalid choice: 'trian'"),
        (["train"], "name a data set, one of digits, mnist"),
        (["train", "cifar"], "argument dataset: invalid choice: 'cifar'"),
        (["train", "digits", "--model", "lenet6"], "argument --model: invalid choice: 'lenet6'"),
        (["train", "digits", "--threads", "0"], "argument --threads: expected a positive integer, got '0'"),
        (
            ["train", "digits", "--threads", "two"],
            "argument --threads: expected a positive integer, got 'two'",
        ),
        (["train", "digits", "--epochs", "-1"], "argument --epochs: expected a positive integer, got '-1'"),
        (["train", "digits", "--workers", "-1"], "argument --workers: expected 0 or a positive integer, got '-1'"),
        (["train", "digits", "--seed", str(2**64)], "argument --seed: expected an integer of 64 bits, got '1844"),
        (["summary", "resnet20", "--classes", "0"], "argument --classes: expected a positive integer, got '0'"),
        (["eval", "--weights", __file__], f"{__file__}: not a file that load() knows"),
        (
            ["train", "digits", "--batch-size", "1.5"],
            "argument --batch-size: expected a positive integer, got '1.5'",
        ),
        (["train", "digits", "--lr", "nan"], "argument --lr: expected a number above 0, got 'nan'"),
        (["train", "digits", "--optimizer", "adm"], "argument --optimizer: invalid choice: 'adm'"),
        (
            ["train", "digits", "--device", "tpu"],
            "error: --device: unknown device 'tpu'; expected 'cpu' or 'cuda'",
        ),
        (["train", "mnist", "--root", "absent"], "error: --root: there is no folder 'absent'"),
    ],
)
def test_wrong_arguments(cli, tmp_path, arguments, message):
    error = rejected(cli(*arguments))
    assert message in error and "\n" not in error
    assert not any(tmp_path.iterdir())  # nothing was begun


def test_missing_data_files_are_listed(cli, tmp_path):
    (tmp_path / "data").mkdir()
    error = rejected(cli("train", "mnist", "--root", "data"))
    assert error.startswith("error: MNIST: files not found under 'data':\n  train-images-idx3-ubyte or")
    assert "Get the four .gz files from https://" in error


def test_damaged_data_file_is_named(cli, tmp_path):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"<html>")
    assert "train-images-idx3-ubyte: not an IDX file" in rejected(cli("train", "mnist", "--root", "."))


@pytest.mark.parametrize("out", ["occupied", "occupied/run"])
def test_folder_that_cannot_be_made(cli, tmp_path, out):
    (tmp_path / "occupied").write_text("a file")
    message = rejected(cli("train", "digits", "--out", out))
    assert message.startswith(f"error: --out: cannot write to folder '{out}': ")
    assert message.endswith("choose another with --out")
    assert (tmp_path / "occupied").read_text() == "a file"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(cli, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    message = rejected(cli("train", "digits", "--out", "locked/run"))
    assert message == "error: --out: cannot write to folder 'locked/run': Permission denied; choose another with --out"
