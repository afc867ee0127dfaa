"""`python -m engine summary`: the layers of a network and what they cost."""

from __future__ import annotations

import argparse

import engine
from engine.cli.command import Command, CommandError, positive_float, positive_int
from engine.vision.models import MODELS, create


def sizes(text: str) -> tuple[int, ...]:
    """An argparse type: sizes such as 3,32,32."""
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (3, 4) or min(values) < 1:
        raise argparse.ArgumentTypeError(f"expected sizes such as 3,32,32 or 64,3,32,32, got {text!r}")
    return values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A network and the size of its input."""
    parser.add_argument("model", metavar="MODEL", help=", ".join(MODELS) + ", or a pattern (see `train`)")
    parser.add_argument("--input", type=sizes, metavar="C,H,W", help="(default: what the network was made for)")
    parser.add_argument("--classes", type=positive_int, metavar="N", help="(default: 10, for those of ImageNet 1000)")
    parser.add_argument(
        "--width", type=positive_float, default=1.0, metavar="X", help="multiplies the channels (default: 1)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the table; nothing is allocated."""
    made_for = MODELS[options.model].input if options.model in MODELS else (3, 32, 32)
    size = options.input or made_for
    try:
        with engine.use_backend("shape"):
            model = create(options.model, size[-3:], options.classes, options.width)
    except ValueError as error:
        raise CommandError(str(error)) from error
    try:
        print(engine.summary(model, size))
    except ValueError as error:
        raise CommandError(f"--input: {error}") from error
    return 0


COMMAND = Command(
    name="summary",
    help="show the layers of a network, their shapes, parameters, multiply-adds, memory and receptive fields",
    example="summary resnet20 --input 3,32,32",
    add_arguments=add_arguments,
    run=run,
)
