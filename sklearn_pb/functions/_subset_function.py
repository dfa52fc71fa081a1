"""What the costs of a subset of features have in common."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch

from ._base import PseudoBooleanFunction
from ._masked_gram import most_used
from ._placement import PlacedTensors

# Columns up to which the Gram matrix is stored (32 MB).
_MOST_GRAM_COLUMNS = 2048
# Cells of the largest intermediate of one chunk of rows (32 MB).
_CHUNK_CELLS = 2**22
_OBSERVATIONS_A_FEATURE = 10


class SubsetFunction(PseudoBooleanFunction):
    """Best penalised loss of a linear predictor on a subset, plus its price.

    The coefficients w of the columns pay (shrinkage (1 - z) / z + ridge) w^2 / 2
    each: the plain ridge where z is 1, an infinite price where z is 0, and between
    them something for which the cost of uncorrelated features is nearly linear in
    z. The best loss is smooth in z, and by the envelope theorem its derivative is
    the partial one, -shrinkage (w / z)^2 / 2, at the best coefficients.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, d)
        Features.
    feature_price : float
        Price of one feature.
    ridge, shrinkage : float
        See above.
    min_features : int
        Every feature that is missing to this number costs `feature_price` + 1. So
        adding one always pays, and a smaller subset is never optimal.
    intercept : bool
        Whether the stored design gets a last column of ones that is always used.
    """

    relaxable = True

    def __init__(
        self,
        X: np.ndarray,
        *,
        feature_price: float,
        ridge: float,
        shrinkage: float,
        min_features: int,
        intercept: bool,
    ) -> None:
        columns = torch.from_numpy(_standardise(X))
        self.n_observations, self.n_variables = columns.shape
        if intercept:
            columns = torch.cat([columns, torch.ones_like(columns[:, :1])], 1)
        self.feature_price = feature_price
        self.ridge = ridge
        self.shrinkage = shrinkage
        self.min_features = min_features
        constants = {"X": columns}
        if self.n_variables <= _MOST_GRAM_COLUMNS:
            constants["gram"] = columns.T @ columns / self.n_observations
        self._data = PlacedTensors(**constants)

    @property
    def initial_probabilities(self) -> np.ndarray | None:
        """Few features where there are few observations."""
        return few_features(self.n_observations, self.n_variables)

    @abstractmethod
    def _profile(
        self, Z: torch.Tensor, with_slope: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Best loss (rows,) for a chunk of float64 rows, and its slope (rows, d)."""

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        with_slope = Z.requires_grad and torch.is_grad_enabled()
        with torch.no_grad():
            points = Z.detach().double().clamp(0.0, 1.0)
            chunks = points.split(self._rows_at_once(points))
            losses, slopes = zip(
                *(self._profile(chunk, with_slope) for chunk in chunks), strict=True
            )
        costs = torch.cat(losses).to(Z.dtype) + self._price(Z)
        if with_slope:
            slope = torch.cat(slopes).to(Z.dtype)
            costs = costs + ((Z - Z.detach()) * slope).sum(1)
        return costs

    def _price(self, Z: torch.Tensor) -> torch.Tensor:
        count = Z.sum(1)
        missing = torch.relu(self.min_features - count)
        return self.feature_price * count + (self.feature_price + 1.0) * missing

    def _rows_at_once(self, points: torch.Tensor) -> int:
        return max(1, _CHUNK_CELLS // self._cells_a_row(most_used(points)))

    def _cells_a_row(self, used: int) -> int:
        """Size of the largest intermediates of a row that uses `used` columns."""
        if used > self.n_observations:
            return self.n_observations * self.n_variables
        gathered = 0 if "gram" in self._data else self.n_observations * used
        return used**2 + gathered + self.n_variables

    def _penalty(self, Z: torch.Tensor) -> torch.Tensor:
        """Penalty (rows, d) of the squares of w / sqrt(z)."""
        return self.shrinkage * (1 - Z) + self.ridge * Z

    def _slope(
        self, Z: torch.Tensor, scaled: torch.Tensor, descent: torch.Tensor
    ) -> torch.Tensor:
        """Derivative of the penalised loss with respect to z.

        `scaled` is w / sqrt(z) and `descent` the negative gradient of the loss alone
        with respect to w, both (rows, d, m). Stationarity gives w / z from either:
        from the first where z is large, from the second where it may be zero.
        """
        z = Z[:, :, None]
        inside = scaled / z.clamp_min(0.5).sqrt()
        outside = descent / self._penalty(Z)[:, :, None]
        ratio = torch.where(z > 0.5, inside, outside)
        return -0.5 * self.shrinkage * (ratio**2).sum(2)


def few_features(n_observations: int, n_features: int) -> np.ndarray | None:
    """Return probabilities that choose one feature for ten observations on average.

    A linear model of as many features as observations fits anything, and random
    subsets are of no use near that; ten observations for each parameter is the rule
    of thumb of Peduzzi et al. (1996).

    Parameters
    ----------
    n_observations : int
        Rows.
    n_features : int
        Columns.

    Returns
    -------
    probabilities : numpy.ndarray of shape (n_features,) or None
        None where that is half of the features or more.
    """
    density = n_observations / (_OBSERVATIONS_A_FEATURE * n_features)
    return np.full(n_features, density) if density < 0.5 else None


def _standardise(X: np.ndarray) -> np.ndarray:
    """Centre the columns and give them unit variance; constant ones become zero."""
    X = np.asarray(X, dtype=np.float64)
    centred = X - X.mean(0)
    centred[:, X.max(0) == X.min(0)] = 0.0
    scale = centred.std(0)
    return centred / np.where(scale > 0, scale, 1.0)
