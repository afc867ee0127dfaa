"""What the README shows works: its example, and the names of files it points to."""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_example_trains_to_what_it_promises(capsys):
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.S).group(1)
    exec(compile(example, "README.md", "exec"), {})
    accuracy = float(re.search(r"([\d.]+) % right", capsys.readouterr().out).group(1))
    assert accuracy >= 95


def test_the_files_it_names_exist():
    named = re.findall(r"`((?:engine|engine_ext|tests|benchmarks|examples)/[\w./]+)`", README.read_text())
    assert len(named) >= 8
    for name in named:
        assert (README.parent / name).exists(), name
