"""The methods of the contest, each with its own grid of four candidates.

Every grid has the same number of candidates, so that tuning costs all methods alike.
All vary the learning rate of the weights; beside it learned masks vary a learning rate
of their own, continuations the sharpness that they end with, and cuts how long the
network trains after the last one: from a fifth of the epochs to four fifths. Nothing
else differs from what a preset is by default, but that sampled masks take four samples
and, as in Silva (2023), begin with training the dense network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sklearn_pb.methods import Continuation, Gradual, Method, MonteCarlo, resolve_method

N_CANDIDATES = 4
Grid = dict[str, list[Any]]

FAMILIES = ("cut", "learned", "sampled")

_RATES: Grid = {"estimator__lr": [1e-3, 3e-3]}
_CUT: list[Grid] = [
    {"estimator__lr": [3e-3], "finetune": [0.2, 0.5, 0.8]},
    {"estimator__lr": [1e-3], "finetune": [0.5]},
]
_EARLY: Grid = {"estimator__lr": [5e-4, 1e-3, 2e-3, 3e-3]}


@dataclass(frozen=True)
class Contender:
    """A method with the candidates that it is tuned over.

    Parameters
    ----------
    method : str or Method
        What `MaskPruner` is given.
    grid : dict or list of dict
        Parameters of the pruner, with the values to try.
    family : {"cut", "learned", "sampled"}
        Which panel of the picture it is drawn in.
    when : str, default=""
        When a cut is made, said beside the name.
    fixed : dict
        Parameters of the pruner that all candidates share.
    """

    method: str | Method
    grid: Grid | list[Grid]
    family: str
    when: str = ""
    fixed: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Return what the pruner is built with."""
        return {"method": resolve_method(self.method), **self.fixed}


def _early(method: str, when: str) -> Contender:
    """A mask that is there before training: only the weights have a rate."""
    return Contender(method, _EARLY, "cut", when)


def _cut(method: str | Method, when: str) -> Contender:
    return Contender(method, _CUT, "cut", when)


def _learned(method: str | Method, *rates: float) -> Contender:
    """A learned mask: two learning rates of its own, about its default."""
    return Contender(
        method, {**_RATES, "method__learning_rate": list(rates)}, "learned"
    )


def _annealed(soft_step: str) -> Contender:
    """A continuation: how sharp it ends says as well how fast its mask can move."""
    grid = {**_RATES, "method__beta_final": [50.0, 200.0]}
    return Contender(Continuation(soft_step=soft_step), grid, "learned")


def _sampled(gradient: str, n_samples: int = 4) -> Contender:
    """A Monte-Carlo method, with the rates that its curve shows to be the best."""
    method = MonteCarlo(gradient=gradient, n_samples=n_samples, initial_probability=0.9)
    grid = {**_RATES, "method__learning_rate": [0.1, 0.3]}
    return Contender(method, grid, "sampled", fixed={"warmup": 0.2})


_SAMPLED = (
    "reinforce",
    "loorf",
    "arms",
    "arms-gaussian",
    "arm",
    "disarm",
    "muprop",
    "rebar",
    "relax",
    "double-cv",
    "double-cv-shrunk",
)

CONTENDERS: dict[str, Contender] = {
    "dense": _early("random", ""),
    "random": _early("random", "at the start"),
    "snip": _early("snip", "at the start"),
    "magnitude": _cut("magnitude", "one shot"),
    "lamp": _cut("lamp", "one shot"),
    "gmp": _cut("gmp", "gradual"),
    "taylor": _cut("taylor", "gradual"),
    "fisher": _cut("fisher", "gradual"),
    "movement": _cut(Gradual("movement"), "gradual"),
    "continuous": _annealed("sigmoid"),
    "continuous-erf": _annealed("erf"),
    "continuous-arctan": _annealed("arctan"),
    "continuous-algebraic": _annealed("algebraic"),
    "concrete": _learned("concrete", 0.03, 0.1),
    "hard-concrete": _learned("hard-concrete", 0.03, 0.1),
    "probmask": _learned("probmask", 0.03, 0.1),
    "mj": _learned("mj", 0.01, 0.03),
    "two-temperature": _learned("two-temperature", 0.003, 0.01),
    "edge-popup": _learned("edge-popup", 0.01, 0.03),
    "piggyback": _learned("piggyback", 0.003, 0.01),
    "straight-through": _learned("straight-through", 0.01, 0.1),
    **{gradient: _sampled(gradient) for gradient in _SAMPLED},
}
