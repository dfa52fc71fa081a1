"""Figure 7.4: Pareto fronts of joint pruning: MC, CP and magnitudes.

Weights and masks are trained together: ARMS with the escort parametrization and CP at
several prices of a weight, MP and GMP at several numbers of weights left.
"""

from __future__ import annotations

from .drawing import panels, save
from .masked_networks import (
    NetworkRuns,
    Points,
    draw_fronts,
    points_of,
    print_fronts,
    records,
    runs_of,
)
from .records import scale

LEFT = (0.1, 0.02, 0.01, 0.005, 0.002, 0.001)
AMOUNTS = {
    ("mc", 2): (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    ("mc", 10): (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    ("mc", 100): (1e-2, 3e-2),
    ("cp", 0): (1e-6, 1e-5, 1e-4, 3e-4, 1e-3),
    ("mp", 0): LEFT,
    ("gmp", 0): LEFT,
}
EXTREME = 3.0  # percent
SMALL = {
    "data": "fashion_mnist",
    "network": "strided-conv",
    "rows": 5000,
    "epochs": 8,
    "seeds": 1,
    "slow_seeds": 1,
    "data_home": "",
    "device": "cpu",
}
FULL = {
    "data": "cifar10",
    "network": "resnet-20",
    "rows": 45_000,
    "epochs": 200,
    "seeds": 5,
    "slow_seeds": 5,
    "data_home": "",
    "device": "cuda",
}


def main() -> None:
    """Run what is missing, draw, and print the fronts."""
    arguments = scale(__doc__, small=SMALL, full=FULL)
    rows = records("7_4").complete(
        runs_of(AMOUNTS, arguments), NetworkRuns(arguments, train_weights=True)
    )
    points = points_of(rows)
    print_fronts(points)
    draw(points, f"{arguments.network}, {arguments.data}")


def draw(points: Points, title: str) -> None:
    """MC alone, the most samples beside the rivals, and what is left at the end."""
    figure, axes = panels(1, 3)
    sampled = [setting for setting in points if setting[0] == "mc"]
    rivals = [max(sampled), *(setting for setting in points if setting[0] != "mc")]
    draw_fronts(axes[0], points, sampled)
    draw_fronts(axes[1], points, rivals)
    draw_fronts(axes[2], points, rivals)
    axes[0].set(ylabel="Test accuracy [%]", title=title)
    axes[1].set_title("MC beside CP and magnitudes")
    axes[2].set(title="the same, few weights left", xlim=(0.05, EXTREME))
    save(figure, "7_4")


if __name__ == "__main__":
    main()
