"""`python -m engine viz`: a picture of each method from a run of digits, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from test_cli import cli, environment, rejected  # noqa: F401  (cli is a fixture)

import engine
from engine.cli import main, viz
from engine.vision import models

Image = pytest.importorskip("PIL.Image", reason="Pillow, the extra [vision], is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen")
    arguments = [sys.executable, "-m", "engine", "train", "digits", "--epochs", "2", "--out", "run"]
    subprocess.run(arguments, cwd=folder, env=environment(), check=True, capture_output=True, timeout=300)
    return folder / "run"


@pytest.mark.parametrize("method", viz.TAKES)
def test_every_method_draws(tmp_path, run, method, capsys):
    path, takes = tmp_path / "a.png", viz.TAKES[method]
    arguments = ["viz", str(run), "--method", method, "--out", str(path)]
    arguments += ["--layer", "features.4"] if "layer!" in takes else []
    arguments += ["--count", "200" if method == "errors" else "12"] if "count" in takes else []
    arguments += ["--class", "3"] if "class" in takes else []
    assert main(arguments) == 0, capsys.readouterr().err
    pixels = np.asarray(Image.open(path))
    assert pixels.ndim == 3 and min(pixels.shape[:2]) >= 80 and np.ptp(pixels) > 100
    assert f"{method} of {run}" in capsys.readouterr().out


def test_options_change_what_is_drawn(tmp_path, run, capsys):
    def drawn(*arguments):
        assert main(["viz", str(run), "--out", str(tmp_path / "a.png"), *arguments]) == 0, capsys.readouterr().err
        return np.asarray(Image.open(tmp_path / "a.png"))

    one, other = (drawn("--method", "saliency", "--class", c) for c in "38")
    assert one.shape == other.shape and (one != other).any()
    one, other = (drawn("--method", "deconvnet", "--layer", "features.4", "--channel", c) for c in "05")
    assert one.shape == other.shape and (one != other).any()
    few = drawn("--method", "maximise", "--layer", "features.0")  # six maps, fewer than are drawn of larger layers
    assert few.shape == (2 * 96 + 2, 3 * 96 + 4, 3)


def test_weights_that_train_did_not_save(cli, tmp_path):  # noqa: F811
    engine.manual_seed(0)
    engine.save(models.lenet5(image_size=32).state_dict(), str(tmp_path / "own.safetensors"))
    told = ["--model", "lenet5", "--dataset", "digits"]
    assert "names no network and data set" in rejected(cli("viz", "own.safetensors", "--method", "filters"))
    result = cli("viz", "own.safetensors", *told, "--method", "activations", "--layer", "features.0")
    assert result.returncode == 0 and (tmp_path / "activations.png").exists(), result.stderr
    told[1] = "mnistnet"
    assert "not the weights of the network that it names" in rejected(
        cli("viz", "own.safetensors", *told, "--method", "filters")
    )


def test_published_weights_and_a_photo(cli, tmp_path):  # noqa: F811
    engine.save(models.resnet18(num_classes=1000).state_dict(), str(tmp_path / "resnet18.safetensors"))
    Image.fromarray(np.arange(3 * 2500, dtype="uint8").reshape(50, 50, 3)).save(tmp_path / "photo.png")
    look = ["viz", "resnet18.safetensors", "--model", "resnet18", "--dataset", "imagenet", "--method", "saliency"]
    assert "name picture files with --image" in rejected(cli(*look))
    result = cli(*look, "--image", "photo.png")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "saliency.png") as drawn:
        assert drawn.size == (224, 2 * 224 + 2)


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
    assert "leave out --image; it takes --count" in rejected(cli("viz", run, "--method", "errors", "--image", "a.png"))
    assert "leave out --layer" in rejected(cli("viz", run, "--method", "saliency", "--layer", "features.0"))
    assert "leave out --channel" in rejected(cli("viz", run, "--method", "filters", "--channel", 0))
    assert "of one image, got 2" in rejected(
        cli("viz", run, "--method", "activations", "--layer", "features.0", "--image", "a.png", "b.png")
    )
    assert "leave it out, or" in rejected(cli("viz", run, "--method", "saliency", "--image", "a.png", "--count", 3))
    assert "classes must be one of 0..9" in rejected(cli("viz", run, "--method", "saliency", "--class", 10))
    assert "no.png" in rejected(cli("viz", run, "--method", "saliency", "--image", "no.png"))
    assert "--out: cannot write" in rejected(cli("viz", run, "--method", "filters", "--out", "no/such/a.png"))
    assert "--out: cannot write" in rejected(cli("viz", run, "--method", "filters", "--out", "a.xyz"))
