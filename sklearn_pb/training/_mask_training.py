"""Drive a mask search through a skorch net's own training loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from skorch import NeuralNet

from ..exceptions import ObjectiveError, SparsityWarning
from ..methods import Search
from ._batch_function import BatchFunction
from ._masked_module import MaskedModule
from ._phased_training import PhasedTraining
from ._sampled_pass import SampledPass
from ._soft_pass import SoftPass


class MaskTraining(PhasedTraining):
    """Give each training step its mask, and the search what the step has shown.

    Parameters
    ----------
    masked : MaskedModule
        The network in training.
    start_search : callable
        Begins the search when it is due (after a dense warm-up).
    warmup, finetune : float
        Fractions of the steps before and after the search.

    Attributes
    ----------
    search : Search or None
        The search, once it has begun.
    wanted : float or None
        The fraction of zeros to end with, for the lines of progress.
    """

    def __init__(
        self,
        masked: MaskedModule,
        start_search: Callable[[], Search],
        warmup: float,
        finetune: float,
    ) -> None:
        super().__init__(masked, warmup, finetune)
        self.masked = masked
        self.start_search = start_search
        self.search: Search | None = None
        self._soft = SoftPass(masked)
        self.wanted: float | None = None
        self._density: float | None = None  # of a run that went on, until it is known
        self._layer_sparsity: dict[str, float] | None = None  # the same

    def search_state(self) -> dict[str, Any]:
        """Return copies of the search, or the mask that it ended with."""
        return {
            "search": deepcopy(self.search.state_dict()) if self.search else None,
            "mask": self.masked.mask if self.frozen else None,
        }

    def restore_search(self, state: dict[str, Any]) -> None:
        """Put the search back."""
        if state["mask"] is not None:
            self.masked.mask = state["mask"]
        elif state["search"] is not None:
            assert self.search is not None
            self.search.load_state_dict(state["search"])
        else:
            self.search = None

    def on_batch_begin(
        self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Set the mask of the step."""
        if not training or self.frozen:
            return
        assert self._phases is not None
        if self._step >= self._phases.freeze:
            self.freeze()
        elif self._step >= self._phases.search:
            if self.search is None:
                self.search = self.start_search()
            if self._due():
                self._density = self._layer_sparsity = None
                self.search.advance(self._phases.progress(self._step))
                if not self._soft.begin(self.search.soft_mask()):
                    self.masked.mask = self.search.mask()
                    sampled = self.search.sampled()
                    self.masked.runner = sampled and SampledPass(self.masked, sampled)
            wanted = self.search.needs_slope and self._due()
            if self.masked.wants_slope != wanted:
                self.masked.wants_slope = wanted

    def on_grad_computed(
        self, net: NeuralNet, named_parameters: Any = None, batch: Any = None, **kw: Any
    ) -> None:
        """Let the search learn from the batch."""
        if self._soft.collect():
            return
        slope = self.masked.collect()
        seen, self.masked.runner = self.masked.runner, None
        if self.frozen or self.search is None or not self._due():
            return
        try:
            with torch.no_grad(), self.processes.apart(net):
                function = BatchFunction(net, self.masked, batch, seen)
                self.search.update(self.processes.function(function), slope)
        except ObjectiveError as error:
            raise self._lost(net, "nan or infinite", self._step + 1) from error

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record how sparse the mask is."""
        net.history.record("phase", self.phase)
        net.history.record("sparsity", 1 - self.density())
        net.history.record("layer_sparsity", self.layer_sparsity())
        strength = getattr(self.search, "strength", None)
        if strength is not None:
            net.history.record("strength", strength)

    @property
    def phase(self) -> str:
        """ "warm-up", "search" or "frozen"."""
        if self.frozen:
            return "frozen"
        return "search" if self.search is not None else "warm-up"

    def freeze(self, warn: bool = True) -> None:
        """Harden the mask for good."""
        if self.search is None:
            self.search = self.start_search()
        if warn and self.search.space.quota.counts is not None:
            self._warn_if_far(self.search)
        self._density = self._layer_sparsity = None
        hard = self.search.harden()
        if warn and not hard.any():
            self._warn_of_nothing(self.search)
        self.masked.mask = hard.to(self.search.space.dtype)
        self.masked.wants_slope = False
        self.frozen = True

    def _due(self) -> bool:
        """Whether the search takes a step of its own at this training step."""
        assert self.search is not None and self._phases is not None
        return (self._step - self._phases.search) % self.search.interval == 0

    def density(self) -> float:
        """Return the fraction of ones that the mask has or is heading for.

        Returns
        -------
        density : float
            In [0, 1].
        """
        if self._density is not None:
            return self._density
        if self.frozen:
            assert self.masked.mask is not None
            return float(self.masked.mask.mean())
        return 1.0 if self.search is None else self.search.density()

    def layer_sparsity(self) -> dict[str, float]:
        """Return the fraction of zeros by layer that the mask has or is heading for.

        Returns
        -------
        layer_sparsity : dict of str to float
            By the name of the layer; each variable counts alike.
        """
        if self._layer_sparsity is not None:
            return self._layer_sparsity
        layout = self.masked.layout
        if self.frozen:
            assert self.masked.mask is not None
            return layout.layer_sparsity(self.masked.mask)
        if self.search is None:
            return dict.fromkeys(layout.layer_names, 0.0)
        return layout.layer_sparsity(self.search.kept())

    def hardened(self) -> torch.Tensor:
        """Return the mask that a run would have which ended here.

        Returns
        -------
        mask : torch.Tensor of shape (d,)
            Zeros and ones; only ones in the warm-up.
        """
        if self.frozen:
            assert self.masked.mask is not None
            return self.masked.mask
        if self.search is None:
            layout = self.masked.layout
            like = layout.parameters(self.masked.module)[0]
            return torch.ones(layout.n_variables, device=like.device)
        return self.search.harden().to(self.search.space.dtype)

    def settle(self) -> None:
        """Make batch norms fit for evaluation under the final mask."""
        assert self.masked.mask is not None
        with torch.no_grad():
            self.masked.lend()
            super().settle()
            self.masked.weights.take_back()

    def bake(self) -> None:
        """Write the hardened mask into the weights."""
        self.masked.mask = self.hardened()
        self.masked.bake()

    def status(self, record: dict[str, Any]) -> str:
        """Return the sparsity, and the price of a weight."""
        text = f"zeros {record['sparsity']:.1%}"
        if self.wanted is not None:
            text += f" of {self.wanted:.1%}"
        if "strength" in record:
            text += f", price {record['strength']:.2g}"
        return text

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on between two steps."""
        return {
            "step": self._step,
            "frozen": self.frozen,
            "mask": self.masked.mask,
            "density": self.density(),
            "layer_sparsity": self.layer_sparsity(),
            "search": self.search.state_dict() if self.search else None,
        }

    def finished_state(self) -> dict[str, Any]:
        """Return the mask, with the number of the step."""
        assert self.masked.mask is not None
        return {**self.state_dict(), "search": None, "mask": self.masked.mask.bool()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._step = state["step"]
        self.frozen = state["frozen"]
        mask = state["mask"]
        self.masked.mask = None if mask is None else mask.clone()
        if mask is not None and mask.dtype == torch.bool:  # as a whole run leaves it
            self.masked.mask = mask.to(self.masked.weights.parameters[0].dtype)
        self._density = state["density"]
        self._layer_sparsity = state.get("layer_sparsity")  # None in older files
        if state["search"] is None:
            self.search = None
            return
        if self.search is None:
            self.search = self.start_search()
        self.search.load_state_dict(deepcopy(state["search"]))

    def _warn_of_nothing(self, search: Search) -> None:
        quota = search.space.quota
        reason = (
            "the sparsity that was asked for leaves none of them; ask for less"
            if quota.counts is not None
            else "the price of a one outweighed them all; lower it, or set a sparsity"
        )
        warnings.warn(
            f"the mask keeps nothing of its {quota.n_variables} variables, so that all "
            f"masked weights are zero: {reason}.",
            SparsityWarning,
            stacklevel=2,
        )

    def _warn_if_far(self, search: Search) -> None:
        sparsity = search.space.sparsity
        if getattr(search, "strength", None) is None or sparsity is None:
            return
        own, wanted = self.density(), 1 - sparsity
        if not wanted / 2 <= own <= 2 * wanted:
            warnings.warn(
                f"the learned mask keeps {own:.2%} of the weights by itself, but is "
                f"cut to {wanted:.2%}; more epochs, or a larger learning rate of the "
                "method, let the mask reach its target before it is frozen.",
                SparsityWarning,
                stacklevel=2,
            )
