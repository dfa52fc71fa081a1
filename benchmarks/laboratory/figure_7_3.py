"""Figure 7.3: Pareto fronts of supermasks, CP against MC.

The weights stay as they were drawn and masks alone are learned: ARMS with the escort
parametrization, RMSprop, layers rescaled, from probabilities of one half.
"""

from __future__ import annotations

from .drawing import panels, save
from .masked_networks import (
    NetworkRuns,
    draw_fronts,
    points_of,
    print_fronts,
    records,
    runs_of,
)
from .records import scale

PRICES = {
    ("cp", 0): (1e-6, 1e-5, 1e-4, 1e-3),
    ("mc", 2): (1e-4, 1e-3, 1e-2),
    ("mc", 10): (1e-4, 1e-3, 1e-2),
    ("mc", 100): (1e-3,),
}


def main() -> None:
    """Run what is missing, draw, and print the fronts."""
    arguments = scale(
        __doc__,
        small={
            "data": "mnist",
            "network": "lenet-300-100",
            "rows": 5000,
            "epochs": 10,
            "seeds": 1,
            "slow_seeds": 1,
            "data_home": "",
            "device": "cpu",
        },
        full={
            "data": "cifar10",
            "network": "conv-6",
            "rows": 45_000,
            "epochs": 200,
            "seeds": 5,
            "slow_seeds": 5,
            "data_home": "",
            "device": "cuda",
        },
    )
    table = records("7_3")
    rows = table.complete(
        runs_of(PRICES, arguments), NetworkRuns(arguments, train_weights=False)
    )
    points = points_of(rows)
    print_fronts(points)
    figure, ax = panels(1, 1)
    draw_fronts(ax, points, list(points))
    ax.set(ylabel="Test accuracy [%]", title=f"{arguments.network}, {arguments.data}")
    save(figure, "7_3")


if __name__ == "__main__":
    main()
