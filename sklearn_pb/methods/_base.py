"""The contract of methods: hyperparameters that start a search over masks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator

from ..constraints import Constraint, L0Penalty, Quota
from ..utils import RandomStream
from ._sampled_masks import SampledMasks
from ._soft_mask import SoftMask
from ._weights import Weights

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class SearchSpace:
    """What a search needs to know about the variables it masks.

    Parameters
    ----------
    n_variables : int
        The number d of mask variables.
    stream : RandomStream
        Where every draw of the search comes from.
    quota : Quota, default=None
        How many ones are wanted at the end, and which variables compete; None leaves
        the number open.
    constraint : Constraint, default=None
        The price of a one, or another limit on the probabilities; None is no limit.
    weights : Weights, default=None
        What the variables mask; None where there are no weights (a pseudo-Boolean
        function).
    device : torch.device or str, default="cpu"
        Where the mask lives.
    dtype : torch.dtype, default=torch.float32
        Type of the mask.
    probabilities : torch.Tensor of shape (d,), default=None
        A warm start for the probability of a one of each variable, in (0, 1).
    logits : torch.Tensor of shape (d,), default=None
        Instead, where a search starts in its own parametrization, as it is: the logits
        of learned masks. -inf is a zero for good, also for methods that rank.
    """

    n_variables: int
    stream: RandomStream
    quota: Quota = field(default=None)  # type: ignore[assignment]
    constraint: Constraint | None = None
    weights: Weights | None = None
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32
    probabilities: torch.Tensor | None = None
    logits: torch.Tensor | None = None

    def __post_init__(self) -> None:
        """Without a quota, the number of ones is open."""
        quota = self.quota or Quota([self.n_variables])
        object.__setattr__(self, "quota", quota)

    @property
    def sparsity(self) -> float | None:
        """Fraction of zeros wanted at the end, by what each costs, or None."""
        return self.quota.cost_sparsity

    @property
    def starts_cold(self) -> bool:
        """Whether the method itself says where a search starts."""
        return self.probabilities is None and self.logits is None


class Search(ABC):
    """One run of a method: a mask that changes step by step until it is hardened.

    A step is: `advance`, `mask` for the forward pass, `update`. A subclass implements
    `mask`, `update` and `scores`.

    Parameters
    ----------
    space : SearchSpace
        What is masked.

    Attributes
    ----------
    needs_slope : bool
        Whether `update` wants the slope of the cost by the mask of the forward pass.
    interval : int
        Training steps that share one step of the search, where steps are cheap.
    step : int
        Number of the current step, from 0.
    progress : float
        Fraction of the search done, in [0, 1].
    """

    needs_slope: ClassVar[bool] = False

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.interval = 1
        self.step = 0
        self.progress = 0.0
        self._step_size = 0.0

    def advance(self, progress: float) -> None:
        """Begin a step.

        Parameters
        ----------
        progress : float
            Fraction of the search done, in [0, 1].
        """
        self._step_size = max(0.0, progress - self.progress)
        self.progress = progress
        self.step += 1

    @abstractmethod
    def mask(self) -> torch.Tensor:
        """Return the mask of this step's forward pass.

        Returns
        -------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1], without a gradient of its own.
        """

    def sampled(self) -> SampledMasks | None:
        """Return the masks of this step that `update` will want the costs of.

        Returns
        -------
        sampled : SampledMasks or None
            With it, a trainer can run them in the training pass; None if there is no
            more than `mask`, or if it is not known yet.
        """
        return None

    def soft_mask(self) -> SoftMask | None:
        """Return what a trainer needs to compute and step the mask by itself.

        Returns
        -------
        soft : SoftMask or None
            In place of `mask` and `update`, for this training step; None where only
            the search can do it.
        """
        return None

    @abstractmethod
    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Learn from the cost.

        Parameters
        ----------
        function : callable or None
            J: maps (m, d) binary points to (m,) costs, without gradients.
        slope : torch.Tensor of shape (d,) or None
            dJ/dmask at `mask`, if `needs_slope`; may be overwritten.
        """

    @abstractmethod
    def scores(self) -> torch.Tensor:
        """Return how much each variable deserves to be one.

        Returns
        -------
        scores : torch.Tensor of shape (d,)
            Higher is kept longer; at least 0 where the method itself says one.
        """

    def kept(self) -> torch.Tensor:
        """Return what each variable counts for in the density.

        Returns
        -------
        kept : torch.Tensor of shape (d,)
            In [0, 1].
        """
        return self.mask()

    def density(self) -> float:
        """Return the fraction of ones that the mask is heading for.

        Returns
        -------
        density : float
            In [0, 1]; what a penalty is steered by.
        """
        return float(self.kept().mean())

    def harden(self) -> torch.Tensor:
        """Return the binary mask that the search ends with.

        Returns
        -------
        mask : torch.Tensor of bool, shape (d,)
            What the quota promises if a sparsity was asked for, else the variables
            whose score is at least 0.
        """
        return self.space.quota.select(self.scores())

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later.

        Returns
        -------
        state : dict
            Numbers and tensors.
        """
        return {"step": self.step, "progress": self.progress}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.step = state["step"]
        self.progress = state["progress"]


class Method(BaseEstimator, ABC):
    """Hyperparameters of a way to find a mask; `start` begins a search with them.

    Attributes
    ----------
    needs_weights : bool
        Whether the method ranks network weights (and so needs a network).
    needs_relaxable : bool
        Whether the cost must be differentiable by the mask.
    learns : bool
        Whether the mask is learned from the cost, so that a penalty can steer it.
    needs_sparsity : bool
        Whether a search cannot start where the number of ones is open.
    knows_count : bool
        Whether the method brings its own number of ones, so that none may be asked for.
    fits_networks : bool
        Whether it can mask a network of any size in training.
    most_variables : int or None
        The largest d that a search takes; None is no limit.
    """

    fits_networks: ClassVar[bool] = True
    most_variables: ClassVar[int | None] = None
    needs_weights: ClassVar[bool] = False
    needs_relaxable: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    needs_sparsity: ClassVar[bool] = False
    knows_count: ClassVar[bool] = False

    @abstractmethod
    def check(self) -> None:
        """Raise a clear error if a hyperparameter is out of its range."""

    @abstractmethod
    def start(self, space: SearchSpace) -> Search:
        """Begin a search.

        Parameters
        ----------
        space : SearchSpace
            What is masked, towards which sparsity, with which random draws.

        Returns
        -------
        search : Search
            The state of the run.
        """

    def default_constraint(self) -> Constraint | None:
        """Return the constraint that is used where none is given.

        Returns
        -------
        constraint : Constraint or None
            An L0 penalty for a learned mask, else None.
        """
        return L0Penalty() if self.learns else None
