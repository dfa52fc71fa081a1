"""The methods of a feature selector, where there are features to select."""

from __future__ import annotations

from typing import Any

from sklearn.utils.metaestimators import available_if


def _selects_features(estimator: Any) -> bool:
    if estimator._has_function():
        raise AttributeError(
            f"{type(estimator).__name__} has no features to select: its objective is a "
            f"{type(estimator.objective).__name__}, which is minimised without data. "
            "The point found is solution_."
        )
    return True


class FeatureMethods:
    """Lets the methods of `SelectorMixin` be only where the estimator has features.

    It stands before `SelectorMixin` among the parents. The methods must not be those
    of the estimator's own class, because there `set_output` would wrap them and so
    take away that they are conditional.
    """

    @available_if(_selects_features)
    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit to the data, then reduce X to the selected features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features.
        y : array-like of shape (n_samples,), default=None
            The targets.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_selected_features)
            The selected columns.
        """
        return super().fit_transform(X, y, **fit_params)  # type: ignore[misc]

    @available_if(_selects_features)
    def transform(self, X: Any) -> Any:
        """Reduce X to the selected features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features.

        Returns
        -------
        X_new : array of shape (n_samples, n_selected_features)
            The selected columns.
        """
        return super().transform(X)  # type: ignore[misc]

    @available_if(_selects_features)
    def inverse_transform(self, X: Any) -> Any:
        """Put columns of zeros where features were left out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_selected_features)
            The selected columns.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            With all columns.
        """
        return super().inverse_transform(X)  # type: ignore[misc]

    @available_if(_selects_features)
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the selected features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of all features; those seen in `fit` if None.

        Returns
        -------
        names : ndarray of str
            One for each selected feature.
        """
        return super().get_feature_names_out(input_features)  # type: ignore[misc]
