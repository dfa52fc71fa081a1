"""Approaches of figure 6.5 on other networks: how much depends on the one of it.

What is seen is how much of the way from the mean cost to the least one is left at the
end, and how many runs end at the solution. Learning rate 0.1, ten samples a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from .records import Records, Row, scale
from .replicas import KEYS, LABELS, ReplicaRuns, World

BENCHMARK = "NNLoss"
METHODS = ("exact", "reinforce", "loorf", "st", "cp")


class Ends:
    """Where the runs on one network end."""

    def __init__(self) -> None:
        self._make = ReplicaRuns()

    def __call__(self, run: Row) -> Iterator[Row]:
        """Yield the mean over the seeds."""
        *_, end = self._make(run)
        world = World.named(run["benchmark"], number=run["world"])
        way = float(world.table.values.mean()) - world.least
        left = (end["mean"] - world.least) / way
        yield {"left": round(left, 4), "solved": end["solved"]}


def main() -> None:
    """Run what is missing, and print the means over the networks."""
    arguments = scale(
        __doc__,
        small={"seeds": 10, "steps": 2000, "worlds": 5},
        full={"seeds": 100, "steps": 10_000, "worlds": 100},
    )
    runs = [
        {
            "benchmark": BENCHMARK,
            "world": world,
            "method": method,
            "parametrization": "sigmoid",
            "n_samples": 10,
            "steps": arguments.steps,
            "seeds": 1 if method in ("cp", "exact") else arguments.seeds,
            "learning_rate": 0.1,
        }
        for world, method in product(range(arguments.worlds), METHODS)
    ]
    table = Records("other_networks", ("world", *KEYS), ("left", "solved"))
    rows = table.complete(runs, Ends())
    for method in METHODS:
        left, solved = (
            np.array([row[name] for row in rows if row["method"] == method])
            for name in ("left", "solved")
        )
        print(
            f"{LABELS[method]:14s} left of the way: mean {left.mean():.3f}, median "
            f"{np.median(left):.3f}; solved {solved.mean():.2f} of the runs"
        )


if __name__ == "__main__":
    main()
