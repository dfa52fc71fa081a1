"""Figure 6.6: estimators on masked regression of a network, d = 8,050.

Sigmoid parametrization, RMSprop with learning rate 0.1.
"""

from __future__ import annotations

from itertools import product

from .drawing import draw_curve, panels, save
from .masked_regression import MaskedRuns, records
from .records import Curve, curves_of_seeds, scale
from .replicas import LABELS

METHODS = ("reinforce", "loorf", "arms")


def main() -> None:
    """Run what is missing, draw, and print the final losses."""
    arguments = scale(
        __doc__,
        small={"seeds": 2, "steps": 500, "most": 100},
        full={"seeds": 10, "steps": 10_000, "most": 1000},
    )
    samples = [n for n in (2, 10, 100, 1000) if n <= arguments.most]
    table = records("6_6")
    table.complete(
        (
            {
                "method": method,
                "parametrization": "sigmoid",
                "n_samples": n,
                "steps": arguments.steps,
                "seed": seed,
                "learning_rate": 0.1,
            }
            for n, seed, method in product(samples, range(arguments.seeds), METHODS)
        ),
        MaskedRuns(),
    )
    # Runs made earlier, with other numbers of samples, are shown as well.
    rows = [row for row in table.rows if row["steps"] == arguments.steps]
    curves = curves_of_seeds(rows, ("n_samples", "method"))
    for (n, method), curve in curves.items():
        print(
            f"n={n:<4d} {method:10s} second half {curve.second_half:.4f}  "
            f"final {curve.final:.4f} +- {curve.std[-1]:.4f} ({len(curve.last)} runs)"
        )
    draw(curves, sorted({n for n, _ in curves}))


def draw(curves: dict[tuple, Curve], samples: list[int]) -> None:
    """A panel a number of samples."""
    figure, axes = panels(1, len(samples), sharey=True, squeeze=False)
    for ax, n in zip(axes[0], samples, strict=True):
        for place, method in enumerate(METHODS):
            draw_curve(ax, curves[n, method], LABELS[method], place)
        ax.set(title=f"n = {n}", xlabel="Step")
    axes[0, 0].set(ylabel="Validation loss")
    axes[0, 0].legend(frameon=False)
    save(figure, "6_6")


if __name__ == "__main__":
    main()
