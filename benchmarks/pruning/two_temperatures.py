"""Figure 1 of Colombo and Gao (2021): how soft the slope of a sharp mask should be.

Which of 64 pixels does logistic regression need to tell the digits 0 and 1 apart? The
mask is sigma(t_l w) with t_l = 1000, and its slope is taken to be that of sigma(t_s w).
w moves by plain gradient steps, as in the source, and by our `TwoTemperature`, whose
RMSprop makes all slopes alike. Shown are one learning rate for all t_s, and for each of
them the best of a few.

    python two_temperatures.py --data-home DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))
from reporting import RESULTS, write_table

from sklearn_pb.datasets import load_arrays
from sklearn_pb.methods import SearchSpace, TwoTemperature
from sklearn_pb.utils import RandomStream

SHARP = 1000.0  # t_l
SOFT = (SHARP, SHARP / 100, SHARP / 1000)  # t_s
RATES = {
    "sgd": (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0),
    "rmsprop": (1e-4, 1e-3, 1e-2, 0.1),
}
EQUAL_RATE = 0.1
PANELS = {
    ("sgd", "equal"): f"gradient steps, learning rate {EQUAL_RATE}",
    ("sgd", "best"): "gradient steps, best rate of each",
    ("rmsprop", "best"): "TwoTemperature, best rate of each",
}
PRICE = 1e-3  # gamma, of the mask and of the weights
WEIGHT_RATE = 1.0  # step size of the weights
INITIAL_SCALE = 0.01  # of w
BATCH, LOOKS = 100, 20
Row = dict[str, Any]


class Masks(Protocol):
    """What moves the parameters w of a mask."""

    def advance(self, progress: float) -> None:
        """Begin a step."""

    def mask(self) -> torch.Tensor:
        """Return sigma(t_l w)."""

    def update(self, function: None, slope: torch.Tensor) -> None:
        """Move w, given the slope of the cost by the mask."""

    def harden(self) -> torch.Tensor:
        """Return the binary mask."""


class GradientSteps:
    """Equation (7) of the source, with steps of c / sqrt(i).

    Parameters
    ----------
    w : torch.Tensor of shape (d,)
        Where it starts.
    soft : float
        t_s.
    rate : float
        c.
    """

    def __init__(self, w: torch.Tensor, soft: float, rate: float) -> None:
        self._w, self._soft, self._rate = w.clone(), soft, rate
        self._step = 0

    def advance(self, progress: float) -> None:
        """Count the step."""
        self._step += 1

    def mask(self) -> torch.Tensor:
        """Return sigma(t_l w)."""
        return torch.sigmoid(SHARP * self._w)

    def update(self, function: None, slope: torch.Tensor) -> None:
        """Take one step."""
        v = torch.sigmoid(self._soft * self._w)
        self._w -= self._rate / self._step**0.5 * slope * self._soft * v * (1 - v)

    def harden(self) -> torch.Tensor:
        """Return 1[w > 0]."""
        return self._w > 0


def main() -> None:
    """Run all settings, write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    X, y = load_pixels(options.data_home)
    rows: list[Row] = []
    for update, soft in product(RATES, SOFT):
        swept = {
            rate: summary(update, soft, rate, X, y, options) for rate in RATES[update]
        }
        chosen = {"best": min(swept.values(), key=lambda c: c[-1]["objective_mean"])}
        if update == "sgd":
            chosen["equal"] = swept[EQUAL_RATE]
        for rule, curve in chosen.items():
            rows += [{"update": update, "rate_is": rule, **row} for row in curve]
            print(rows[-1], flush=True)
    print(write_table("pruning_two_temperatures", rows))
    print(draw(rows))


