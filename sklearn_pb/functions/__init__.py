"""Pseudo-Boolean functions, and objectives that bind them to data."""

from ._base import PseudoBooleanFunction
from ._black_box import BlackBoxFunction
from ._enumeration import enumerate_points
from ._microworlds import ExponentialTabularLoss, NNLoss
from ._quadratic import QuadraticFunction
from ._subset_selection import SubsetSelection
from ._tabular import TabularFunction, tabulate

__all__ = [
    "BlackBoxFunction",
    "ExponentialTabularLoss",
    "NNLoss",
    "PseudoBooleanFunction",
    "QuadraticFunction",
    "SubsetSelection",
    "TabularFunction",
    "enumerate_points",
    "tabulate",
]
