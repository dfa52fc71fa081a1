"""Two small worlds that are hard to search: a random table and a random network."""

from __future__ import annotations

import numpy as np
import torch

from ..utils import RandomStream
from ._base import PseudoBooleanFunction
from ._enumeration import check_n_variables
from ._placement import PlacedTensors
from ._tabular import TabularFunction

_MOST_TABLE_VARIABLES = 26
_HIDDEN_LAYERS = 9
_WIDTH = 20
_CALIBRATION_POINTS = 4096
_EPSILON = 1e-5
_SLOPE = 0.01


class ExponentialTabularLoss(TabularFunction):
    """A table of independent exponential costs, few of them low.

    The 2^d costs are drawn from Exp[1.5] and mapped linearly so that the largest
    draw costs -1 and the smallest 1 (Silva, 2023, section 6.1.1). So most points
    cost nearly 1, and the distance to the solution says nothing about the cost.

    Parameters
    ----------
    n_variables : int
        The number d of binary variables, from 1 to 26: all 2^d costs are stored.
    random_state : int, numpy.random.RandomState or None, default=None
        Seed of the draws.

    Raises
    ------
    ValueError
        If `n_variables` is out of range.

    Notes
    -----
    1.5 is the rate; the mapping makes the costs the same for every rate. The source
    treats this function as not differentiable; here relaxed points get the
    multilinear extension of the table, as in every `TabularFunction`.

    Examples
    --------
    >>> from sklearn_pb.functions import ExponentialTabularLoss
    >>> J = ExponentialTabularLoss(4, random_state=0)
    >>> J.values.min().item(), J.values.max().item()
    (-1.0, 1.0)
    """

    def __init__(
        self,
        n_variables: int,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        d = check_n_variables(n_variables, _MOST_TABLE_VARIABLES)
        stream = RandomStream.from_random_state(random_state)
        draws = np.random.default_rng(stream.key).exponential(1 / 1.5, size=2**d)
        share = (draws - draws.min()) / (draws.max() - draws.min())
        super().__init__(1.0 - 2.0 * share)


class NNLoss(PseudoBooleanFunction):
    """The output of a fixed random network, with many local minima.

    Nine hidden layers of 20 units with weights of -1 or 1, each normalised and
    followed by a LeakyReLU, then one output that is only normalised. The network
    sees z mapped to [-1, 1]^d. Normalisation is batch norm without affine
    parameters in evaluation mode: its statistics are fixed once, on uniform points
    of [0, 1]^d (Silva, 2023, section 6.1.1).

    Parameters
    ----------
    n_variables : int
        The number d of binary variables.
    random_state : int, numpy.random.RandomState or None, default=None
        Seed of the weights and of the points that fix the statistics.

    Raises
    ------
    ValueError
        If `n_variables` is less than 1.

    Notes
    -----
    The statistics are those of 4096 points, computed layer by layer: what moving
    averages over many forward passes converge to. They are folded into the weights.
    The LeakyReLU has slope 0.01 below zero and layers have no bias, which a
    normalisation would take away again.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import NNLoss
    >>> J = NNLoss(10, random_state=0)
    >>> J(torch.rand(3, 10)).shape
    torch.Size([3])
    """

    relaxable = True

    def __init__(
        self,
        n_variables: int,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_variables = check_n_variables(n_variables)
        generator = RandomStream.from_random_state(random_state).torch_generator()
        self._layers = PlacedTensors(**_calibrated_layers(self.n_variables, generator))

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        layers = self._layers.like(Z)
        hidden = 2 * Z - 1
        for k in range(_HIDDEN_LAYERS + 1):
            if k > 0:
                hidden = torch.nn.functional.leaky_relu(hidden, _SLOPE)
            hidden = torch.nn.functional.linear(
                hidden, layers[f"weight_{k}"], layers[f"bias_{k}"]
            )
        return hidden[:, 0]


def _calibrated_layers(d: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Draw the layers and fold into each the normalisation of its outputs."""
    hidden = 2 * _uniform(_CALIBRATION_POINTS, d, generator) - 1
    layers = {}
    for k in range(_HIDDEN_LAYERS + 1):
        if k > 0:
            hidden = torch.nn.functional.leaky_relu(hidden, _SLOPE)
        width = _WIDTH if k < _HIDDEN_LAYERS else 1
        coins = torch.randint(2, (width, hidden.shape[1]), generator=generator)
        signs = 2.0 * coins.double() - 1.0
        outputs = hidden @ signs.T
        variance, mean = torch.var_mean(outputs, 0)
        scale = (variance + _EPSILON).rsqrt()
        layers[f"weight_{k}"] = signs * scale[:, None]
        layers[f"bias_{k}"] = -mean * scale
        hidden = (outputs - mean) * scale
    return layers


def _uniform(n: int, d: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand((n, d), generator=generator, dtype=torch.float64)