def load_pixels(data_home: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits 0 and 1 of MNIST as 8 x 8 averages of pixels, and their labels."""
    found = load_arrays("mnist", data_home=data_home, scale=True)
    chosen = found.y < 2
    images = torch.as_tensor(found.X[chosen].astype(np.float32))[:, None]
    X = F.adaptive_avg_pool2d(images, 8).flatten(1)
    return X, torch.as_tensor(found.y[chosen].astype(np.float32))


def summary(
    update: str,
    soft: float,
    rate: float,
    X: torch.Tensor,
    y: torch.Tensor,
    options: argparse.Namespace,
) -> list[Row]:
    """The curve of one setting, over the seeds."""
    runs = [
        list(descend(make_masks(update, soft, rate, seed), X, y, seed, options.steps))
        for seed in range(options.seeds)
    ]
    rows = []
    for looks in zip(*runs, strict=True):
        objectives = [objective for _, objective, _ in looks]
        rows.append(
            {
                "t_s": soft,
                "learning_rate": rate,
                "step": looks[0][0],
                "objective_mean": round(float(np.mean(objectives)), 5),
                "objective_std": round(float(np.std(objectives)), 5),
                "pixels_left": float(np.mean([left for *_, left in looks])),
                "seeds": options.seeds,
            }
        )
    return rows


def make_masks(update: str, soft: float, rate: float, seed: int) -> Masks:
    """Begin a run; those of a seed begin alike."""
    stream = RandomStream(seed)
    w = torch.randn(64, generator=stream.torch_generator()).abs() * INITIAL_SCALE
    if update == "sgd":
        return GradientSteps(w, soft, rate)
    method = TwoTemperature(
        forward_sharpness=SHARP, backward_sharpness=soft, learning_rate=rate
    )
    return method.start(SearchSpace(64, stream, logits=w))


def descend(
    masks: Masks, X: torch.Tensor, y: torch.Tensor, seed: int, steps: int
) -> Iterator[tuple[int, float, int]]:
    """Yield the step, the objective of the binary mask, and its number of ones."""
    generator = RandomStream(seed).child(1).torch_generator()
    theta = 0.01 * torch.randn(64, generator=generator)
    for step in range(steps + 1):
        if step % (steps // LOOKS) == 0:
            hard = masks.harden().float()
            yield step, float(objective(hard, theta, X, y)), int(hard.sum())
        masks.advance(step / steps)
        batch = torch.randint(len(X), (BATCH,), generator=generator)
        v = masks.mask().clone().requires_grad_()
        theta.requires_grad_()
        cost = objective(v, theta, X[batch], y[batch])
        slope, gradient = torch.autograd.grad(cost, (v, theta))
        theta = theta.detach() - WEIGHT_RATE / (step + 1) ** 0.5 * gradient
        masks.update(None, slope)


def objective(
    mask: torch.Tensor, theta: torch.Tensor, X: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Equation (12): mean log loss and the squares of mask and weights."""
    loss = F.binary_cross_entropy_with_logits(X @ (mask * theta), y)
    return loss + PRICE * (mask.square().sum() + theta.square().sum())


def draw(rows: list[Row]) -> Path:
    """Draw the objective by step, a line a t_s."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(PANELS), 3.3), layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    colors = ("#332288", "#cc6677", "#117733")
    for ax, (panel, title) in zip(axes, PANELS.items(), strict=True):
        shown = [row for row in rows if (row["update"], row["rate_is"]) == panel]
        for soft, color, style in zip(SOFT, colors, ("-", "-", "--"), strict=True):
            own = [row for row in shown if row["t_s"] == soft]
            ax.plot(
                [row["step"] for row in own],
                [row["objective_mean"] for row in own],
                color=color,
                linestyle=style,
                label=f"$t_s$ = {soft:g}, |m| = {own[-1]['pixels_left']:.0f}",
            )
        ax.set(title=title, xlabel="Step", yscale="log")
        ax.legend(frameon=False)
    axes[0].set(ylabel="Objective of the binary mask")
    path = RESULTS / "pruning_two_temperatures.png"
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    main()
