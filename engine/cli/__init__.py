"""The command line, `python -m engine <command>`: one small file per command, listed in COMMANDS."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from engine.cli import evaluate, info, predict, report, summary, train, viz
from engine.cli.command import Command, CommandError

COMMANDS: list[Command] = [c.COMMAND for c in (train, evaluate, predict, viz, report, summary, info)]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0, 1 when it failed, 2 for wrong arguments, 130 after Ctrl-C."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        print(parser.format_help(), end="")
        return 0
    try:
        return options.command.run(options)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except (OSError, ImportError) as error:  # a full disk, a missing package; what was saved before is still there
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that refuses in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and where to find help, and exit with code 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    import engine

    width = max(len(command.name) for command in COMMANDS)
    overview = "\n".join(
        f"  {c.name:<{width}}  {c.help}\n  {'':<{width}}  example: python -m engine {c.example}" for c in COMMANDS
    )
    parser = Parser(
        prog="python -m engine",
        usage="python -m engine <command> [options]",
        description=f"commands:\n{overview}\n\npython -m engine <command> --help lists the options of a command",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"engine {engine.__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(metavar="<command>", prog="python -m engine", help=argparse.SUPPRESS)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            description=command.help,
            epilog=f"example: python -m engine {command.example}",
        )
        command.add_arguments(sub)
        sub.set_defaults(command=command)
    return parser
