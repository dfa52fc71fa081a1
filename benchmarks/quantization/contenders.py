"""The methods of the contest, each with its own grid of four candidates.

Every grid has the same number of candidates, so that tuning costs all methods alike.
All vary the learning rate of the weights, and beside it how long they train after
precisions are fixed, or, where there is no such part, the scales of their codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

N_CANDIDATES = 4
Grid = dict[str, list[Any]]

_RATES: Grid = {"estimator__lr": [1e-3, 3e-3]}
_SEARCH: Grid = {**_RATES, "finetune": [0.3, 0.45]}
_SCALES: Grid = {**_RATES, "scale": ["layer", "channel"]}


@dataclass(frozen=True)
class Contender:
    """A way to quantize, with the candidates that it is tuned over.

    Parameters
    ----------
    fixed : dict
        Parameters of `MixedPrecisionQuantizer` that all candidates share.
    grid : dict
        Parameters with the values to try.
    searches : bool
        Whether it is given a mean of bits to end with; else it is given whole bits.
    """

    fixed: dict[str, Any]
    grid: Grid = field(default_factory=lambda: dict(_SEARCH))
    searches: bool = True

    def settings(self, bits: float) -> dict[str, Any]:
        """Return what the quantizer is built with, for so many bits."""
        name = "target_bits" if self.searches else "initial_bits"
        return {**self.fixed, name: bits}

    def can_have(self, bits: float) -> bool:
        """Return whether it can be asked for so many bits."""
        return self.searches or (bits >= 1 and float(bits).is_integer())


def _smol(granularity: str, **fixed: Any) -> Contender:
    return Contender({"method": "smol", "granularity": granularity, **fixed})


def _uniform(method: str) -> Contender:
    return Contender({"method": method}, dict(_SCALES), searches=False)


CONTENDERS: dict[str, Contender] = {
    "smol-parameter": _smol("parameter"),
    "smol-block": _smol("block"),
    "smol-channel": _smol("channel"),
    "smol-layer": _smol("layer"),
    "smol-channel-no-zero": _smol("channel", zero_precision=False),
    "bsq": Contender({"method": "bsq", "granularity": "layer"}),
    "lsq": _uniform("lsq"),
    "dorefa": _uniform("dorefa"),
    "pact": _uniform("pact"),  # weights of DoReFa, activations of 4 bits
    "post-training": _uniform("post-training"),
}
DENSE_GRID: Grid = {"estimator__lr": [5e-4, 1e-3, 2e-3, 3e-3]}
# The control: gradual magnitude pruning, then LSQ with these bits, at equal real bytes.
CONTROL_BITS = (2, 3, 4)
CONTROL_GRID: Grid = {
    "estimator__estimator__lr": [1e-3, 3e-3],
    "estimator__finetune": [0.2, 0.5],
}
