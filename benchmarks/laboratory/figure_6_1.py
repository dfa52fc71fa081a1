"""Figure 6.1: variances of estimators along the path of the true gradient.

Learning rate 0.1, sigmoid parametrization; d = n = 4 and d = n = 10, both exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from sklearn_pb.inspection import VarianceDisplay, true_gradient_trajectory

from .drawing import panels, save
from .records import Records, Row, scale
from .replicas import BENCHMARKS, LABELS, World

ESTIMATORS = ("reinforce", "loorf", "arms", "beta-star")
SIZES = (4, 10)
KEYS = ("benchmark", "size", "steps")
VALUES = ("step", "entropy", "expected", *ESTIMATORS)


def variances(run: Row) -> Iterator[Row]:
    """Yield the variances at points of one trajectory."""
    world = World.named(run["benchmark"], run["size"])
    path = true_gradient_trajectory(world.table, run["steps"], 0.1)
    display = VarianceDisplay.from_trajectory(
        world.table,
        path,
        ESTIMATORS,
        n_samples=run["size"],
        method="exact",
        plot=False,
    )
    for k, step in enumerate(display.steps):
        row = {name: f"{display.variances[name][k]:.6g}" for name in ESTIMATORS}
        yield row | {
            "step": int(step),
            "entropy": f"{display.entropy[k]:.6g}",
            "expected": f"{float(path.costs[step]):.6g}",
        }


def main() -> None:
    """Run what is missing, draw, and print who has the least variance."""
    arguments = scale(__doc__, small={"steps": 10_000}, full={"steps": 10_000})
    table = Records("6_1", KEYS, VALUES)
    runs = [
        {"benchmark": benchmark, "size": size, "steps": arguments.steps}
        for benchmark, size in product(BENCHMARKS, SIZES)
    ]
    table.complete(runs, variances)
    rows = Records("6_1", KEYS, VALUES).rows  # as numbers
    figure, axes = panels(len(BENCHMARKS), len(SIZES))
    for ax, run in zip(axes.flat, runs, strict=True):
        seen = [row for row in rows if all(row[name] == run[name] for name in KEYS)]
        _draw(ax, run, seen)
        _tell(run, seen)
    save(figure, "6_1")


def _draw(ax: object, run: Row, seen: list[Row]) -> None:
    steps, entropy = (np.array([r[name] for r in seen]) for name in ("step", "entropy"))
    of = {LABELS[name]: np.array([r[name] for r in seen]) for name in ESTIMATORS}
    display = VarianceDisplay(steps=steps, variances=of, entropy=entropy)
    display.plot(ax=ax, linewidth=1.2)
    missed = "" if _is_solved(run, seen) else " (*)"
    display.ax_.set_title(f"{run['benchmark']}, d = n = {run['size']}{missed}")


def _is_solved(run: Row, seen: list[Row]) -> bool:
    world = World.named(run["benchmark"], run["size"])
    return seen[-1]["expected"] < (world.least + world.second) / 2


def _tell(run: Row, seen: list[Row]) -> None:
    least = World.named(run["benchmark"], run["size"]).least
    end = seen[-1]["expected"]
    print(f"{run['benchmark']} {run['size']}: ends at {end}, the least is {least:.4g}")
    for name in ("reinforce", "arms", "beta-star"):
        ratio = np.array([row[name] / row["loorf"] for row in seen])
        print(
            f"  {name:10s} over loorf: at the start {ratio[0]:.3f}, least "
            f"{ratio.min():.3f}, most {ratio.max():.3f}, end {ratio[-1]:.3f}; below "
            f"it at {(ratio < 1).sum()} of {len(ratio)} points"
        )
    lower = [row["step"] for row in seen if row["arms"] < row["beta-star"]]
    print(f"  arms is below beta-star at steps {lower}")
    lower = [row["entropy"] for row in seen if row["reinforce"] < row["arms"]]
    print(f"  reinforce is below arms at entropies {lower}")


if __name__ == "__main__":
    main()
