"""Masks of networks at a price for each weight, as figures 7.3 to 7.5 need them.

CP and MC are trained under a fixed price of a weight, which decides how many are left;
magnitude pruning (MP, GMP) is told how many to leave.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from contests import Part, fresh_net, load_images
from tickets.settings import SETTINGS

from sklearn_pb import MaskPruner
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.exceptions import NonFiniteLossError, SparsityWarning
from sklearn_pb.methods import Continuation, Gradual, Method, MonteCarlo, OneShot

from .drawing import COLORS
from .records import Records, Row

KEYS = ("data", "network", "method", "n_samples", "amount", "epochs", "rows", "seed")
VALUES = ("weights_left", "accuracy")
MASK_RATES = {"cp": 0.01, "mc": 0.1}
Sweep = Mapping[tuple[str, int], Iterable[float]]
Points = dict[tuple[str, int], list[tuple[float, float]]]


def records(name: str) -> Records:
    """The table of a figure."""
    return Records(name, KEYS, VALUES)


def runs_of(sweep: Sweep, arguments: argparse.Namespace) -> Iterator[Row]:
    """What is to be run: amounts by method and number of samples, for all seeds."""
    for (method, n_samples), amounts in sweep.items():
        # As many seeds for 100 samples as for the others cost too much on a CPU.
        seeds = arguments.seeds if n_samples < 100 else arguments.slow_seeds
        for amount in amounts:
            for seed in range(seeds):
                yield {
                    "data": arguments.data,
                    "network": arguments.network,
                    "method": method,
                    "n_samples": n_samples,
                    "amount": amount,
                    "epochs": arguments.epochs,
                    "rows": arguments.rows,
                    "seed": seed,
                }


class NetworkRuns:
    """Prunes a network; the data are loaded once.

    Parameters
    ----------
    arguments : argparse.Namespace
        With data, data_home, rows, network and device.
    train_weights : bool
        False for supermasks: the weights stay as they were drawn.
    """

    def __init__(self, arguments: argparse.Namespace, train_weights: bool) -> None:
        self._arguments, self._trains = arguments, train_weights
        self._parts: tuple[Part, Part] | None = None

    def __call__(self, run: Row) -> Iterator[Row]:
        """Yield how many weights are left, and the accuracy on the test part."""
        pruner = self.fitted(run)
        _, test = self._load()
        yield {
            "weights_left": round(1 - pruner.sparsity_, 6),
            "accuracy": round(pruner.score(*test), 4),
        }

    def fitted(self, run: Row) -> MaskPruner:
        """Return the pruner of a run, as it was when its loss was last finite."""
        pruner = MaskPruner(
            self._net(run),
            method=make_method(run),
            include=self._include(run),
            train_weights=self._trains,
            random_state=run["seed"],
            **self._phases(run),
        )
        train, _ = self._load()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SparsityWarning)  # the table tells
            try:
                return pruner.fit(*train)
            except NonFiniteLossError:  # a layer without weights cannot be rescaled
                return pruner

    def _phases(self, run: Row) -> dict[str, Any]:
        """Tables B.2 and B.3 of the source, but for the cut of MP."""
        if run["method"] == "mp":
            return {"sparsity": 1 - run["amount"], "finetune": 0.5}
        if run["method"] == "gmp":
            return {"sparsity": 1 - run["amount"]}
        learned = {"constraint": L0Penalty(run["amount"]), "rescale": True}
        return {"warmup": 0.1, **learned} if run["method"] == "mc" else learned

    def _net(self, run: Row) -> Any:
        options = argparse.Namespace(**run, batch_size=128)
        options.device = self._arguments.device
        setting = SETTINGS.get(run["network"])
        if setting is None:
            return fresh_net(options, run["epochs"])
        return setting.make_net(options)

    def _include(self, run: Row) -> Any:
        setting = SETTINGS.get(run["network"])
        return None if setting is None else setting.include

    def _load(self) -> tuple[Part, Part]:
        if self._parts is None:
            self._parts = load_images(self._arguments)
        return self._parts


def make_method(run: Row) -> Method:
    """Return what finds the mask of a run."""
    if run["method"] == "mp":
        return OneShot()
    if run["method"] == "gmp":
        return Gradual()
    rate = MASK_RATES[run["method"]]
    if run["method"] == "cp":
        return Continuation(learning_rate=rate, saturation=None)
    return MonteCarlo(
        gradient="arms",
        parametrization="escort",
        n_samples=run["n_samples"],
        learning_rate=rate,
    )


def label_of(method: str, n_samples: int) -> str:
    """The name of a line: MC with its number of samples."""
    return f"MC, n = {n_samples}" if method == "mc" else method.upper()


def points_of(rows: Iterable[Row]) -> Points:
    """Weights left and accuracy of each setting, in percent, averaged over seeds."""
    found: dict[tuple, list[tuple[float, float]]] = {}
    for row in rows:
        key = (row["method"], row["n_samples"]), row["amount"]
        point = 100 * row["weights_left"], 100 * row["accuracy"]
        found.setdefault(key, []).append(point)
    points: Points = {}
    for (setting, _), of_seeds in found.items():
        left, accuracy = np.mean(of_seeds, axis=0)
        points.setdefault(setting, []).append((float(left), float(accuracy)))
    return points


def pareto_front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those of some (weights left, accuracy) that no other one beats in both."""
    front: list[tuple[float, float]] = []
    for left, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or accuracy > front[-1][1]:
            front.append((left, accuracy))
    return front


def draw_fronts(ax: Any, points: Points, settings: list[tuple[str, int]]) -> None:
    """Draw the front of some settings; what lies behind it is pale."""
    places = list(points)
    for setting in settings:
        color = COLORS[places.index(setting) % len(COLORS)]
        x, y = zip(*pareto_front(points[setting]), strict=True)
        label = label_of(*setting)
        ax.plot(x, y, "o-", color=color, label=label, ms=3, linewidth=1.2)
        x, y = zip(*points[setting], strict=True)
        ax.plot(x, y, "o", color=color, ms=3, alpha=0.25)
    ax.set(xscale="log", xlabel="Weights left [%]")
    ax.legend(frameon=False)


def print_fronts(points: Points) -> None:
    """Print the front of each setting."""
    for setting, seen in points.items():
        front = ", ".join(f"{y:.1f} at {x:.3g} %" for x, y in pareto_front(seen))
        print(f"{label_of(*setting):12s} {front}")
