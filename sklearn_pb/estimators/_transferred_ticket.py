"""What a fitted finder does with its tickets on another task."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ..masks import Granularity, Selectors
from ..methods import FixedMask
from ..tickets import Ticket
from ..training import is_regression, with_fresh_weights, with_given_weights
from ..utils import RandomStream, check_choice
from ._mask_pruner import MaskPruner

WEIGHTS = ("stored", "fresh")
_TRANSFER = (1 << 40) + 1  # address that no seed has


class TransferredTicket:
    """Base of estimators that find tickets; it stands behind all others.

    A subclass sets `ticket_` and `_seed` in `fit`, and has the settings of a network.
    """

    estimator: Any
    granularity: str | Granularity
    include: Selectors
    exclude: Selectors
    device: str
    n_threads: int | None
    ticket_: Ticket
    _seed: int

    def transfer(
        self,
        X: Any,
        y: Any,
        ticket: Ticket | None = None,
        weights: str = "stored",
        *,
        estimator: Any = None,
    ) -> MaskPruner:
        """Train a ticket on a new task.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs of the new task.
        y : array-like of shape (n,)
            Its labels, or values for a regressor.
        ticket : Ticket, default=None
            One of `tickets_`; None takes `ticket_`.
        weights : {"stored", "fresh"}, default="stored"
            Whether the ticket starts from its stored weights, as far as they fit, or
            from fresh ones.
        estimator : skorch net, torch.nn.Module (instance or class), default=None
            The network for the new task, if it is another one; None takes that of the
            finder.

        Returns
        -------
        pruner : MaskPruner
            Fitted; parameters that have another shape on the new task, as the last
            layer for another number of classes, are kept whole.

        Raises
        ------
        TypeError
            If `ticket` is none.
        ValueError
            If `weights` is unknown, or no mask fits the network.

        See Also
        --------
        transfer_architecture : What masks are worth on another task, with controls.
        """
        check_is_fitted(self)
        check_choice(weights, "weights", WEIGHTS)
        ticket = self.ticket_ if ticket is None else ticket
        if not isinstance(ticket, Ticket):
            raise TypeError(f"ticket={ticket!r} must be one of tickets_, or None.")
        estimator = self.estimator if estimator is None else estimator
        stream = RandomStream(self._seed).child(_TRANSFER)
        if weights == "fresh":
            estimator = with_fresh_weights(estimator, stream)
        else:
            X_example = check_array(X, allow_nd=True, input_name="X")
            n_outputs = _count_outputs(y, is_regression(estimator))
            estimator = with_given_weights(
                estimator, ticket.weights, X_example, n_outputs, stream
            )
        pruner = MaskPruner(
            estimator,
            method=FixedMask(dict(ticket.masks), strict=False),
            granularity=self.granularity,
            include=self.include,
            exclude=self.exclude,
            random_state=stream.child(1).key >> 32,  # scikit-learn takes 32 bits
            device=self.device,
            n_threads=self.n_threads,
        )
        return pruner.fit(X, y)


def _count_outputs(y: Any, regresses: bool) -> int:
    y = np.asarray(y)
    if regresses:
        return 1 if y.ndim == 1 else y.shape[1]
    return len(np.unique(y))
