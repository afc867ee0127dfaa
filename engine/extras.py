"""Packages that not everything needs, imported on first use; a missing one is one line that says what to type."""

from __future__ import annotations

import importlib

_EXTRAS = {
    "PIL": ("Pillow", "engine[vision]"),
    "matplotlib": ("matplotlib", "engine[viz]"),
}  # the rest: their own names


def needed(module: str, what: str):
    """The module `module`, such as "scipy.special", for `what`; ImportError names both and what to type."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        name, source = _EXTRAS.get(top, (top, top))
        state = (
            "is not installed"
            if isinstance(error, ModuleNotFoundError) and error.name in (top, module)
            else f"does not import ({error})"
        )
        raise ImportError(f"{what} needs {name}, which {state}: pip install '{source}'", name=top) from None
