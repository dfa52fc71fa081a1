"""L-BFGS for a batch of smooth convex problems, solved side by side."""

from __future__ import annotations

from typing import Protocol

import torch

_MEMORY = 10
_SUFFICIENT_DECREASE = 1e-4
_MOST_HALVINGS = 30
# Steps before which the preconditioner is asked to fit the current point better.
_REFRESHES = (4, 14)


class BatchedProblem(Protocol):
    """Convex losses of parameters theta (rows, p, m), smooth in logits linear in them.

    Notes
    -----
    `refresh` may improve `precondition` for the curvature at the given logits.
    """

    def start(self) -> torch.Tensor: ...

    def to_logits(self, theta: torch.Tensor) -> torch.Tensor: ...

    def loss(self, theta: torch.Tensor, logits: torch.Tensor) -> torch.Tensor: ...

    def gradient(self, theta: torch.Tensor, logits: torch.Tensor) -> torch.Tensor: ...

    def precondition(self, gradient: torch.Tensor) -> torch.Tensor: ...

    def refresh(self, logits: torch.Tensor) -> None: ...


class BatchedLbfgs:
    """The state of the search, of which every row stops on its own.

    Parameters
    ----------
    problem : BatchedProblem
        The losses. Logits have the shape (n, rows, m).

    Attributes
    ----------
    theta, logits, loss, gradient : torch.Tensor
        The current point of each row and what belongs to it.
    done : torch.Tensor of bool, shape (rows,)
        The rows that met the tolerance.
    """

    def __init__(self, problem: BatchedProblem) -> None:
        self.problem = problem
        self.theta = problem.start()
        self.logits = problem.to_logits(self.theta)
        self.loss = problem.loss(self.theta, self.logits)
        self.gradient = problem.gradient(self.theta, self.logits)
        self.done = torch.zeros_like(self.loss, dtype=torch.bool)
        self._pairs: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def run(self, max_iter: int, largest_gradient: float) -> None:
        """Step until the gradient of every row is small.

        Parameters
        ----------
        max_iter : int
            Most steps.
        largest_gradient : float
            The Euclidean norm of the gradient at which a row is done.
        """
        for step in range(max_iter + 1):
            square = dot(self.gradient, self.gradient)
            self.done = square <= largest_gradient**2
            if step == max_iter or bool(self.done.all()):
                return
            if step in _REFRESHES:
                self.problem.refresh(self.logits)
            self._step(self._direction())

    def _direction(self) -> torch.Tensor:
        """The two-loop recursion."""
        q = self.gradient
        amounts = []
        for s, y, inverse in reversed(self._pairs):
            amounts.append(inverse * dot(s, q))
            q = q - column(amounts[-1]) * y
        q = self.problem.precondition(q)
        for s, y, inverse in self._pairs:
            q = q + column(amounts.pop() - inverse * dot(y, q)) * s
        return -q

    def _step(self, direction: torch.Tensor) -> None:
        change = self.problem.to_logits(direction)
        slope = dot(self.gradient, direction)
        size = (~self.done).to(self.loss.dtype)
        for _ in range(_MOST_HALVINGS):
            theta = self.theta + column(size) * direction
            logits = self.logits + size[:, None] * change
            loss = self.problem.loss(theta, logits)
            allowed = self.loss + _SUFFICIENT_DECREASE * size * slope
            # Close to the minimum the decrease drowns in rounding.
            failed = loss > allowed + 1e-14 * (1 + self.loss.abs())
            if not bool(failed.any()):
                break
            size = torch.where(failed, size / 2, size)
        gradient = self.problem.gradient(theta, logits)
        self._remember(theta - self.theta, gradient - self.gradient)
        self.theta, self.logits, self.loss = theta, logits, loss
        self.gradient = gradient

    def _remember(self, s: torch.Tensor, y: torch.Tensor) -> None:
        # Rows that stand still have a zero product, and their pair no weight.
        product = dot(s, y)
        inverse = torch.where(product > 0, 1 / product.clamp_min(1e-300), 0.0)
        self._pairs = [*self._pairs[-(_MEMORY - 1) :], (s, y, inverse)]


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the inner products (rows,) of two (rows, p, m) tensors."""
    return (a * b).sum((1, 2))


def column(values: torch.Tensor) -> torch.Tensor:
    """Return (rows,) values as (rows, 1, 1)."""
    return values[:, None, None]
