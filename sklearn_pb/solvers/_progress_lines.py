"""A callback that prints how a minimisation goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ProgressLines:
    """Print a line at steps 1, 2, 4, 8, ..., or at every step.

    Parameters
    ----------
    verbose : int
        1 for the former, more for the latter.
    name : str, default="minimize"
        What each line begins with.
    then : callable, default=None
        Another callback, which is called afterwards.
    """

    def __init__(
        self,
        verbose: int,
        name: str = "minimize",
        then: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        self.verbose = verbose
        self.name = name
        self.then = then

    def __call__(self, record: dict[str, Any]) -> None:
        """Print the record of a step if its turn has come, and pass it on."""
        step = record["step"]
        run = f"restart {record['restart']}, " if "restart" in record else ""
        if self.verbose > 1 or step & (step - 1) == 0:
            print(
                f"[{self.name}] {run}step {step}, "
                f"{record['n_evaluations']} evaluations, {record['seconds']:.1f} s: "
                f"best cost {record['best_cost']:.6g}, "
                f"mean {record['mean_cost']:.6g}"
            )
        if self.then is not None:
            self.then(record)
