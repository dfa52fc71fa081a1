"""When a search ends."""

from __future__ import annotations

from dataclasses import dataclass

from ..utils import check_number


@dataclass(frozen=True)
class Budget:
    """When a search stops: at the first limit reached.

    Parameters
    ----------
    evaluations : int, default=None
        Number of evaluations of the function.
    seconds : float, default=None
        Wall-clock seconds.
    target : float, default=None
        Stop as soon as a cost at most this is found.
    no_improvement : int, default=None
        Stop after this many evaluations without a better cost.

    Examples
    --------
    >>> from sklearn_pb import Budget
    >>> Budget(evaluations=1000, target=-5.0)
    Budget(evaluations=1000, seconds=None, target=-5.0, no_improvement=None)
    """

    evaluations: int | None = None
    seconds: float | None = None
    target: float | None = None
    no_improvement: int | None = None

    def check(self) -> Budget:
        """Raise if the limits make no sense, and return the budget.

        Returns
        -------
        budget : Budget
            The same object.

        Raises
        ------
        ValueError
            If a limit is not positive, if two contradict, or if nothing ends the
            search for certain.
        """
        for name in ("evaluations", "no_improvement"):
            value = getattr(self, name)
            if value is not None:
                check_number(value, f"Budget.{name}", low=1, integer=True)
        if self.seconds is not None:
            check_number(self.seconds, "Budget.seconds", low=0, low_open=True)
        if self.target is not None:
            check_number(self.target, "Budget.target")
        if self.evaluations is None and self.seconds is None:
            if self.no_improvement is None:
                raise ValueError(
                    f"{self} never ends for certain; give at least one of evaluations, "
                    "seconds, no_improvement."
                )
        elif (
            None not in (self.evaluations, self.no_improvement)
            and self.no_improvement > self.evaluations  # type: ignore[operator]
        ):
            raise ValueError(
                f"Budget.no_improvement={self.no_improvement} can never be reached "
                f"with Budget.evaluations={self.evaluations}; it must not be larger."
            )
        return self


class BudgetExhausted(Exception):
    """Raised by an `Evaluator` to end a search.

    Parameters
    ----------
    reason : str
        The limit that was reached: a field of `Budget`, or a caller's own word.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
