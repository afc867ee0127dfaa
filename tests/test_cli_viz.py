"""`python -m engine viz`: a picture of each method from a run of digits, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from test_cli import cli, environment, rejected  # noqa: F401  (cli is a fixture)

from engine.cli import viz

Image = pytest.importorskip("PIL.Image", reason="Pillow, the extra [viz], is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen")
    arguments = [sys.executable, "-m", "engine", "train", "digits", "--epochs", "2", "--out", "run"]
    subprocess.run(arguments, cwd=folder, env=environment(), check=True, capture_output=True, timeout=300)
    return folder / "run"


@pytest.mark.parametrize("method", viz.METHODS)
def test_every_method_draws(tmp_path, run, method, capsys):
    from engine.cli import main

    path = tmp_path / "a.png"
    arguments = [
        "viz",
        str(run),
        "--method",
        method,
        "--out",
        str(path),
        "--count",
        "200" if method == "errors" else "12",
    ]
    if method in viz.ON_LAYERS:
        arguments += ["--layer", "features.4"]
    if method == "maximise":
        arguments += ["--channel", "3"]
    assert main(arguments) == 0, capsys.readouterr().err
    pixels = np.asarray(Image.open(path))
    assert pixels.ndim == 3 and min(pixels.shape[:2]) >= 80 and np.ptp(pixels) > 100
    assert f"{method} of {run}" in capsys.readouterr().out


def test_pictures_of_ones_own(cli, tmp_path, run):  # noqa: F811
    Image.fromarray(np.arange(64, dtype="uint8").reshape(8, 8) * 4).save(tmp_path / "own.png")
    result = cli("viz", run, "--method", "saliency", "--image", "own.png", "own.png")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "saliency.png") as drawn:
        assert drawn.size == (2 * 96 + 2, 2 * 96 + 2)


def test_what_is_refused(cli, run):  # noqa: F811
    assert "there is no file 'absent'" in rejected(cli("viz", "absent", "--method", "filters"))
    assert "needs --layer, one of features, features.0" in rejected(cli("viz", run, "--method", "gradcam"))
    assert "has no layer 'conv9'" in rejected(cli("viz", run, "--method", "gradcam", "--layer", "conv9"))
    assert "invalid choice: 'xray'" in rejected(cli("viz", run, "--method", "xray"))
    assert "leave out --image" in rejected(cli("viz", run, "--method", "errors", "--image", "a.png"))
    assert "no.png" in rejected(cli("viz", run, "--method", "saliency", "--image", "no.png"))
    assert "--out: cannot write" in rejected(cli("viz", run, "--method", "filters", "--out", "no/such/a.png"))
    assert "--out: cannot write" in rejected(cli("viz", run, "--method", "filters", "--out", "a.xyz"))
