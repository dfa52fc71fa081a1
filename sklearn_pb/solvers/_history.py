"""What a search leaves behind of its course: a bounded list of records."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..budget import Evaluator
from ._base import Run

MOST_RECORDS = 1000


class History:
    """Records of a search, evenly spaced and never more than about 1000.

    When the list is full, every second record is dropped and from then on only every
    second step is recorded, so that a record costs nothing in the long run.

    Parameters
    ----------
    evaluator : Evaluator
        What the search evaluates.
    run : Run
        The search.

    Attributes
    ----------
    records : list of dict
        The records kept so far.
    """

    def __init__(self, evaluator: Evaluator, run: Run) -> None:
        self.records: list[dict[str, Any]] = []
        self._evaluator = evaluator
        self._run = run
        self._every = 1

    def is_due(self) -> bool:
        """Return whether the search's current step should be recorded.

        Returns
        -------
        due : bool
            True once every few steps.
        """
        return self._run.step % self._every == 0

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
            "step": self._run.step,
            "n_evaluations": self._evaluator.n_evaluations,
            "best_cost": self._evaluator.best_cost,
            "mean_cost": float(torch.cat(costs).mean()) if costs else math.nan,
        }
        theta = self._run.probabilities()
        if theta is not None:
            entropy = torch.special.entr(theta) + torch.special.entr(1 - theta)
            record["density"] = float(theta.mean())
            record["entropy"] = float(entropy.mean())
        record["seconds"] = self._evaluator.seconds
        return record

    def state_dict(self) -> dict[str, Any]:
        """Return the records and how dense they are.

        Returns
        -------
        state : dict
            Lists and numbers.
        """
        return {"records": list(self.records), "every": self._every}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.records = list(state["records"])
        self._every = state["every"]
