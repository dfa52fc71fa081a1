"""The runs of figures 6.3 and 6.4: parametrizations on microworlds, d = 10."""

from __future__ import annotations

from itertools import product

from sklearn_pb.distributions import PRESETS

from .records import Curve, best, curves_of_means, scale
from .replicas import BENCHMARKS, ReplicaRuns, records

ESTIMATOR_OF = {1: "reinforce", 4: "loorf", 10: "loorf"}
RATES = (0.1, 0.01)


def chosen_curves(description: str) -> dict[tuple, tuple[float, Curve]]:
    """Make the runs and choose the rates.

    Parameters
    ----------
    description : str
        What the figure shows.

    Returns
    -------
    chosen : dict of tuple to tuple
        By benchmark, number of samples and parametrization: the learning rate of the
        lower final loss, and its curve.
    """
    arguments = scale(
        description,
        small={"seeds": 50, "steps": 2500},
        full={"seeds": 100, "steps": 10_000},
    )
    rows = records("6_3").complete(
        (
            {
                "benchmark": benchmark,
                "method": method,
                "parametrization": name,
                "n_samples": n,
                "steps": arguments.steps,
                "seeds": arguments.seeds,
                "learning_rate": rate,
            }
            for benchmark, (n, method), name, rate in product(
                BENCHMARKS, ESTIMATOR_OF.items(), PRESETS, RATES
            )
        ),
        ReplicaRuns(),
    )
    by = ("benchmark", "n_samples", "parametrization", "learning_rate")
    return best(curves_of_means(rows, by), lambda curve: curve.final)
