"""Figure 3.4: continuation on example 6, by learning rate.

One variable from x = 0, gradient descent on J(sigma(x / tau)), 100 iterations at each
temperature; what is seen is J(1[x > 0]).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

from sklearn_pb.functions import SteepBarriers

from .approaches import ContinuationPath
from .drawing import COLORS, panels, save
from .records import Records, Row, scale

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


def descend(run: Row) -> Iterator[Row]:
    """Yield x and the cost of its sign whenever the latter changes, and at the end."""
    function, path = SteepBarriers(), ContinuationPath(run["steps"])
    x = torch.zeros(1, 1, dtype=torch.float64)
    last = None
    for step in range(run["steps"] + 1):
        cost = float(function((x > 0).to(x))[0])
        if cost != last or step == run["steps"]:
            yield {"step": step, "x": f"{float(x):.6g}", "cost": cost}
        last = cost
        x = x - run["learning_rate"] * path.gradient(function, x, step)


def main() -> None:
    """Run what is missing, draw, and print which rates succeed."""
    arguments = scale(__doc__, small={"steps": 2000}, full={"steps": 2000})
    rows = Records("3_4", ("steps", "learning_rate"), ("step", "x", "cost")).complete(
        ({"steps": arguments.steps, "learning_rate": rate} for rate in RATES), descend
    )
    figure, ax = panels(1, 1)
    for place, rate in enumerate(RATES):
        seen = [row for row in rows if row["learning_rate"] == rate]
        _draw_lane(ax, place, seen)
        print(f"rate {rate:<6g} ends at J = {seen[-1]['cost']:g}")
    ax.set_yticks(range(len(RATES)), [f"{rate:g}" for rate in RATES])
    ax.set(xlabel="Iteration (dark: right, light: wrong)", ylabel="Learning rate")
    ax.set_xscale("log")
    ax.set_xlim(1, arguments.steps + 1)
    save(figure, "3_4")


def _draw_lane(ax: object, place: int, seen: list[Row]) -> None:
    """Draw for one rate when the sign of x is that of the solution."""
    for row, following in pairwise(seen):
        span = (row["step"] + 1, following["step"] - row["step"])
        right = row["cost"] < 0
        ax.broken_barh([span], (place - 0.35, 0.7), color=COLORS[0 if right else 3])


if __name__ == "__main__":
    main()
