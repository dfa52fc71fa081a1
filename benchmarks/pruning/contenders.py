"""The methods of the contest, each with its own grid of four candidates.

Every grid has the same number of candidates, so that tuning costs all methods alike. A
grid varies what the method is most sensitive to; for the baselines, which learn no mask,
that is how long they train after the cut and how fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sklearn_pb.methods import Continuation, Method, MonteCarlo, resolve_method

N_CANDIDATES = 4
Grid = dict[str, list[Any]]

_FINETUNING: Grid = {"finetune": [0.2, 0.5], "estimator__lr": [1e-3, 3e-3]}
_LOGITS: Grid = {"method__learning_rate": [0.01, 0.1], "finetune": [0.2, 0.5]}


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


def _sampled(gradient: str, n_samples: int = 4) -> Contender:
    """A Monte-Carlo method: as in the thesis, the dense net is trained first."""
    method = MonteCarlo(gradient=gradient, n_samples=n_samples, initial_probability=0.9)
    grid = {"method__learning_rate": [0.01, 0.05], "warmup": [0.0, 0.3]}
    return Contender(method, grid)


CONTENDERS: dict[str, Contender] = {
    "dense": Contender("random", {"estimator__lr": [3e-4, 1e-3, 2e-3, 3e-3]}),
    "random": Contender("random", _FINETUNING),
    "magnitude": Contender("magnitude", _FINETUNING),
    "magnitude-l1": Contender("magnitude-l1", _FINETUNING),
    "lamp": Contender("lamp", _FINETUNING),
    "taylor": Contender("taylor", _FINETUNING),
    "snip": Contender("snip", {"estimator__lr": [3e-4, 1e-3, 2e-3, 3e-3]}),
    "fisher": Contender("fisher", _FINETUNING),
    "gmp": Contender("gmp", _FINETUNING),
    "continuous": Contender(
        "continuous",
        {"method__learning_rate": [0.01, 0.03], "method__beta_final": [50.0, 200.0]},
    ),
    "continuous-erf": Contender(
        Continuation(soft_step="erf"),
        {"method__learning_rate": [0.01, 0.03], "method__beta_final": [50.0, 200.0]},
    ),
    "concrete": Contender("concrete", _LOGITS),
    "hard-concrete": Contender("hard-concrete", _LOGITS),
    "probmask": Contender("probmask", _LOGITS),
    "mj": Contender("mj", _LOGITS),
    "two-temperature": Contender("two-temperature", _LOGITS),
    "edge-popup": Contender("edge-popup", _LOGITS),
    "straight-through": Contender("straight-through", _LOGITS),
    "loorf": _sampled("loorf"),
    "arms": _sampled("arms"),
    "disarm": _sampled("disarm"),
    "rebar": _sampled("rebar"),
    "double-cv-shrunk": _sampled("double-cv-shrunk"),
}
