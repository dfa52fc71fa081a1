"""Figure 6.7: parametrizations on masked regression of a network, d = 8,050.

LOORF, RMSprop; learning rates 0.1 and 0.01, of which the one with the lower mean loss
over the second half of training is shown.
"""

from __future__ import annotations

from itertools import product

from sklearn_pb.distributions import PRESETS

from .drawing import draw_curve, panels, save
from .masked_regression import MaskedRuns, records
from .records import Curve, best, curves_of_seeds, scale

RATES = (0.1, 0.01)


def main() -> None:
    """Run what is missing, draw, and print the final losses."""
    arguments = scale(
        __doc__,
        small={"seeds": 2, "steps": 500, "least": 2, "most": 10},
        full={"seeds": 10, "steps": 10_000, "least": 2, "most": 1000},
    )
    samples = (2, 10, 100, 1000)
    table = records("6_7")
    table.complete(
        (
            {
                "method": "loorf",
                "parametrization": name,
                "n_samples": n,
                "steps": arguments.steps,
                "seed": seed,
                "learning_rate": rate,
            }
            for n, seed, name, rate in product(
                samples, range(arguments.seeds), PRESETS, RATES
            )
            if arguments.least <= n <= arguments.most
        ),
        MaskedRuns(),
    )
    # Runs made earlier, of other lengths, are shown as well.
    by = ("steps", "n_samples", "parametrization", "learning_rate")
    chosen = best(curves_of_seeds(table.rows, by), lambda curve: curve.second_half)
    for (steps, n, name), (rate, curve) in chosen.items():
        print(
            f"{steps} steps, n={n:<4d} {name:8s} rate {rate:<5g} second half "
            f"{curve.second_half:.4f}  final {curve.final:.4f} +- {curve.std[-1]:.4f} "
            f"({len(curve.last)} runs)"
        )
    draw({key: curve for key, (_, curve) in chosen.items()})


def draw(curves: dict[tuple, Curve]) -> None:
    """A panel a length of the runs and a number of samples."""
    settings = sorted({key[:2] for key in curves})
    figure, axes = panels(1, len(settings), sharey=True, squeeze=False)
    for ax, (steps, n) in zip(axes[0], settings, strict=True):
        for place, name in enumerate(PRESETS):
            draw_curve(ax, curves[steps, n, name], name, place)
        ax.set(title=f"n = {n}, {steps} steps", xlabel="Step")
    axes[0, 0].set(ylabel="Validation loss")
    axes[0, 0].legend(frameon=False)
    save(figure, "6_7")


if __name__ == "__main__":
    main()
