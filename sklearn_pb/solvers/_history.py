"""What a search leaves behind of its course: a bounded list of records."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..budget import Evaluator
from ..methods import Search

MOST_RECORDS = 1000


class History:
    """Records of a search, evenly spaced and never more than about 1000.

    When the list is full, every second record is dropped and from then on only every
    second step is recorded, so that a record costs nothing in the long run.

    Parameters
    ----------
    evaluator : Evaluator
        What the search evaluates.
    search : Search
        The search.

    Attributes
    ----------
    records : list of dict
        The records kept so far.
    """

    def __init__(self, evaluator: Evaluator, search: Search) -> None:
        self.records: list[dict[str, Any]] = []
        self._evaluator = evaluator
        self._search = search
        self._every = 1

    def is_due(self) -> bool:
        """Return whether the search's current step should be recorded.

        Returns
        -------
        due : bool
            True once every few steps.
        """
        return self._search.step % self._every == 0

    def add(self) -> dict[str, Any]:
        """Record the current step, once more if it is recorded already.

        Returns
        -------
        record : dict
            The record, which is kept.
        """
        record = self._record()
        if self.records and self.records[-1]["step"] == record["step"]:
            self.records.pop()
        self.records.append(record)
        if len(self.records) > MOST_RECORDS:
            self._every *= 2
            self.records = [r for r in self.records if r["step"] % self._every == 0]
        return record

    def _record(self) -> dict[str, Any]:
        costs = self._evaluator.recent
        record = {
            "step": self._search.step,
            "n_evaluations": self._evaluator.n_evaluations,
            "best_cost": self._evaluator.best_cost,
            "mean_cost": float(torch.cat(costs).mean()) if costs else math.nan,
        }
        theta = probabilities(self._search)
        if theta is not None:
            entropy = torch.special.entr(theta) + torch.special.entr(1 - theta)
            record["density"] = float(theta.mean())
            record["entropy"] = float(entropy.mean())
        record["seconds"] = self._evaluator.seconds
        return record


def probabilities(search: Search) -> torch.Tensor | None:
    """Return the probability of a one for each variable, where the search has any.

    Parameters
    ----------
    search : Search
        The search.

    Returns
    -------
    probabilities : torch.Tensor of shape (d,) or None
        In [0, 1].
    """
    give = getattr(search, "probabilities", None)
    return None if give is None else give()
