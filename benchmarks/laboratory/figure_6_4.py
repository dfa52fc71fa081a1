"""Figure 6.4: the final loss of each run of figure 6.3 on NNLoss."""

from __future__ import annotations

import numpy as np

from sklearn_pb.distributions import PRESETS

from .drawing import draw_last, panels, save
from .parametrizations import ESTIMATOR_OF, chosen_curves
from .records import Curve
from .replicas import World

BENCHMARK = "NNLoss"


def main() -> None:
    """Run what is missing, draw, and count the runs at the solution."""
    world = World.named(BENCHMARK)
    chosen = {
        key[1:]: curve
        for key, (_, curve) in chosen_curves(__doc__).items()
        if key[0] == BENCHMARK
    }
    halfway = (world.least + world.second) / 2
    for (n, name), curve in chosen.items():
        solved = np.mean(curve.last < halfway)
        quartiles = np.quantile(curve.last, [0.25, 0.5, 0.75]).round(2).tolist()
        print(f"n={n:<2d} {name:8s} solved {solved:.2f}  quartiles {quartiles}")
    draw(chosen, world)


def draw(curves: dict[tuple, Curve], world: World) -> None:
    """A panel a number of samples; the dashed line is the solution."""
    figure, axes = panels(1, len(ESTIMATOR_OF), sharey=True)
    for ax, n in zip(axes, ESTIMATOR_OF, strict=True):
        draw_last(ax, {name: curves[n, name] for name in PRESETS})
        ax.axhline(world.least, color="0.5", linestyle="--", linewidth=0.8)
        ax.set(title=f"n = {n}")
    axes[0].set(ylabel="Final E[J]")
    save(figure, "6_4")


if __name__ == "__main__":
    main()
