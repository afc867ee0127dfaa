"""What a sub-command is, and the error that ends one with a line instead of a traceback."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A sub-command: its name, a line of help, an example, its arguments, and what it does."""

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class CommandError(Exception):
    """Ends the command with `error: message` and an exit code (2: wrong arguments, 1: it failed)."""

    def __init__(self, message: str, code: int = 2):
        super().__init__(message)
        self.code = code


def integer(low: int, high: float, expected: str) -> Callable[[str], int]:
    """An argparse type: an integer from `low` to `high`; `expected` says that in words."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return parse


positive_int = integer(1, math.inf, "a positive integer")
count = integer(0, math.inf, "0 or a positive integer")
seed = integer(-(2**63), 2**64 - 1, "an integer of 64 bits")


def positive_float(text: str) -> float:
    """An argparse type: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value
