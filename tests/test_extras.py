"""A missing package: `import engine` works without it, and what needs it says so in one line with what to type."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
USES = {  # package -> what to type, a use of it
    "scipy": ("scipy", "engine.use_backend('reference'); engine.erf(engine.ones(2))"),
    "safetensors": ("safetensors", "engine.save({'a': engine.ones(2)}, os.devnull + '.safetensors')"),
    "threadpoolctl": ("threadpoolctl", "engine.use_backend('reference'); engine.ones(2, 2) @ engine.ones(2, 2)"),
    "tqdm": ("tqdm", "from engine import cli; raise SystemExit(cli.main(['train', 'digits', '--epochs', '1']))"),
    "PIL": ("engine[vision]", "from engine.vision import transforms; transforms.ToPILImage()(engine.rand(3, 4, 4))"),
}


@pytest.fixture
def without(tmp_path):
    """Run code in a child in which a package cannot be found."""

    def run(package, code):
        block = f"import os, sys; sys.modules[{package!r}] = None; "
        return subprocess.run([sys.executable, "-c", block + code], cwd=tmp_path, capture_output=True, text=True,
                              timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip

    return run


@pytest.mark.parametrize("package", USES)
def test_the_engine_imports(without, package):
    code = "import engine, engine.nn, engine.vision, engine.serialization, engine.cli; engine.ones(2).relu()"
    result = without(package, code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("package", USES)
def test_the_use_says_what_to_type(without, package):
    source, code = USES[package]
    result = without(package, "import engine; " + code)
    last = result.stderr.splitlines()[-1]
    assert result.returncode and last.endswith(f"which is not installed: pip install '{source}'"), result.stderr


def test_the_command_line_gives_one_line(without):
    result = without("tqdm", USES["tqdm"][1])
    assert result.stderr.splitlines() == [
        "error: the progress bar needs tqdm, which is not installed: pip install 'tqdm'"
    ]


def test_a_package_that_breaks_keeps_its_reason(tmp_path):
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").write_text("raise ImportError('libopenblas is missing')")
    code = "from engine.extras import needed; needed('scipy.special', 'erf')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])})  # fmt: skip
    assert "erf needs scipy, which does not import (libopenblas is missing): pip install 'scipy'" in result.stderr
