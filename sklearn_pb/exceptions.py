"""Errors and warnings, each also one that scikit-learn users catch."""

__all__ = [
    "ExportError",
    "InstanceError",
    "NonFiniteLossError",
    "NothingToPruneError",
    "ObjectiveError",
    "PrecisionWarning",
    "SparsityWarning",
]


class ObjectiveError(ValueError):
    """A cost function returned something that is not one finite cost a row."""


class ExportError(ValueError):
    """A network cannot be traced, or its smaller form would not compute the same."""


class NothingToPruneError(ValueError):
    """No parameter of the network is left to mask under ``include`` and ``exclude``."""


class NonFiniteLossError(FloatingPointError):
    """The training loss became NaN or infinite; the last good state was kept."""


class SparsityWarning(UserWarning):
    """A mask keeps nothing, or was far from its target when it was cut to it."""


class PrecisionWarning(UserWarning):
    """A quantized network is far from the size or the energy that was asked for."""


class InstanceError(ValueError):
    """A file does not hold the instance that its format promises.

    Parameters
    ----------
    path : str
        The file.
    line : int or None
        Where it went wrong, counted from 1; None where that is no single line.
    problem : str
        What is wrong, and what was expected.
    """

    def __init__(self, path: str, line: int | None, problem: str) -> None:
        super().__init__(path, line, problem)
        self.path = path
        self.line = line
        self.problem = problem

    def __str__(self) -> str:
        """Return the path, the line and the problem."""
        where = self.path if self.line is None else f"{self.path}, line {self.line}"
        return f"{where}: {self.problem}"
