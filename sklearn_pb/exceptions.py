"""Errors and warnings, each also one that scikit-learn users catch."""

__all__ = [
    "NonFiniteLossError",
    "NothingToPruneError",
    "ObjectiveError",
    "SparsityWarning",
]


class ObjectiveError(ValueError):
    """A cost function returned something that is not one finite cost a row."""


class NothingToPruneError(ValueError):
    """No parameter of the network is left to mask under ``include`` and ``exclude``."""


class NonFiniteLossError(FloatingPointError):
    """The training loss became NaN or infinite; the last good state was kept."""


class SparsityWarning(UserWarning):
    """A learned mask was far from the target density when it was cut to it."""
