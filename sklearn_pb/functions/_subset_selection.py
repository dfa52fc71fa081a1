"""The objective of choosing features for a linear or logistic model."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_X_y

from ._linear_subset import LinearSubsetFunction
from ._logistic_subset import LogisticSubsetFunction
from ._subset_function import SubsetFunction
from ._targets import as_classes, as_numbers, is_regression

_MODELS = ("auto", "linear", "logistic")
_PRICES = ("bic", "aic")


class SubsetSelection(BaseEstimator):
    """Choose the features of a linear or logistic model at a price for each.

    ``bind(X, y)`` gives the function J of the subset z: the loss of the best model
    on the chosen, standardised features, plus `price` for every parameter that they
    need. With the default prices, 2 n J is the information criterion up to a
    constant.

    - Linear model: the Gaussian profile deviance log(R) / 2, where R is the
      residual mean square over the variance of y. It is what the log-likelihood is
      with the noise variance unknown, so that BIC and AIC are right; half the
      squared error would need to know that variance.
    - Logistic model: the mean log-loss; multinomial with more than two classes.

    A small ridge is part of both losses: R and the log-loss are minima of
    mean((y - Xw)^2) + ridge w'w and mean(-log p) + ridge w'w / 2, with free
    intercepts.

    Parameters
    ----------
    model : {"auto", "linear", "logistic"}, default="auto"
        The model. "auto" takes the linear one if y is continuous: floats that are
        not whole, or floats with more than 50 distinct values.
    price : {"bic", "aic"} or float, default="bic"
        Price of one parameter: log(n) / (2 n) for "bic", 1 / n for "aic". A feature
        has one parameter, or K - 1 with K > 2 classes.
    ridge : float, default=1e-3
        Strength of the ridge, positive.
    max_iter : int, default=300
        Most steps of a logistic fit.
    tol : float, default=1e-5
        A logistic loss is computed to about this precision.
    min_features : int, default=1
        The fewest features of a solution. Each one that is missing costs its own
        price and 1 more, so that a smaller subset is never optimal.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : Has the same logistic loss with
        C = 1 / (n ridge).

    Notes
    -----
    The bound function is relaxable. At z in [0, 1]^d the coefficient of feature i
    pays (c (1 - z_i) / z_i + ridge) w_i^2 / 2, c being the curvature of the loss in
    one coefficient: the ridge at 1, infinite at 0, and for uncorrelated features
    nearly the multilinear extension in between. Gradients come from the envelope
    theorem; they cannot be differentiated again.

    Where n < 5 d, a search without a warm start begins with no feature, and draws one
    for ten rows on average: among more features than rows almost any fit the data.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_pb.functions import SubsetSelection
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> J = SubsetSelection(price="aic").bind(X, y)
    >>> all_features, none = J(torch.stack([torch.ones(30), torch.zeros(30)]))
    >>> bool(all_features < none)
    True
    """

    def __init__(
        self,
        model: str = "auto",
        *,
        price: str | float = "bic",
        ridge: float = 1e-3,
        max_iter: int = 300,
        tol: float = 1e-5,
        min_features: int = 1,
    ) -> None:
        self.model = model
        self.price = price
        self.ridge = ridge
        self.max_iter = max_iter
        self.tol = tol
        self.min_features = min_features

    def bind(self, X: Any, y: Any) -> SubsetFunction:
        """Return the cost of a subset of the columns of X.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Features.
        y : array-like of shape (n,)
            Targets: numbers, or class labels of any kind.

        Returns
        -------
        function : PseudoBooleanFunction
            A relaxable function of d variables.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid: not finite, of different lengths,
            y constant or of one class, fewer features than `min_features`.
        TypeError
            If a parameter is not a number.
        """
        self._check_parameters()
        X, y = check_X_y(X, y, dtype=np.float64, ensure_min_samples=2)
        if self.min_features > X.shape[1]:
            raise ValueError(
                f"min_features={self.min_features}, but X has only {X.shape[1]} "
                "features."
            )
        if self._takes_linear(y):
            return self._bind_linear(X, y)
        return self._bind_logistic(X, y)

    def _bind_linear(self, X: np.ndarray, y: np.ndarray) -> SubsetFunction:
        targets = as_numbers(y, "model='linear'")
        return LinearSubsetFunction(
            X,
            targets,
            feature_price=self._parameter_price(len(targets)),
            ridge=self.ridge,
            min_features=self.min_features,
        )

    def _bind_logistic(self, X: np.ndarray, y: np.ndarray) -> SubsetFunction:
        classes, codes = as_classes(y, "model='logistic'")
        n_classes = len(classes)
        return LogisticSubsetFunction(
            X,
            codes,
            feature_price=(n_classes - 1) * self._parameter_price(len(codes)),
            ridge=self.ridge,
            max_iter=self.max_iter,
            tol=self.tol,
            min_features=self.min_features,
        )

    def _takes_linear(self, y: np.ndarray) -> bool:
        if self.model == "auto":
            return is_regression(y)
        return bool(self.model == "linear")

    def _parameter_price(self, n: int) -> float:
        if self.price == "bic":
            return float(np.log(n) / (2 * n))
        if self.price == "aic":
            return 1.0 / n
        return float(self.price)

    def _check_parameters(self) -> None:
        if self.model not in _MODELS:
            raise ValueError(f"model must be one of {_MODELS}, got {self.model!r}.")
        if isinstance(self.price, str):
            if self.price not in _PRICES:
                raise ValueError(
                    f"price must be one of {_PRICES} or a number, got {self.price!r}."
                )
        else:
            _check_number("price", self.price, least=0.0)
        _check_number("ridge", self.ridge, least=0.0, strict=True)
        _check_number("tol", self.tol, least=0.0, strict=True)
        _check_number("max_iter", self.max_iter, least=1, integer=True)
        _check_number("min_features", self.min_features, least=0, integer=True)


def _check_number(
    name: str,
    value: Any,
    *,
    least: float,
    strict: bool = False,
    integer: bool = False,
) -> None:
    is_number = isinstance(value, Integral if integer else Real)
    if not is_number or isinstance(value, bool):
        word = "an integer" if integer else "a number"
        raise TypeError(f"{name} must be {word}, got {value!r}.")
    if not np.isfinite(value) or value < least or (strict and value == least):
        bound = f"greater than {least:g}" if strict else f"at least {least:g}"
        raise ValueError(f"{name} must be finite and {bound}, got {value!r}.")
