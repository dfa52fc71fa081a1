"""Figure 6.5: approaches on NNLoss, d = 10.

Ten samples a step, sigmoid parametrization, gradient descent; of learning rates 0.1 and
0.01 the one with the lower mean loss from iteration 10 on. See `other_networks` for how
much of it depends on the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch

from sklearn_pb.distributions import Sigmoid
from sklearn_pb.utils import RandomStream

from .approaches import Sampling
from .drawing import draw_curve, draw_last, panels, save
from .records import Curve, Row, best, checkpoints, curves_of_means, scale
from .replicas import (
    EARLY,
    LABELS,
    LOOKS,
    ReplicaRuns,
    World,
    look,
    records,
)

BENCHMARK = "NNLoss"
BATCHED = ("reinforce", "loorf", "st", "cp")
LEARNED = ("rebar", "relax", "relax-slow")
RATES = (0.1, 0.01)
N_SAMPLES = 10


class LearnedRuns:
    """Runs of estimators that learn: every seed has a state, so they go one by one."""

    def __init__(self) -> None:
        self._world = World.named(BENCHMARK)

    def __call__(self, run: Row) -> Iterator[Row]:
        """Yield the losses of all seeds at some steps."""
        looks = sorted({*checkpoints(run["steps"], LOOKS), *EARLY})
        paths = [list(self._path(run, seed, looks)) for seed in range(run["seeds"])]
        for k, step in enumerate(looks):
            theta = torch.stack([path[k] for path in paths])
            yield look(run, self._world, theta, step)

    def _path(self, run: Row, seed: int, looks: list[int]) -> Iterator[torch.Tensor]:
        logits = torch.zeros(self._world.table.n_variables, dtype=torch.float64)
        approach = Sampling(
            run["method"],
            logits,
            parametrization=Sigmoid(),
            n_samples=run["n_samples"],
            learning_rate=run["learning_rate"],
            stream=RandomStream(seed),
        )
        for step in range(run["steps"] + 1):
            if step in looks:
                yield torch.sigmoid(logits)
            gradient = approach.gradient(self._world.function, logits, step)
            logits = logits - run["learning_rate"] * gradient


def main() -> None:
    """Run what is missing, draw, and print the ranking."""
    arguments = scale(
        __doc__,
        small={"seeds": 50, "steps": 2000, "learned": 5},
        full={"seeds": 100, "steps": 10_000, "learned": 100},
    )
    table = records("6_5")
    rows = []
    for methods, make in ((BATCHED, ReplicaRuns()), (LEARNED, LearnedRuns())):
        seeds = arguments.seeds if methods is BATCHED else arguments.learned
        rows += table.complete(
            (
                {
                    "benchmark": BENCHMARK,
                    "method": method,
                    "parametrization": "sigmoid",
                    "n_samples": 1 if method == "cp" else N_SAMPLES,
                    "steps": arguments.steps,
                    "seeds": 1 if method == "cp" else seeds,
                    "learning_rate": rate,
                }
                for method, rate in product(methods, RATES)
            ),
            make,
        )
    chosen = best(
        curves_of_means(rows, ("method", "learning_rate")), lambda c: c.from_ten_on
    )
    ranked = sorted(chosen.items(), key=lambda item: item[1][1].final)
    for (method,), (rate, curve) in ranked:
        print(
            f"{LABELS[method]:12s} rate {rate:<5g} final {curve.final:.3f} "
            f"+- {curve.std[-1]:.3f}  from 10 on {curve.from_ten_on:.3f} "
            f"({len(curve.last)} runs)"
        )
    draw({LABELS[method]: curve for (method,), (_, curve) in chosen.items()})


def draw(curves: dict[str, Curve]) -> None:
    """Loss over the steps, and the final loss of each run."""
    figure, (left, right) = panels(1, 2, sharey=True)
    for place, (label, curve) in enumerate(curves.items()):
        draw_curve(left, curve, label, place)
    draw_last(right, curves)
    left.set(xlabel="Step", ylabel="Loss")
    left.legend(frameon=False)
    right.set_title("Final loss of each run")
    save(figure, "6_5")


if __name__ == "__main__":
    main()
