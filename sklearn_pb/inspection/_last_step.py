"""The estimator that pipelines and searches are wrapped around."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted


def last_step(estimator: Any) -> Any:
    """Return the best estimator of a search and the last step of a pipeline.

    Parameters
    ----------
    estimator : estimator, Pipeline or search over either
        Fitted.

    Returns
    -------
    estimator : estimator
        What they end in; the estimator itself where there is nothing around it.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    """
    check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def find_fitted(estimator: Any, attribute: str, kind: str) -> Any:
    """Return the last step of what was fitted.

    Parameters
    ----------
    estimator : estimator, Pipeline that ends in one, or search over either
        Fitted.
    attribute : str
        What it has once it is fitted, such as "masks_".
    kind : str
        Name of the class that has it, for the message.

    Returns
    -------
    found : estimator
        With that attribute.

    Raises
    ------
    TypeError
        If it has it not.
    NotFittedError
        If it is not fitted.
    """
    found = last_step(estimator)
    if not hasattr(found, attribute):
        raise TypeError(
            f"estimator must be a fitted {kind}, or a pipeline or search with one, "
            f"but {type(found).__name__} has no {attribute}."
        )
    return found


def find_ticket_finder(estimator: Any) -> Any:
    """Return the ticket finder in a search, a pipeline or both.

    Parameters
    ----------
    estimator : SparseTicketFinder, Pipeline that ends in one, or search over either
        Fitted.

    Returns
    -------
    finder : SparseTicketFinder
        With `tickets_`.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If there is none.
    """
    return find_fitted(estimator, "tickets_", "SparseTicketFinder")
