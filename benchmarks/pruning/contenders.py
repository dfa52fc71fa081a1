"""The methods of the contest, each with its own grid of four candidates.

Every grid has the same number of candidates, so that tuning costs all methods alike.
All vary the learning rate of the weights; beside it learned masks vary a learning rate
of their own, and the others how long they train after the last cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sklearn_pb.methods import Continuation, Method, MonteCarlo, resolve_method

N_CANDIDATES = 4
Grid = dict[str, list[Any]]

_RATES: Grid = {"estimator__lr": [1e-3, 3e-3]}
_CUT: Grid = {**_RATES, "finetune": [0.2, 0.5]}
_EARLY: Grid = {"estimator__lr": [5e-4, 1e-3, 2e-3, 3e-3]}


@dataclass(frozen=True)
class Contender:
    """A method with the candidates that it is tuned over.

    Parameters
    ----------
    method : str or Method
        What `MaskPruner` is given.
    grid : dict
        Parameters of the pruner, with the values to try.
    fixed : dict
        Parameters of the pruner that all candidates share.
    """

    method: str | Method
    grid: Grid
    fixed: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Return what the pruner is built with."""
        return {"method": resolve_method(self.method), **self.fixed}


def _learned(method: str | Method, *rates: float, **fixed: Any) -> Contender:
    """A learned mask: two learning rates of its own, about its default."""
    return Contender(method, {**_RATES, "method__learning_rate": list(rates)}, fixed)


def _sampled(gradient: str, n_samples: int = 4) -> Contender:
    """A Monte-Carlo method: as in the thesis, the dense net is trained first."""
    method = MonteCarlo(gradient=gradient, n_samples=n_samples, initial_probability=0.9)
    return _learned(method, 0.01, 0.1, warmup=0.2)


CONTENDERS: dict[str, Contender] = {
    "dense": Contender("random", _EARLY),
    "random": Contender("random", _EARLY),
    "snip": Contender("snip", _EARLY),
    "magnitude": Contender("magnitude", _CUT),
    "lamp": Contender("lamp", _CUT),
    "taylor": Contender("taylor", _CUT),
    "fisher": Contender("fisher", _CUT),
    "gmp": Contender("gmp", _CUT),
    "continuous": _learned(Continuation(beta_final=50), 0.01, 0.03),
    "continuous-erf": _learned(
        Continuation(beta_final=50, soft_step="erf"), 0.01, 0.03
    ),
    "concrete": _learned("concrete", 0.03, 0.1),
    "hard-concrete": _learned("hard-concrete", 0.03, 0.1),
    "probmask": _learned("probmask", 0.01, 0.03),
    "mj": _learned("mj", 0.01, 0.03),
    "two-temperature": _learned("two-temperature", 0.003, 0.01),
    "edge-popup": _learned("edge-popup", 0.01, 0.03),
    "piggyback": _learned("piggyback", 0.003, 0.01),
    "straight-through": _learned("straight-through", 0.01, 0.1),
    "loorf": _sampled("loorf"),
    "arms": _sampled("arms"),
    "disarm": _sampled("disarm"),
    "rebar": _sampled("rebar"),
    "double-cv-shrunk": _sampled("double-cv-shrunk"),
}
