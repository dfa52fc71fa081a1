"""Pseudo-Boolean optimisation at the size of a neural network, for scikit-learn."""

from ._version import __version__

__all__ = ["__version__"]
