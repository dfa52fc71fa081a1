"""Figure 6.3: parametrizations on microworlds, d = 10.

REINFORCE for n = 1 and LOORF for n = 4 and 10; gradient descent, of learning rates 0.1
and 0.01 the one with the lower final loss.
"""

from __future__ import annotations

import numpy as np

from sklearn_pb.distributions import PRESETS

from .drawing import draw_curve, panels, save
from .parametrizations import ESTIMATOR_OF, chosen_curves
from .records import Curve
from .replicas import BENCHMARKS


def main() -> None:
    """Run what is missing, draw, and print final losses and speeds."""
    chosen = chosen_curves(__doc__)
    for key, (rate, curve) in chosen.items():
        print(
            *key,
            f"rate {rate:g} final {curve.final:.3f} +- {curve.std[-1]:.3f}, nine "
            f"tenths of the way at step {_steps_of_most(curve)}",
        )
    draw({key: curve for key, (_, curve) in chosen.items()})


def _steps_of_most(curve: Curve) -> int:
    """The first step looked at with nine tenths of the fall of the mean."""
    goal = curve.mean[0] + 0.9 * (curve.mean.min() - curve.mean[0])
    return int(curve.x[np.argmax(curve.mean <= goal)])


def draw(curves: dict[tuple, Curve]) -> None:
    """A row a benchmark, a column a number of samples."""
    figure, axes = panels(len(BENCHMARKS), len(ESTIMATOR_OF), sharey="row")
    for row, benchmark in zip(axes, BENCHMARKS, strict=True):
        for ax, n in zip(row, ESTIMATOR_OF, strict=True):
            for place, name in enumerate(PRESETS):
                draw_curve(ax, curves[benchmark, n, name], name, place)
            ax.set(title=f"{benchmark}, n = {n}", xlabel="Step")
        row[0].set(ylabel="E[J]")
    axes[0, 0].legend(frameon=False)
    save(figure, "6_3")


if __name__ == "__main__":
    main()
