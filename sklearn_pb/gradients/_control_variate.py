"""Score function and pathwise gradient combined by a control variate that is learned.

With l the log-odds, noise logistic, the latent variable ``h = l + noise``, the sample
``z = 1[h > 0]`` and any function c of h,

    (J(z) - c(h)) (z - theta) + c'(h) (1 - dh'/dl)

is an unbiased estimate of dE[J]/dl, where h' is h redrawn given z. Tucker et al. (2017)
and Grathwohl et al. (2018) draw h' from fresh noise; coupled to h it equals h, as the
code of both papers does. Then c is evaluated once, and only dh'/dl is left of h'.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar

import torch
from torch import nn

from ..distributions import (
    Parametrization,
    Sigmoid,
    conditional_derivative,
    log_odds,
    logistic_noise,
)
from ..utils import RandomStream
from ._base import ROWS_AT_ONCE, Costs, GradientEstimate, Traits, parametrized
from ._sample_numbers import check_n_samples
from ._slopes import chunks

_DEFAULTS = RandomStream(0)


class ControlVariate(nn.Module, ABC):
    """A function c of the latent variables, with parameters that can be learned."""

    @abstractmethod
    def forward(self, function: Costs, latent: torch.Tensor) -> torch.Tensor:
        """Return c for each row.

        Parameters
        ----------
        function : callable
            J, for points of [0, 1]^d.
        latent : torch.Tensor of shape (m, d)
            Log-odds plus logistic noise; requires a gradient.

        Returns
        -------
        values : torch.Tensor of shape (m,)
            Differentiable, twice if a parameter needs it, row by row.
        """

    @abstractmethod
    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the parameters that are learned, with options of Adam.

        Parameters
        ----------
        learning_rate : float
            That of the logits.

        Returns
        -------
        groups : list of dict
            Parameter groups of `torch.optim.Adam`.
        """

    def constrain_(self) -> None:
        """Bring parameters back into their range after a step, in place."""


