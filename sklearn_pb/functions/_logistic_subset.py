"""Cost of a subset of features for logistic regression."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from ._batched_lbfgs import BatchedLbfgs
from ._masked_gram import MaskedGram
from ._placement import PlacedTensors
from ._subset_function import SubsetFunction

# Beyond this many columns a new factorisation costs more than the steps it saves.
_MOST_REFRESHED_COLUMNS = 512
# Keeps the systems regular in the intercept, which pays nothing.
_INTERCEPT_DIAGONAL = 1e-6


class LogisticSubsetFunction(SubsetFunction):
    """Mean log-loss of (multinomial) logistic regression on a subset, plus its price.

    The loss is the minimum over coefficients and free intercepts of
    mean(-log p(y | x)) + ridge |w|^2 / 2 on standardised features. Two classes have
    one coefficient a feature, more have one for each class.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, d)
        Features.
    codes : numpy.ndarray of int, shape (n,)
        Classes 0 .. K - 1, each present.
    feature_price, ridge : float
        See `SubsetFunction`.
    max_iter : int
        Most steps of the fit.
    tol : float
        The fit of a subset stops when its loss is within about this of the least.
    min_features : int
        See `SubsetFunction`.

    Notes
    -----
    All subsets of a batch are fitted together by L-BFGS. Its first matrix is the
    bound of Boehning (1992) on the Hessian, G / 4 for two classes and G / 2 for
    more, factorised once a subset; after a few steps the diagonal blocks of the
    Hessian itself take its place, as saturated classes leave it far below the bound.

    References
    ----------
    Boehning, D. (1992). Multinomial logistic regression algorithm. Annals of the
    Institute of Statistical Mathematics 44, 197-200.
    """

    def __init__(
        self,
        X: np.ndarray,
        codes: np.ndarray,
        *,
        feature_price: float,
        ridge: float,
        max_iter: int,
        tol: float,
        min_features: int,
    ) -> None:
        shares = np.bincount(codes) / len(codes)
        super().__init__(
            X,
            feature_price=feature_price,
            ridge=ridge,
            # The second derivative of the loss in one coefficient, without features.
            shrinkage=float(np.mean(shares * (1 - shares))),
            min_features=min_features,
            intercept=True,
        )
        self.max_iter = max_iter
        self.tol = tol
        labels = np.eye(len(shares))[codes]
        first = np.log(shares)
        if len(shares) == 2:
            labels, first = labels[:, 1:], first[1:] - first[:1]
        self.n_outputs = labels.shape[1]
        moments = self._data["X"].T @ torch.from_numpy(labels) / self.n_observations
        self._target = PlacedTensors(moments=moments, first=torch.tensor(first))
        self._warned = False

    def _cells_a_row(self, used: int) -> int:
        fit = (self.n_observations + 6 * self.n_variables) * self.n_outputs
        hessians = used**2 * self.n_outputs + 2 * used * self.n_observations
        if used > _MOST_REFRESHED_COLUMNS:
            hessians = 0
        return super()._cells_a_row(used) + 4 * fit + hessians

    def _profile(
        self, Z: torch.Tensor, with_slope: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        used = (Z > 0).any(0).nonzero()[:, 0]
        search = BatchedLbfgs(self._problem(Z, used))
        # The penalty makes the loss strongly convex, and so the gradient bounds
        # what is left to gain.
        search.run(self.max_iter, math.sqrt(2 * self.ridge * self.tol))
        self._warn(search.done)
        if not with_slope:
            return search.loss, None
        scaled = Z.new_zeros(*Z.shape, self.n_outputs)
        scaled[:, used] = search.theta[:, :-1]
        X = self._data.like(Z)["X"][:, :-1]
        moments = self._target.like(Z)["moments"][:-1]
        descent = moments - _mean_product(X, _response(search.logits))
        return search.loss, self._slope(Z, scaled, descent)

    def _problem(self, Z: torch.Tensor, used: torch.Tensor) -> _Problem:
        """The problem on the columns that any row uses, and the intercept."""
        data, target = self._data.like(Z), self._target.like(Z)
        ones = torch.ones_like(Z[:, :1])
        points = torch.cat([Z[:, used], ones], 1)
        diagonal = torch.cat([self._penalty(Z[:, used]), 0 * ones], 1)
        gram = data.get("gram")
        columns = torch.cat([used, used.new_tensor([self.n_variables])])
        X, moments = data["X"], target["moments"][columns]
        if len(columns) < X.shape[1]:
            X = X[:, columns]
            gram = gram if gram is None else gram[columns[:, None], columns]
        return _Problem(X, gram, points, diagonal, moments, target["first"])

    def _warn(self, done: torch.Tensor) -> None:
        if self._warned or bool(done.all()):
            return
        self._warned = True
        warnings.warn(
            f"{int((~done).sum())} of {len(done)} subsets were not fitted to "
            f"tol={self.tol} in max_iter={self.max_iter} steps; their costs may be "
            "too high. Raise max_iter, tol or ridge. (Shown once a function.)",
            ConvergenceWarning,
            stacklevel=2,
        )


class _Problem:
    """The penalised loss of a chunk of subsets, in theta = w / sqrt(z).

    Theta has shape (rows, p, K), the intercept last; logits have shape (n, rows, K),
    so that one product gives those of all subsets.
    """

    def __init__(
        self,
        X: torch.Tensor,
        gram: torch.Tensor | None,
        Z: torch.Tensor,
        diagonal: torch.Tensor,
        moments: torch.Tensor,
        first: torch.Tensor,
    ) -> None:
        self.X = X
        self.root = Z.sqrt()[:, :, None]
        self.diagonal = diagonal[:, :, None]
        self.moments = moments * self.root
        self.first = first
        curvature = 0.25 if len(first) == 1 else 0.5
        floor = diagonal.clamp_min(_INTERCEPT_DIAGONAL)
        self.system = MaskedGram(X, gram, Z, floor, curvature)

    def start(self) -> torch.Tensor:
        theta = torch.zeros_like(self.moments)
        theta[:, -1] = self.first
        return theta

    def to_logits(self, theta: torch.Tensor) -> torch.Tensor:
        weights = (self.root * theta).transpose(0, 1)
        return (self.X @ weights.flatten(1)).unflatten(1, weights.shape[1:])

    def loss(self, theta: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        rest = theta * (self.diagonal * theta / 2 - self.moments)
        return _log_partition(logits).mean(0) + rest.sum((1, 2))

    def gradient(self, theta: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        product = _mean_product(self.X, _response(logits))
        return self.root * product - self.moments + self.diagonal * theta

    def precondition(self, gradient: torch.Tensor) -> torch.Tensor:
        return self.system.solve(gradient)

    def refresh(self, logits: torch.Tensor) -> None:
        system = self.system
        if system.is_primal and system.n_columns <= _MOST_REFRESHED_COLUMNS:
            response = _response(logits)
            system.reweight(response * (1 - response))


def _mean_product(X: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """X' values / n: (rows, p, K) from (n, rows, K)."""
    product = X.T @ values.flatten(1) / len(X)
    return product.unflatten(1, values.shape[1:]).transpose(0, 1)


def _log_partition(logits: torch.Tensor) -> torch.Tensor:
    if logits.shape[2] == 1:
        return torch.nn.functional.softplus(logits[:, :, 0])
    return logits.logsumexp(2)


def _response(logits: torch.Tensor) -> torch.Tensor:
    """Predicted probabilities, in the shape of the logits."""
    return logits.sigmoid() if logits.shape[2] == 1 else logits.softmax(2)
