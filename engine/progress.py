"""The progress bar of whatever may take more than two seconds: on a terminal, gone when it is full, silent where nobody watches."""

from __future__ import annotations

import os
import sys

from engine.extras import needed


def progress(iterable, what: str, delay: float = 0.5, **options):
    """The iterable with tqdm's bar, shown from `delay` seconds on; `what` stands before it, `options` are tqdm's."""
    silent = not sys.stderr.isatty() or bool(os.environ.get("CI"))
    tqdm = needed("tqdm", "the progress bar").tqdm
    return tqdm(iterable, desc=what, delay=delay, disable=silent, **{"leave": False, **options})