class LearnedEstimator(ABC):
    """A gradient estimator with a control variate.

    Called as it is, it keeps the parameters that it is made with. `start` begins a run
    that learns them while it is used, by descending the variance of its estimates.

    Attributes
    ----------
    traits : Traits
        Unbiased, whatever the parameters; needs a differentiable J.
    """

    traits: ClassVar[Traits] = Traits(needs_relaxable=True)

    @abstractmethod
    def check(self) -> None:
        """Raise if a setting is out of its range."""

    @abstractmethod
    def control_variate(self, n_variables: int, stream: RandomStream) -> ControlVariate:
        """Return the control variate at its start.

        Parameters
        ----------
        n_variables : int
            The number d of variables.
        stream : RandomStream
            Where its first parameters are drawn from.

        Returns
        -------
        control_variate : ControlVariate
            A new object.
        """

    def start(
        self,
        n_variables: int,
        stream: RandomStream = _DEFAULTS,
        *,
        learning_rate: float = 0.1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> EstimatorRun:
        """Begin a run that learns.

        Parameters
        ----------
        n_variables : int
            The number d of variables.
        stream : RandomStream, default=RandomStream(0)
            Where the first parameters are drawn from.
        learning_rate : float, default=0.1
            That of the logits, which the parameters are learned with too.
        device : torch.device or str, default="cpu"
            Where the logits lie.
        dtype : torch.dtype, default=torch.float32
            Type of the logits.

        Returns
        -------
        run : EstimatorRun
            A gradient estimator with a state.
        """
        self.check()
        control = self.control_variate(n_variables, stream).to(device, dtype)
        return EstimatorRun(control, learning_rate)

    def __call__(
        self,
        function: Costs,
        logits: torch.Tensor,
        stream: RandomStream,
        *,
        n_samples: int = 10,
        parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    ) -> GradientEstimate:
        """Estimate the gradient of E[J(z)], learning nothing.

        Parameters
        ----------
        function : callable
            J: maps (m, d) points to (m,) costs, differentiable in them.
        logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
            Where the gradient is taken.
        stream : RandomStream
            The address of the draws; give another one each step.
        n_samples : int, default=10
            Number of samples, at least 1, each evaluated as it is and relaxed.
        parametrization : Parametrization, default=Sigmoid()
            The map from logits to probabilities.

        Returns
        -------
        estimate : GradientEstimate
            Unbiased. Costs of shape (n_samples,), those of the samples.

        Raises
        ------
        ValueError
            If n_samples < 1, or the costs carry no gradient.
        """
        self.check()
        check_n_samples(n_samples, self, type(self).__name__)
        control = self.control_variate(logits.shape[-1], _DEFAULTS)
        control.to(logits.device, logits.dtype)
        estimate, _ = _estimate(
            function, logits, stream, n_samples, parametrization, control, ()
        )
        return estimate


class EstimatorRun:
    """A gradient estimator that learns its control variate at every call.

    Parameters
    ----------
    control_variate : ControlVariate
        What is learned.
    learning_rate : float
        That of the logits.

    Attributes
    ----------
    traits : Traits
        Those of the estimator that began it.
    control_variate : ControlVariate
        As it is now.
    """

    traits: ClassVar[Traits] = LearnedEstimator.traits

    def __init__(self, control_variate: ControlVariate, learning_rate: float) -> None:
        self.control_variate = control_variate
        groups = control_variate.groups(learning_rate)
        self._optimizer = torch.optim.Adam(groups, lr=learning_rate)
        self._learned = [p for group in groups for p in group["params"]]

    def __call__(
        self,
        function: Costs,
        logits: torch.Tensor,
        stream: RandomStream,
        *,
        n_samples: int = 10,
        parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    ) -> GradientEstimate:
        """Estimate the gradient of E[J(z)], then learn from the same samples.

        Parameters
        ----------
        function : callable
            J: maps (m, d) points to (m,) costs, differentiable in them.
        logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
            Where the gradient is taken.
        stream : RandomStream
            The address of the draws; give another one each step.
        n_samples : int, default=10
            Number of samples, at least 1, each evaluated as it is and relaxed.
        parametrization : Parametrization, default=Sigmoid()
            The map from logits to probabilities.

        Returns
        -------
        estimate : GradientEstimate
            Unbiased: made before the control variate has seen these samples. Costs of
            shape (n_samples,), those of the samples.

        Raises
        ------
        ValueError
            If n_samples < 1, or the costs carry no gradient.
        """
        check_n_samples(n_samples, self, type(self).__name__)
        estimate, gradients = _estimate(
            function,
            logits,
            stream,
            n_samples,
            parametrization,
            self.control_variate,
            self._learned,
        )
        for parameter, gradient in zip(self._learned, gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()
        self.control_variate.constrain_()
        return estimate

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later.

        Returns
        -------
        state : dict
            Copies of the parameters and of the optimizer's state.
        """
        return {
            "control_variate": deepcopy(dict(self.control_variate.state_dict())),
            "optimizer": deepcopy(self._optimizer.state_dict()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.control_variate.load_state_dict(state["control_variate"])
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))


def _estimate(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    n_samples: int,
    parametrization: Parametrization,
    control: ControlVariate,
    learned: Sequence[torch.Tensor],
) -> tuple[GradientEstimate, list[torch.Tensor]]:
    """The estimate, and the gradients of its variance for what is learned."""
    odds = log_odds(parametrization.probabilities(logits).detach())
    total, costs = torch.zeros_like(odds), []
    gradients = [torch.zeros_like(parameter) for parameter in learned]
    for part in chunks(n_samples, len(odds), ROWS_AT_ONCE):
        latent = odds + logistic_noise(stream, part, odds)
        cost = function((latent > 0).to(odds)).detach()
        with torch.enable_grad():
            terms = _terms(function, cost, latent, odds, control, bool(learned))
            if learned:
                _add_slopes(gradients, terms.square().sum() / n_samples, learned)
        total += terms.detach().sum(dim=0) / n_samples
        costs.append(cost)
    return parametrized(total, torch.cat(costs), logits, parametrization), gradients


def _terms(
    function: Costs,
    cost: torch.Tensor,
    latent: torch.Tensor,
    odds: torch.Tensor,
    control: ControlVariate,
    differentiable: bool,
) -> torch.Tensor:
    """The estimate (m, d) of each sample."""
    latent.requires_grad_()
    value = control(function, latent)
    (slope,) = torch.autograd.grad(value.sum(), latent, create_graph=differentiable)
    latent = latent.detach()
    score = (latent > 0).to(odds) - torch.sigmoid(odds)
    pathwise = slope * (1 - conditional_derivative(latent, odds))
    return (cost - value)[:, None] * score + pathwise


def _add_slopes(
    totals: list[torch.Tensor], loss: torch.Tensor, learned: Sequence[torch.Tensor]
) -> None:
    # The mean of an unbiased estimate is fixed: its mean square is its variance, up to
    # a constant.
    slopes = torch.autograd.grad(loss, learned, allow_unused=True)
    for total, slope in zip(totals, slopes, strict=True):
        if slope is not None:
            total += slope
