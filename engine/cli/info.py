"""`python -m engine info`: what to paste into a bug report."""

from __future__ import annotations

import argparse

import engine
from engine.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(options: argparse.Namespace) -> int:
    """Print the configuration."""
    print(engine.show_config())
    return 0


COMMAND = Command(
    name="info",
    help="show versions, CPU, instruction sets, threads and backends",
    example="info",
    add_arguments=add_arguments,
    run=run,
)
