"""The contract of quantization methods: hyperparameters that start a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator

from ..utils import RandomStream
from ._activations import Activations
from ._precision_groups import PrecisionGroups
from ._precision_target import PrecisionTarget
from ._quantized_tensor import QuantizedTensor


@dataclass(frozen=True)
class PrecisionOptions:
    """What all methods are told about precisions; one ignores what it has not.

    Parameters
    ----------
    initial_bits : float
        Bits at the start of the search, above 1; the bits of a method that searches
        for none.
    rounding : {"floor", "round", "ceil"}
        How a real number of bits becomes a whole one.
    widths : tuple of int or None
        The widths that may be used, rising; None allows all from 1 to 16.
    zero_precision : bool
        Whether a weight that is nearer to zero than to its code takes zero bits.
    scale : {None, "layer", "channel", "learned"}
        What codes are scaled by: nothing, the range of the layer or of the output
        channel, or a number a layer that is trained.
    """

    initial_bits: float = 8.0
    rounding: str = "floor"
    widths: tuple[int, ...] | None = None
    zero_precision: bool = True
    scale: str | None = "layer"


@dataclass(frozen=True)
class QuantizationSpace:
    """What a run needs to know about the weights that it quantizes.

    Parameters
    ----------
    weights : sequence of torch.Tensor
        The parameters, as they are when the run starts.
    groups : sequence of PrecisionGroups
        Which entries of each share a precision.
    channel_axes : sequence of int
        The axis of the output channels of each.
    uses : sequence of float
        Multiplications that one entry of each takes part in, for a row.
    alive : sequence of torch.Tensor of bool or None
        Entries that may be other than zero; None is all.
    options : PrecisionOptions
        What the user wants of precisions.
    target : PrecisionTarget
        The size or the energy to end with, or the price of a bit.
    stream : RandomStream
        Where every draw comes from.
    n_steps : int
        Training steps of the search.
    """

    weights: Sequence[torch.Tensor]
    groups: Sequence[PrecisionGroups]
    channel_axes: Sequence[int]
    uses: Sequence[float]
    alive: Sequence[torch.Tensor | None]
    options: PrecisionOptions
    target: PrecisionTarget
    stream: RandomStream
    n_steps: int


class QuantizationRun(ABC):
    """One run of a method, from noisy or rounded weights to codes.

    A training step is: `advance`, `lend` for the forward pass, `collect` after the
    backward pass, a step of the network's optimizer, `confine_`. The search ends with
    `freeze`; from then on precisions are fixed, and the weights are fine-tuned.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.

    Attributes
    ----------
    step : int
        Number of the current step, from 0.
    progress : float
        Fraction of the search done, in [0, 1].
    frozen : bool
        Whether precisions are final.
    strength : float or None
        The price of a bit now, averaged over weights; None without a price.
    uncounted_bits : int
        Bits that a weight has besides those that its codes are counted with.
    """

    uncounted_bits = 0

    def __init__(self, space: QuantizationSpace) -> None:
        self.space = space
        self.step = 0
        self.progress = 0.0
        self.frozen = False
        self.strength: float | None = None

    def advance(self, progress: float) -> None:
        """Begin a step.

        Parameters
        ----------
        progress : float
            Fraction of the search done, in [0, 1]; 1 in the fine-tuning.
        """
        self.progress = progress
        self.step += 1

    @abstractmethod
    def lend(
        self,
        weights: Sequence[torch.Tensor],
        out: Sequence[torch.Tensor],
        training: bool,
    ) -> None:
        """Write the values that a forward pass runs with.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights in full precision.
        out : sequence of torch.Tensor
            Overwritten, in the same shapes.
        training : bool
            False asks for the weights that the run would end with now.
        """

    @abstractmethod
    def collect(
        self,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor | None],
    ) -> None:
        """Learn from a training pass.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights in full precision.
        gradients : sequence of torch.Tensor or None
            Of the loss by the values that were lent; turned in place into those by
            the weights. None where a weight was not used.
        """

    def confine_(self, weights: Sequence[torch.Tensor]) -> None:  # noqa: B027 (a hook)
        """Bring weights back to where they can be coded, after an optimizer step.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            Changed in place; left alone here.
        """

    def freeze(self, weights: Sequence[torch.Tensor]) -> None:
        """End the search: fix the precisions.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights in full precision.
        """
        self.frozen = True

    @abstractmethod
    def quantize(self, weights: Sequence[torch.Tensor]) -> list[QuantizedTensor]:
        """Return what the run would end with now.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights in full precision.

        Returns
        -------
        quantized : list of QuantizedTensor
            On the CPU.
        """

    @abstractmethod
    def mean_bits(self) -> float:
        """Return how many bits a weight has at this moment.

        Returns
        -------
        bits : float
            As the papers count them.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later.

        Returns
        -------
        state : dict
            Numbers and tensors.
        """
        return {"step": self.step, "progress": self.progress, "frozen": self.frozen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.step = state["step"]
        self.progress = state["progress"]
        self.frozen = state["frozen"]


class Quantization(BaseEstimator, ABC):
    """Hyperparameters of a way to quantize; `start` begins a run with them.

    Attributes
    ----------
    learns_precision : bool
        Whether it finds precisions itself, towards a target; others use the number
        of bits that they are given.
    trains : bool
        Whether it takes part in the training; if not, it rounds a trained network.
    """

    learns_precision: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    @abstractmethod
    def check(self) -> None:
        """Raise a clear error if a hyperparameter is out of its range."""

    @abstractmethod
    def start(self, space: QuantizationSpace) -> QuantizationRun:
        """Begin a run.

        Parameters
        ----------
        space : QuantizationSpace
            The weights, what is wanted of them, and the random draws.

        Returns
        -------
        run : QuantizationRun
            Its state.
        """

    def default_activations(self) -> Activations | None:
        """Return how activations are quantized where nobody says how.

        Returns
        -------
        activations : Activations or None
            None, unless the method is one for activations, too.
        """
        return None
