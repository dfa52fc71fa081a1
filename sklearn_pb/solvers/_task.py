"""One run from its beginning to its result."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import OptimizeResult

from ..budget import Budget, BudgetExhausted, Evaluator
from ..constraints import L0Penalty
from ..functions import PseudoBooleanFunction, with_price
from ..methods import Method
from ..utils import RandomStream
from ._base import Run, Solver, Start
from ._begin import begin
from ._course import Callback, Course, Keeper, RunState, follow

_MESSAGES = {
    "target": "The target cost was reached.",
    "evaluations": "All evaluations of the budget were used.",
    "seconds": "The time of the budget was used.",
    "no_improvement": "The budget's last evaluations brought no better cost.",
    "callback": "The callback stopped the search.",
    "error": "The function did not give one finite cost a row.",
    "optimal": "No point has a lower cost than the one found.",
}


@dataclass(frozen=True)
class Task:
    """A function, a method that fits it, and a budget.

    Parameters
    ----------
    function : PseudoBooleanFunction
        J, without the price of ones.
    method : Method or Solver
        What searches.
    budget : Budget
        The limits.
    stream : RandomStream
        Where every draw comes from.
    price : float, default=0.0
        What each one of a point costs on top.
    penalty : L0Penalty, default=None
        The same price, for methods over logits.
    initial : numpy.ndarray of shape (d,), default=None
        A warm start: probabilities, or a point.
    device : torch.device or str, default="cpu"
        Where methods over logits evaluate.
    begun : float, default=None
        When the clock of the budget started, by ``time.perf_counter()``; None means
        when the run begins.
    """

    function: PseudoBooleanFunction
    method: Method | Solver
    budget: Budget
    stream: RandomStream
    price: float = 0.0
    penalty: L0Penalty | None = None
    initial: np.ndarray | None = None
    device: torch.device | str = "cpu"
    begun: float | None = None

    @property
    def label(self) -> str:
        """What a saved state must agree on."""
        what = f"{self.function._label} of {self.function.n_variables} variables"
        price = f" and {self.penalty!r}" if self.price else ""
        return f"{self.method!r} on {what}{price}"

    def run(
        self,
        callback: Callback | None = None,
        checkpoint: Keeper | None = None,
        state: RunState | None = None,
    ) -> OptimizeResult:
        """Search until the budget ends.

        Parameters
        ----------
        callback : callable, default=None
            Called with the record of each step.
        checkpoint : Keeper, default=None
            Where the state is kept.
        state : RunState, default=None
            What to go on from.

        Returns
        -------
        result : scipy.optimize.OptimizeResult
            See `sklearn_pb.minimize`.

        Raises
        ------
        ValueError
            If the state is of another run.
        ObjectiveError
            If the function failed.
        """
        if state is not None:
            state.check_label(self.label)
        evaluator, start = self._prepare()
        if state is None:
            self._look_first(evaluator, start)
        run = begin(self.method, start)
        parts = None if state is None else state.parts
        course = follow(run, evaluator, callback, checkpoint, parts)
        result = self._result(evaluator, run, course)
        if course.error is not None:
            course.error.result = result  # type: ignore[attr-defined]
            raise course.error
        return result

    def _prepare(self) -> tuple[Evaluator, Start]:
        """The evaluator and the start; solvers get the price within the function."""
        start = Start(
            self.function, self.stream, self.budget, self.initial, device=self.device
        )
        if isinstance(self.method, Solver):
            function = with_price(self.function, self.price)
            evaluator = Evaluator(function, self.budget, begun=self.begun)
            return evaluator, replace(start, function=function)
        evaluator = Evaluator(self.function, self.budget, self.price, self.begun)
        return evaluator, replace(start, penalty=self.penalty)

    def _look_first(self, evaluator: Evaluator, start: Start) -> None:
        """Evaluate the likeliest point of a warm start, or any where time is short.

        So there is a result, however long the method takes to begin.
        """
        if self.initial is None and self.budget.seconds is None:
            return
        point = start.points(1, start.generator()).astype(np.float64)
        with suppress(BudgetExhausted):  # the evaluator will say so again
            evaluator(torch.as_tensor(point, device=self.device))

    def _result(self, evaluator: Evaluator, run: Run, course: Course) -> OptimizeResult:
        if evaluator.best_point is None:
            raise RuntimeError(
                f"{self.method!r} ended ({course.stop_reason}) before it had evaluated "
                "a point of zeros and ones."
            )
        theta = run.probabilities()
        return OptimizeResult(
            x=evaluator.best_point.cpu().numpy().astype(np.int8),
            fun=evaluator.best_cost,
            nfev=evaluator.n_evaluations,
            nit=run.step,
            success=bool(np.isfinite(evaluator.best_cost)),
            status=list(_MESSAGES).index(course.stop_reason),
            message=_MESSAGES[course.stop_reason],
            stop_reason=course.stop_reason,
            probabilities=None if theta is None else theta.cpu().numpy(),
            history=course.history,
            method=self.method,
            state=RunState(self.label, course.state),
            seconds=evaluator.seconds,
        )
