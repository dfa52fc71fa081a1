"""The command line, ``python -m sklearn_pb``."""

from ._main import main

__all__ = ["main"]
