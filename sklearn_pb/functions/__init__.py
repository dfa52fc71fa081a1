"""Pseudo-Boolean functions, and objectives that bind them to data."""

from ._base import PseudoBooleanFunction
from ._binary_network import BinaryNetworkTraining
from ._black_box import BlackBoxFunction
from ._bqm import from_bqm, to_bqm
from ._categorical import CategoricalFunction
from ._deceptive import DeceptiveFunction, SaddleFunction
from ._enumeration import enumerate_points
from ._estimator_subset import EstimatorSubset
from ._flips import Neighbourhood, Sweep
from ._image_labelling import ImageLabelling
from ._independent_set import IndependentSet
from ._instances import load_instance, save_instance
from ._ising import from_ising, from_qubo, to_ising
from ._labs import LABS
from ._masked_regression import MaskedNNRegression
from ._max_cut import MaxCut
from ._max_sat import MaxSAT
from ._microworlds import ExponentialTabularLoss, NNLoss
from ._polynomial import PolynomialFunction
from ._priced import with_price
from ._quadratic import QuadraticFunction
from ._quadratization import Quadratization, quadratize
from ._remembered import remembered
from ._separable import MisleadingHill, QuadraticDistance, SteepBarriers
from ._subset_selection import SubsetSelection
from ._tabular import TabularFunction, tabulate

__all__ = [
    "LABS",
    "BinaryNetworkTraining",
    "BlackBoxFunction",
    "CategoricalFunction",
    "DeceptiveFunction",
    "EstimatorSubset",
    "ExponentialTabularLoss",
    "ImageLabelling",
    "IndependentSet",
    "MaskedNNRegression",
    "MaxCut",
    "MaxSAT",
    "MisleadingHill",
    "NNLoss",
    "Neighbourhood",
    "PolynomialFunction",
    "PseudoBooleanFunction",
    "QuadraticDistance",
    "QuadraticFunction",
    "Quadratization",
    "SaddleFunction",
    "SteepBarriers",
    "SubsetSelection",
    "Sweep",
    "TabularFunction",
    "enumerate_points",
    "from_bqm",
    "from_ising",
    "from_qubo",
    "load_instance",
    "quadratize",
    "remembered",
    "save_instance",
    "tabulate",
    "to_bqm",
    "to_ising",
    "with_price",
]
