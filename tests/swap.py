"""Scripts written for PyTorch, as they are or with their imports swapped for the engine's: `sed`, as a user would."""

import re
import types
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"
TO_ENGINE = [
    (r"^(\s*)import torch$", r"\1import engine as torch"),
    (r"^(\s*)import torchvision$", r"\1import engine.vision as torchvision"),
    (r"^(\s*)(import|from) torchvision\b", r"\1\2 engine.vision"),
    (r"^(\s*)(import|from) torch\b", r"\1\2 engine"),
]


def swapped(text):
    """The script with `import torch...` and `from torch... import` saying engine; nothing else is touched."""
    for pattern, replacement in TO_ENGINE:
        text = re.sub(pattern, replacement, text, flags=re.M)
    return text


def without_torchvision(text):
    """The script for PyTorch alone: the names are there, and nothing makes data by them."""
    text = re.sub(r"^import torchvision$", "torchvision = None", text, flags=re.M)
    text = re.sub(r"^import torchvision\.\w+ as (\w+)$", r"\1 = None", text, flags=re.M)
    return re.sub(r"^from torchvision import (.+)$", lambda m: m[1].replace(",", " =") + " = None", text, flags=re.M)


def load(name, library):
    """The module that `scripts/name.py` becomes: library is "torch" or "engine"."""
    path = SCRIPTS / f"{name}.py"
    text = path.read_text()
    module = types.ModuleType(f"{name} for {library}")
    code = compile(swapped(text) if library == "engine" else without_torchvision(text), str(path), "exec")
    exec(code, module.__dict__)
    return module
