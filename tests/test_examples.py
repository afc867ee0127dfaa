"""Every example runs with --quick, says what to look at and leaves its pictures; each is short, and told in the README."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_cli import environment

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
Image = pytest.importorskip("PIL.Image", reason="Pillow, the extra [vision], is not installed")
pytest.importorskip("matplotlib", reason="matplotlib, the extra [viz], is not installed")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_runs(path, tmp_path):
    arguments = [sys.executable, str(path), "--quick", "--out", "p"]
    result = subprocess.run(arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    pictures = list((tmp_path / "p").glob(f"{path.stem[:2]}_*.png"))
    assert "Look at" in result.stdout and pictures
    for picture in pictures:
        with Image.open(picture) as image:
            pixels = np.asarray(image)
        assert min(pixels.shape[:2]) >= 30 and np.ptp(pixels) > 50, picture


@pytest.mark.parametrize("option", ["--mnist", "--cifar10"])
@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.stem[:2] not in ("03", "09")], ids=lambda path: path.stem)
def test_runs_on_files(path, option, tmp_path, request):
    folder = request.getfixturevalue({"--mnist": "mnist_root", "--cifar10": "cifar10_root"}[option])
    arguments = [sys.executable, str(path), "--quick", "--out", "p", option, str(folder)]
    result = subprocess.run(arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert list((tmp_path / "p").glob(f"{path.stem[:2]}_*.png"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_is_short_and_says_what_to_look_at(path):
    text = path.read_text()
    assert len(text.splitlines()) < 80 and "Look at" in text.split('"""')[1]
    assert f"examples/{path.name}" in (ROOT / "README.md").read_text()
