"""Figure 6.8: approaches on masked regression of a network, d = 8,050.

Ten samples a step, sigmoid parametrization, RMSprop; learning rates 0.1 and 0.01, of
which the one with the lower mean loss over the second half of training is shown.
"""

from __future__ import annotations

from itertools import product

from .drawing import draw_curve, draw_last, panels, save
from .masked_regression import MaskedRuns, records
from .records import Curve, best, curves_of_seeds, scale

METHODS = {
    "st": "ST",
    "loorf": "LOORF",
    "reinforce": "REINFORCE",
    "cp": "CP",
    "rebar": "REBAR",
    "arms": "ARMS",
    "relax": "RELAX",
    "relax-slow": "RELAX, slow net",
    "double-cv": "double CV",
}
EXTRAS = ("relax-slow", "double-cv")  # tried beside the figure, if asked for
RATES = (0.1, 0.01)
N_SAMPLES = 10


def main() -> None:
    """Run what is missing, draw, and print the ranking."""
    arguments = scale(
        __doc__,
        small={"seeds": 3, "steps": 1000},
        full={"seeds": 10, "steps": 10_000},
        methods=list(METHODS),
        rates=RATES,
        usual=[method for method in METHODS if method not in EXTRAS],
    )
    table = records("6_8")
    table.complete(
        (
            {
                "method": method,
                "parametrization": "sigmoid",
                "n_samples": 1 if method == "cp" else N_SAMPLES,
                "steps": arguments.steps,
                "seed": seed,
                "learning_rate": rate,
            }
            for seed, method, rate in product(
                range(arguments.seeds), arguments.methods, arguments.rates
            )
        ),
        MaskedRuns(),
    )
    # Runs made earlier, by other methods or for other lengths, are shown as well.
    by = ("steps", "method", "learning_rate")
    chosen = best(curves_of_seeds(table.rows, by), lambda curve: curve.second_half)
    ranked = sorted(
        chosen.items(), key=lambda item: (item[0][0], item[1][1].second_half)
    )
    for (steps, method), (rate, curve) in ranked:
        print(
            f"{steps} steps, {METHODS[method]:15s} rate {rate:<5g} second half "
            f"{curve.second_half:.4f}  final {curve.final:.4f} +- {curve.std[-1]:.4f} "
            f"({len(curve.last)} runs)"
        )
    draw({key: curve for key, (_, curve) in chosen.items()})


def draw(curves: dict[tuple, Curve]) -> None:
    """A panel a length of the runs, and the final losses of the longest."""
    lengths = sorted({steps for steps, _ in curves})
    figure, axes = panels(1, len(lengths) + 1, sharey=True)
    for ax, steps in zip(axes, lengths, strict=False):
        for place, (method, label) in enumerate(METHODS.items()):
            if (steps, method) in curves:
                draw_curve(ax, curves[steps, method], label, place)
        ax.set(xlabel="Step", title=f"{steps} steps", ylim=(0.05, 0.5))
    draw_last(
        axes[-1],
        {
            label: curves[lengths[-1], method]
            for method, label in METHODS.items()
            if (lengths[-1], method) in curves
        },
        list(METHODS.values()),
    )
    axes[-1].set_title(f"Final losses, {lengths[-1]} steps")
    axes[0].set(ylabel="Validation loss")
    axes[-1].legend(
        *axes[0].get_legend_handles_labels(), frameon=False, ncols=2, loc="upper right"
    )
    save(figure, "6_8")


if __name__ == "__main__":
    main()
