"""The training of the ranges and precisions of activations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ._activations import Activations, SmolActivations
from ._controller import PriceController
from ._quantized_activation import QuantizedActivation
from ._trim import largest_within

_PENALTY = 0.02
_TRAVEL = 4.0  # of its first value: how far a range can get in the search
_FASTEST = 0.02  # of its first value: what a range changes by in a step
_SMALLEST = 1e-3  # of its first value: how small a range can get
_LOGIT_TRAVEL = 30.0
_LAST_RATE = 0.1  # of learning rates, at the end of the search
_MEASUREMENTS = 200  # of the bits, in the search
_FARTHEST = 40.0  # of a shift of logits


class ActivationRun:
    """The training of quantized activations, beside that of the network.

    A training step is: `advance`, a forward and a backward pass, `collect`. Ranges and
    precisions are trained here, by Adam with rates that know the number of steps. They
    are parameters of the module, but `collect` takes their gradients away, so that the
    network's own optimizer, which comes after it, leaves them alone.

    Parameters
    ----------
    modules : list of QuantizedActivation
        What is trained.
    activations : Activations
        The hyperparameters.

    Attributes
    ----------
    frozen : bool
        Whether precisions are final.
    """

    def __init__(
        self, modules: list[QuantizedActivation], activations: Activations
    ) -> None:
        self.modules = modules
        self.activations = activations
        self.n_steps = 1
        self.step = 0
        self.progress = 0.0
        self.frozen = all(module.logits is None for module in modules)
        self._first_reach = [float(module.reach.detach()) for module in modules]
        self._moments: dict[str, tuple[torch.Tensor, torch.Tensor, int]] = {}
        self._target: float | None = None
        self._price = 0.0
        if isinstance(activations, SmolActivations):
            given, self._target = activations.penalty, activations.target_bits
            self._price = _PENALTY if given is None else given
        self._controller: PriceController | None = None
        if self._target is not None:
            self._controller = PriceController(max(self._price, 1e-6), self._target)

    @property
    def strength(self) -> float | None:
        """The price of a bit an activation, on average; None without one."""
        learns = isinstance(self.activations, SmolActivations)
        return self._price if learns else None

    def start(self, n_steps: int) -> None:
        """Say how long the search is going to be.

        Parameters
        ----------
        n_steps : int
            Training steps up to `freeze`.
        """
        self.n_steps = max(1, n_steps)

    def advance(self, progress: float) -> None:
        """Begin a step.

        Parameters
        ----------
        progress : float
            Fraction of the search done, in [0, 1]; 1 in the fine-tuning.
        """
        self.progress = progress
        self.step += 1
        if self._controller is not None and not self.frozen:
            if (self.step - 1) % max(1, self.n_steps // _MEASUREMENTS) == 0:
                self._controller.follow(self.mean_bits(), progress)
            self._price = self._controller.price
        units = sum(module.n_units for module in self.modules)
        for module in self.modules:
            module.step = self.step
            module.price = 0.0 if self.frozen else self._price / units

    def collect(self) -> None:
        """Train ranges and precisions by their gradients, and take these away."""
        slowing = 1 - (1 - _LAST_RATE) * self.progress
        ranges = min(_FASTEST, _TRAVEL / self.n_steps) * slowing
        with torch.no_grad():
            for index, module in enumerate(self.modules):
                first = self._first_reach[index]
                if isinstance(module.reach, nn.Parameter):
                    self._descend(f"reach{index}", module.reach, ranges * first)
                    module.reach.clamp_(first * _SMALLEST, module.ceiling)
                if module.logits is not None:
                    rate = _LOGIT_TRAVEL / self.n_steps * slowing
                    self._descend(f"logits{index}", module.logits, rate)

    def _descend(self, key: str, parameter: nn.Parameter, rate: float) -> None:
        """A step of Adam."""
        gradient, parameter.grad = parameter.grad, None
        if gradient is None:
            return
        zeros = torch.zeros_like
        mean, square, n = self._moments.get(key, (zeros(gradient), zeros(gradient), 0))
        mean = mean.lerp(gradient, 0.1)
        square = square.lerp(gradient.square(), 0.001)
        n += 1
        root = (square / (1 - 0.999**n)).sqrt_().add_(1e-12)
        parameter.sub_(rate / (1 - 0.9**n) * mean / root)
        self._moments[key] = mean, square, n

    def freeze(self) -> None:
        """Fix the precisions; ranges are trained on."""
        if self.frozen:
            return
        shift = self._shift()
        for module in self.modules:
            module.fix(module.whole_bits(shift))
        self._moments = {k: m for k, m in self._moments.items() if "logits" not in k}
        self.frozen = True

    def _shift(self) -> float:
        """What to add to all logits, so that whole bits meet the target from below."""
        if self._target is None:
            return 0.0

        def size(rise: float) -> float:
            return self._whole_bits(-rise)

        rise, _ = largest_within(size, self._target, -_FARTHEST, _FARTHEST)
        return -rise

    def mean_bits(self) -> float:
        """Return the whole bits of an activation, averaged over all of a row.

        Returns
        -------
        bits : float
            As they would be if the search ended now.
        """
        return self._whole_bits(0.0)

    def _whole_bits(self, shift: float) -> float:
        total = units = 0.0
        for module in self.modules:
            mean = float(module.whole_bits(shift).double().mean())
            total += module.n_units * mean
            units += module.n_units
        return total / units

    def state_dict(self) -> dict[str, Any]:
        """Return what the module's own state does not have.

        Returns
        -------
        state : dict
            Numbers and tensors.
        """
        return {
            "step": self.step,
            "progress": self.progress,
            "n_steps": self.n_steps,
            "frozen": self.frozen,
            "first_reach": list(self._first_reach),
            "price": self._price,
            "controller": self._controller and self._controller.state_dict(),
            "moments": dict(self._moments),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; that of the module is loaded apart, in any order.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.step = state["step"]
        self.progress = state["progress"]
        self.n_steps = state["n_steps"]
        self.frozen = state["frozen"]
        self._first_reach = list(state["first_reach"])
        self._price = state["price"]
        if self._controller is not None:
            self._controller.load_state_dict(state["controller"])
        self._moments = dict(state["moments"])
