"""Where the files of a data set lie, and what to say when they do not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence


class FilesNotFoundError(FileNotFoundError, RuntimeError):
    """Files of a data set are missing. A FileNotFoundError and, as in torchvision, a RuntimeError."""


def find(
    root: str, folders: Sequence[str], names: Iterable[str], endings: Sequence[str] = ("", ".gz")
) -> list[str | None]:
    """The path of each of `names`, with one of `endings`, in the first of `folders` under `root` that has it."""
    return [
        next(
            filter(
                os.path.isfile, (place + name + end for place in map(_prefix, places(root, folders)) for end in endings)
            ),
            None,
        )
        for name in names
    ]


def places(root: str, folders: Sequence[str]) -> list[str]:
    """The folders under `root`; "" is root itself."""
    return [os.path.join(root, folder) if folder else root for folder in folders]


def _prefix(place: str) -> str:
    return os.path.join(place, "")
