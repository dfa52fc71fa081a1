"""Figure 6.2: estimators on microworlds, d = 10, each on its own trajectory.

Sigmoid parametrization, gradient descent with learning rate 0.1. How often the true
gradient leads to the solution depends on the world, so that is counted for others too.
"""

from __future__ import annotations

from itertools import product

import torch

from sklearn_pb.functions import ExponentialTabularLoss, NNLoss, tabulate
from sklearn_pb.inspection import true_gradient_trajectory

from .drawing import draw_curve, panels, save
from .records import Curve, curves_of_means, scale
from .replicas import BENCHMARKS, LABELS, D, ReplicaRuns, records

METHODS = ("reinforce", "loorf", "arms", "beta-star")
SAMPLES = (4, 10)


def main() -> None:
    """Run what is missing, draw, and print the final losses."""
    arguments = scale(
        __doc__,
        small={"seeds": 50, "steps": 4000, "worlds": 10},
        full={"seeds": 100, "steps": 10_000, "worlds": 100},
    )
    settings = [*product(SAMPLES, METHODS), (0, "exact")]
    rows = records("6_2").complete(
        (
            {
                "benchmark": benchmark,
                "method": method,
                "parametrization": "sigmoid",
                "n_samples": n,
                "steps": arguments.steps,
                "seeds": arguments.seeds if n else 1,
                "learning_rate": 0.1,
            }
            for benchmark, (n, method) in product(BENCHMARKS, settings)
        ),
        ReplicaRuns(),
    )
    solved = {
        (row["benchmark"], row["n_samples"], row["method"]): row["solved"]
        for row in rows
        if row["step"] == arguments.steps
    }
    curves = curves_of_means(rows, ("benchmark", "n_samples", "method"))
    for key, curve in curves.items():
        print(*key, f"final {curve.final:.3f} +- {curve.std[-1]:.3f}", solved[key])
    draw(curves)
    for make in (ExponentialTabularLoss, NNLoss):
        found = sum(leads_to_solution(make, seed) for seed in range(arguments.worlds))
        print(f"{make.__name__}: true gradient solves {found} of {arguments.worlds}")


def leads_to_solution(make: type, seed: int) -> bool:
    """Whether descent by the true gradient ends at the solution of another world."""
    table = tabulate(make(D, random_state=seed))
    # Ten times the rate and a tenth of the steps: the path is smooth.
    end = true_gradient_trajectory(table, 1000, 1.0).logits[-1]
    cost = table((end > 0).to(torch.float64)[None])[0]
    return bool(cost == table.values.min())


def draw(curves: dict[tuple, Curve]) -> None:
    """A row a benchmark, a column a number of samples."""
    figure, axes = panels(len(BENCHMARKS), len(SAMPLES), sharey="row")
    for row, benchmark in zip(axes, BENCHMARKS, strict=True):
        for ax, n in zip(row, SAMPLES, strict=True):
            for place, method in enumerate(METHODS):
                draw_curve(ax, curves[benchmark, n, method], LABELS[method], place)
            truth = curves[benchmark, 0, "exact"]
            draw_curve(ax, truth, LABELS["exact"], 8, linestyle="--")
            ax.set(title=f"{benchmark}, n = {n}", xlabel="Step")
        row[0].set(ylabel="E[J]")
    axes[0, 0].legend(frameon=False)
    save(figure, "6_2")


if __name__ == "__main__":
    main()
