"""What one pays before the first line: the time of the import, and the size of what was installed."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.results import Table, ratio
from benchmarks.versus import PROJECT

OURS = ("engine", "engine_ext")
NOT_INSTALLED = (".c", ".pyc", ".html")  # lie beside the code after a build in place, or are made by the import
WHERE = "import json, importlib.util as u, sys; print(json.dumps([list(u.find_spec(n).submodule_search_locations) for n in sys.argv[1:]]))"


def start(plan):
    """Seconds of `import engine` and `import torch` beyond those of an interpreter alone, in turns; MiB of their files."""
    table = Table("Start", ("what", "engine", "PyTorch", "times ours"), keys=1)
    commands = {"engine": (sys.executable, "engine")}
    if python := plan.pythons.get("torch"):
        commands["torch"] = (python, "torch")
    times = {side: [] for side in commands}
    for _ in range(plan.menu.imports + 1):
        for side, (python, package) in commands.items():
            times[side].append(_seconds(python, f"import {package}") - _seconds(python, "pass"))
    seconds = {
        side: statistics.median(found[1:]) for side, found in times.items()
    }  # the first read the files from disk
    sizes = {"engine": _size(sys.executable, OURS)}
    if "torch" in commands:
        sizes["torch"] = _size(commands["torch"][0], ("torch",))
    for what, values in (("import, seconds", seconds), ("installed, MiB", sizes)):
        table.rows.append((what, values["engine"], values.get("torch"), ratio(values.get("torch"), values["engine"])))
    table.notes.append("Installed: the packages themselves, without what they depend on.")
    return table


def _seconds(python, code):
    start = time.perf_counter()
    subprocess.run([python, "-c", code], cwd=PROJECT, check=True)
    return time.perf_counter() - start


def _size(python, packages):
    """MiB of the packages' files."""
    found = subprocess.run([python, "-c", WHERE, *packages], cwd=PROJECT, check=True, capture_output=True, text=True)
    folders = [Path(folder) for folders in json.loads(found.stdout) for folder in folders]
    files = (f for folder in folders for f in folder.rglob("*") if f.is_file() and f.suffix not in NOT_INSTALLED)
    return sum(f.stat().st_size for f in files) / 2**20
