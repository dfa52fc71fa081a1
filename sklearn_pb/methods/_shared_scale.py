"""Steps of one scale for all variables, so that they keep the gradient's direction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

_TINY = 1e-30  # a gradient that is zero so far makes no step


class SharedScale(torch.optim.Optimizer):
    """Adam with one mean square for all of a tensor, in place of one an entry.

    Parameters
    ----------
    parameters : iterable of torch.Tensor
        What is trained.
    lr : float
        Root mean square of a step, as long as the gradient stays as large.
    momentum : float
        Memory of the running mean of the gradients, in [0, 1).
    smoothing : float
        Memory of the running mean square, in [0, 1).
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        lr: float,
        momentum: float,
        smoothing: float,
    ) -> None:
        super().__init__(
            parameters, {"lr": lr, "momentum": momentum, "smoothing": smoothing}
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take a step.

        Parameters
        ----------
        closure : None
            Not used.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, group)

    def _move(self, p: torch.Tensor, gradient: torch.Tensor, group: dict) -> None:
        state: dict[str, Any] = self.state[p]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(p)
            state["square"] = p.new_zeros(())
        state["step"] += 1
        remembered, smoothed = group["momentum"], group["smoothing"]
        size = torch.linalg.vector_norm(gradient).square_().div_(p.numel())
        state["square"].lerp_(size, 1 - smoothed)
        state["mean"].lerp_(gradient, 1 - remembered)
        scale = state["square"].div(1 - smoothed ** state["step"]).sqrt_().add_(_TINY)
        rate = group["lr"] / (1 - remembered ** state["step"])
        p.addcdiv_(state["mean"], scale, value=-rate)
