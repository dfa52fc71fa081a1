"""Cost of a subset of features for linear regression."""

from __future__ import annotations

import numpy as np
import torch

from ._masked_gram import MaskedGram
from ._placement import PlacedTensors
from ._subset_function import SubsetFunction

# A perfect fit has no finite deviance; this much of the variance always remains.
_LEAST_RESIDUAL = 1e-12


class LinearSubsetFunction(SubsetFunction):
    """Gaussian profile deviance log(R) / 2 of a subset, plus its price.

    R is the smallest penalised mean squared error as a fraction of the variance of
    y: the minimum over w of mean((y - Xw)^2) + ridge |w|^2, both standardised.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, d)
        Features.
    y : numpy.ndarray of shape (n,)
        Targets.
    feature_price, ridge : float
        See `SubsetFunction`.
    min_features : int
        See `SubsetFunction`.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        *,
        feature_price: float,
        ridge: float,
        min_features: int,
    ) -> None:
        super().__init__(
            X,
            feature_price=feature_price,
            ridge=ridge,
            shrinkage=1.0,  # the second derivative of the loss in one coefficient
            min_features=min_features,
            intercept=False,  # both sides are centred
        )
        targets = torch.from_numpy((y - y.mean()) / y.std())
        covariance = self._data["X"].T @ targets / self.n_observations
        self._target = PlacedTensors(covariance=covariance)

    def _profile(
        self, Z: torch.Tensor, with_slope: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        covariance = self._target.like(Z)["covariance"]
        root = Z.sqrt()
        data = self._data.like(Z)
        system = MaskedGram(data["X"], data.get("gram"), Z, self._penalty(Z), 1.0)
        scaled = system.solve((root * covariance)[:, :, None])
        weights = root * scaled[:, :, 0]
        residual = (1 - weights @ covariance).clamp_min(_LEAST_RESIDUAL)
        loss = residual.log() / 2
        if not with_slope:
            return loss, None
        descent = covariance - self._gram_product(weights)
        slope = self._slope(Z, scaled, descent[:, :, None])
        return loss, slope / residual[:, None]

    def _gram_product(self, weights: torch.Tensor) -> torch.Tensor:
        data = self._data.like(weights)
        if "gram" in data:
            return weights @ data["gram"]
        return weights @ data["X"].T @ data["X"] / self.n_observations
