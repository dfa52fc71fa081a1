"""The parts of a run of masked training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phases:
    """The parts of a run, in steps: dense, then searching, then the mask frozen.

    Parameters
    ----------
    search : int
        First step of the search.
    freeze : int
        First step with the mask frozen.
    total : int
        Number of steps.
    """

    search: int
    freeze: int
    total: int

    @classmethod
    def from_fractions(cls, total: int, warmup: float, finetune: float) -> Phases:
        """Return the phases of a run of `total` steps.

        Parameters
        ----------
        total : int
            Number of steps.
        warmup, finetune : float
            Fractions of it before and after the search; the search keeps at least one
            step.

        Returns
        -------
        phases : Phases
            In steps.
        """
        search = min(round(warmup * total), max(total - 1, 0))
        return cls(search, max(search + 1, total - round(finetune * total)), total)

    def progress(self, step: int) -> float:
        """Return the fraction of the search done at a step of it.

        Parameters
        ----------
        step : int
            Number of the step.

        Returns
        -------
        progress : float
            0 at the first step of the search, 1 at the last.
        """
        return (step - self.search) / max(1, self.freeze - 1 - self.search)
