"""Two temperatures: a sharp mask in the forward pass, a soft slope in the backward."""

from __future__ import annotations

from typing import Any

import torch

from ..constraints import Constraint, QuadraticPull
from ..distributions import Logistic
from ..utils import check_number
from ._base import Function, Method, SearchSpace
from ._logit_search import LogitSearch

_INITIAL_DENSITY = 0.999  # every parameter starts above zero
_ROUNDING = 1 + 1e-6  # of the sums that are compared with the target
_INIT = 0  # address of the start below the search's stream


class TwoTemperature(Method):
    """Architecture pruning (AP): learn a nearly binary mask through a softer one.

    Parameters
    ----------
    forward_sharpness : float, default=100.0
        The inverse temperature t_l: the mask is sigma(t_l w).
    backward_sharpness : float, default=10.0
        The inverse temperature t_s, at most t_l: the derivative of the mask by w is
        taken to be that of sigma(t_s w). With t_s = t_l the gradient is exact, and
        vanishes almost everywhere.
    initial_scale : float, default=0.02
        The parameters w start at absolute values of normal draws of this size.
    freeze_at_target : bool, default=True
        Whether the parameters of a group stay where they are once no more of them are
        positive than the sparsity asks for.
    learning_rate : float, default=0.003
        Size of a step of w (RMSprop).
    smoothing : float, default=0.9
        Memory of RMSprop, in [0, 1).

    Notes
    -----
    Colombo and Gao (2021), algorithms A.1 and A.3, with `QuadraticPull` where no
    constraint is given. The derivative t_s sigma'(t_s w) is that of their equation (7);
    (15) leaves out the factor t_s. They tune the pull until the target is reached in
    time; with a sparsity, ours is steered there.

    Examples
    --------
    >>> from sklearn_pb.methods import TwoTemperature
    >>> TwoTemperature(forward_sharpness=1000.0).default_constraint()
    QuadraticPull()
    """

    needs_relaxable = True

    def __init__(
        self,
        *,
        forward_sharpness: float = 100.0,
        backward_sharpness: float = 10.0,
        initial_scale: float = 0.02,
        freeze_at_target: bool = True,
        learning_rate: float = 0.003,
        smoothing: float = 0.9,
    ) -> None:
        self.forward_sharpness = forward_sharpness
        self.backward_sharpness = backward_sharpness
        self.initial_scale = initial_scale
        self.freeze_at_target = freeze_at_target
        self.learning_rate = learning_rate
        self.smoothing = smoothing

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.forward_sharpness, "forward_sharpness", low=0, low_open=True)
        check_number(
            self.backward_sharpness,
            "backward_sharpness",
            low=0,
            low_open=True,
            high=self.forward_sharpness,
        )
        check_number(self.initial_scale, "initial_scale", low=0, low_open=True)
        if not isinstance(self.freeze_at_target, bool):
            raise TypeError(
                f"freeze_at_target={self.freeze_at_target!r} must be True or False."
            )
        check_number(self.learning_rate, "learning_rate", low=0, low_open=True)
        check_number(self.smoothing, "smoothing", low=0, high=1, high_open=True)

    def default_constraint(self) -> Constraint:
        """Return the pull towards -1."""
        return QuadraticPull()

    def start(self, space: SearchSpace) -> TwoTemperatureSearch:
        """Begin a search."""
        return TwoTemperatureSearch(space, self)


class TwoTemperatureSearch(LogitSearch):
    """A run of `TwoTemperature`.

    Parameters
    ----------
    space : SearchSpace
        What is masked.
    method : TwoTemperature
        The hyperparameters.
    """

    needs_slope = True

    def __init__(self, space: SearchSpace, method: TwoTemperature) -> None:
        self._step = Logistic()
        super().__init__(
            space, self._step, _INITIAL_DENSITY, method.learning_rate, method.smoothing
        )
        self._sharpness = float(method.forward_sharpness)
        self._softness = float(method.backward_sharpness)
        if space.logits is None:
            self.logits.div_(self._sharpness)
        if space.starts_cold:
            generator = space.stream.child(_INIT).torch_generator(space.device)
            self.logits.normal_(0, method.initial_scale, generator=generator).abs_()
        wanted = space.quota.sparsities if method.freeze_at_target else []
        self._targets = [1 - s for s in wanted if s is not None]  # none, or all
        self._frozen = [False] * len(space.quota.sizes)
        self._mask = torch.empty_like(self.logits)
        self._soft = torch.empty_like(self.logits)

    def mask(self) -> torch.Tensor:
        """Return sigma(t_l w)."""
        return self._step.step_(torch.mul(self.logits, self._sharpness, out=self._mask))

    def probabilities(self) -> torch.Tensor:
        """Return sigma(t_l w)."""
        return self._step.probabilities(self.logits * self._sharpness)

    def scores(self) -> torch.Tensor:
        """Return w."""
        return self.logits.clone()

    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        assert slope is not None
        slope.add_(self._price(lambda: slope.abs())).mul_(self._softness)
        torch.mul(self.logits, self._softness, out=self._soft)
        return self._step.backward_(slope, self._step.step_(self._soft))

    def _move_to(self, position: torch.Tensor) -> None:
        super()._move_to(position)
        self.logits.div_(self._sharpness)

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take one optimizer step on w, but for groups that are frozen."""
        self._freeze()
        if all(self._frozen):
            return
        before = self.logits.clone() if any(self._frozen) else self.logits
        super().update(function, slope)
        sizes = self.space.quota.sizes
        for i, part in enumerate(self.logits.split(sizes)):
            if self._frozen[i]:
                part.copy_(before.split(sizes)[i])

    def _freeze(self) -> None:
        """Freeze the groups that have as few ones as they are to end with."""
        if not self._targets:
            return
        densities = self.space.quota.group_means(self.kept())
        for i, (own, target) in enumerate(zip(densities, self._targets, strict=True)):
            if own <= target * _ROUNDING:
                self._frozen[i] = True

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with what is frozen."""
        return {**super().state_dict(), "frozen": list(self._frozen)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._frozen = list(state["frozen"])
