"""Parse the command line, run what it asks for, and fail in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .._version import __version__
from ..exceptions import NonFiniteLossError
from ._demo import run_demo
from ._demo_options import add_demo
from ._errors import UsageError

_STOPPED = 130  # what shells report after Ctrl-C


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, default=None
        Words after the program's name; None takes them from the shell.

    Returns
    -------
    status : int
        0 if all went well, 1 after a failed training, 130 after Ctrl-C. Wrong
        arguments end the program with 2.
    """
    parser, commands = _parsers()
    options = parser.parse_args(arguments)
    _never_fail_to_print()
    try:
        run_demo(options)
    except UsageError as error:
        commands[options.command].error(str(error))
    except NonFiniteLossError as error:
        print(f"\nTraining failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return _STOPPED
    return 0


def _parsers() -> tuple[_Parser, dict[str, Any]]:
    parser = _Parser(
        prog="python -m sklearn_pb",
        description="Pseudo-Boolean optimisation behind scikit-learn estimators.",
        epilog="'python -m sklearn_pb demo --help' explains the demo.",
    )
    parser.add_argument(
        "--version", action="version", version=f"sklearn_pb {__version__}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_demo(commands)
    return parser, dict(commands.choices)


def _never_fail_to_print() -> None:
    """Let a terminal without a character show a question mark in its place."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
