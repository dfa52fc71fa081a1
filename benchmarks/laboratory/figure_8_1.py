"""Figure 8.1: annealing the temperature collapses J at the origin.

NNLoss of one variable as a function of r through sigma(r / tau), and the path of CP on
it: as tau falls, the critical points of J move over r, which turns round.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from sklearn_pb.functions import NNLoss

from .approaches import ContinuationPath
from .drawing import COLORS, panels, save
from .records import Records, Row, scale

SEED = 5
TEMPERATURES = (1.0, 0.3, 0.1, 0.03)
REACH = 5.0
VALUES = ("step", "r", "soft", "slope")


def descend(run: Row) -> Iterator[Row]:
    """Yield r, sigma(r / tau) and the slope of J by r, at every tenth step."""
    function, path = NNLoss(1, random_state=SEED), ContinuationPath(run["steps"])
    r = torch.zeros(1, 1, dtype=torch.float64)
    for step in range(run["steps"]):
        slope = path.gradient(function, r, step)
        if step % 10 == 0:
            soft = torch.sigmoid(r * path.sharpness(step))
            yield {
                "step": step,
                "r": f"{float(r):.5g}",
                "soft": f"{float(soft):.5g}",
                "slope": f"{float(slope):.5g}",
            }
        r = r - run["learning_rate"] * slope


def main() -> None:
    """Run what is missing, draw, and print how often the direction changes."""
    arguments = scale(__doc__, small={"steps": 2000}, full={"steps": 2000})
    run = {"steps": arguments.steps, "learning_rate": 0.01}
    Records("8_1", tuple(run), VALUES).complete([run], descend)
    rows = Records("8_1", tuple(run), VALUES).rows  # as numbers
    function = NNLoss(1, random_state=SEED)
    z = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    turns = (torch.diff(torch.sign(torch.diff(function(z[:, None])))) != 0).sum()
    signs = np.sign([row["slope"] for row in rows])
    print(
        f"critical points of J inside (0, 1): {int(turns)}; "
        f"turns of the path: {(np.diff(signs[signs != 0]) != 0).sum()}; "
        f"J(0) = {float(function(z[:1, None])):.3f}, "
        f"J(1) = {float(function(z[-1:, None])):.3f}, ends at r = {rows[-1]['r']}"
    )
    draw(function, rows)


def draw(function: NNLoss, rows: list[Row]) -> None:
    """J over r at some temperatures, and the path."""
    figure, (left, right) = panels(1, 2)
    r = torch.linspace(-REACH, REACH, 2001, dtype=torch.float64)
    for place, temperature in enumerate(TEMPERATURES):
        cost = function(torch.sigmoid(r / temperature)[:, None])
        label = f"temperature {temperature:g}"
        left.plot(r, cost, color=COLORS[place], label=label, linewidth=1.2)
    left.set(xlabel="r", ylabel="J(sigmoid(r / temperature))")
    left.legend(frameon=False)
    steps = [row["step"] for row in rows]
    right.plot(steps, [row["r"] for row in rows], color=COLORS[0], linewidth=1.2)
    right.set(xlabel="Iteration of CP", ylabel="r")
    save(figure, "8_1")


if __name__ == "__main__":
    main()
