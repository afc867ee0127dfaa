"""Pillow, where it is installed: images of files and of PIL-based scripts. The engine works without it."""

from __future__ import annotations

import importlib
import sys


def pillow(module="Image"):
    """A module of Pillow, such as `PIL.Image`; ImportError says how to install it."""
    try:
        return importlib.import_module(f"PIL.{module}")
    except ImportError:
        raise ImportError("PIL images need Pillow, which is not installed: pip install 'engine[vision]'") from None


def is_pil(image) -> bool:
    """Whether `image` is a PIL image. (There are none before PIL was imported.)"""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)
