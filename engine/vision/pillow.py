"""Pillow, where it is installed: images of files and of PIL-based scripts. The engine works without it."""

from __future__ import annotations

import sys

from engine.extras import needed


def pillow(module="Image"):
    """A module of Pillow, such as `PIL.Image`; ImportError says how to install it."""
    return needed(f"PIL.{module}", "a PIL image")


def is_pil(image) -> bool:
    """Whether `image` is a PIL image. (There are none before PIL was imported.)"""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)
