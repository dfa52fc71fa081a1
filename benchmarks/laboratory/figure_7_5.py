"""Figure 7.5: sparsity of each layer over the epochs, of MC, CP and GMP.

One run of each with few weights left, as in figure 7.4. On the left the weights left of
each layer, on the right its share of all that are left. Epochs in which the mask is not
searched for are gray.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from .drawing import COLORS, panels, save
from .figure_7_4 import FULL, SMALL
from .masked_networks import KEYS, NetworkRuns, label_of, runs_of
from .records import Records, Row, scale

VALUES = ("epoch", "phase", "layer", "weights", "weights_left")
AMOUNTS = {("mc", 10): (1e-2,), ("cp", 0): (1e-4,), ("gmp", 0): (0.01,)}


class LayerRuns(NetworkRuns):
    """Prunes a network and looks at its layers."""

    def __call__(self, run: Row) -> Iterator[Row]:
        """Yield the weights of each layer that are left, by epoch."""
        pruner = self.fitted(run)
        module: nn.Module = pruner.estimator_.module_
        sizes = {name: p.numel() for name, p in module.named_parameters()}
        for record in pruner.history_:
            for name, sparsity in record["layer_sparsity"].items():
                yield {
                    "epoch": record["epoch"],
                    "phase": record["phase"],
                    "layer": name,
                    "weights": sizes[name],
                    "weights_left": round(1 - sparsity, 6),
                }


def main() -> None:
    """Run what is missing, draw, and print the last epoch."""
    small = {**SMALL, "seeds": 1, "epochs": 20}
    arguments = scale(__doc__, small=small, full={**FULL, "seeds": 1, "slow_seeds": 1})
    rows = Records("7_5", KEYS, VALUES).complete(
        runs_of(AMOUNTS, arguments), LayerRuns(arguments, train_weights=True)
    )
    figure, axes = panels(len(AMOUNTS), 2, sharex=True)
    for (left, right), setting in zip(axes, AMOUNTS, strict=True):
        own = [row for row in rows if (row["method"], row["n_samples"]) == setting]
        draw(left, right, own)
        left.set(title=label_of(*setting), ylabel="Weights left [%]", yscale="log")
        right.set(ylabel="Share of those left")
        tell(label_of(*setting), own)
    axes[0, 0].legend(frameon=False)
    axes[-1, 0].set(xlabel="Epoch")
    axes[-1, 1].set(xlabel="Epoch")
    save(figure, "7_5")


def draw(left: Any, right: Any, rows: list[Row]) -> None:
    """A line and a band a layer."""
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    epochs = sorted({row["epoch"] for row in rows})
    kept = np.array([by_epoch(rows, layer) for layer in layers])
    sizes = [next(r["weights"] for r in rows if r["layer"] == name) for name in layers]
    counts = kept * np.array(sizes)[:, None]
    colors = [COLORS[place % len(COLORS)] for place in range(len(layers))]
    for name, line, color in zip(layers, kept, colors, strict=True):
        left.plot(epochs, 100 * line, color=color, label=name, linewidth=1.2)
    right.stackplot(epochs, counts / counts.sum(0), colors=colors, alpha=0.8)
    for row in rows:
        if row["phase"] != "search" and row["layer"] == layers[0]:
            for ax in (left, right):
                low, high = row["epoch"] - 0.5, row["epoch"] + 0.5
                ax.axvspan(low, high, color="0.3", alpha=0.2, linewidth=0)


def by_epoch(rows: list[Row], layer: str) -> list[float]:
    """The weights left of one layer."""
    own = [row for row in rows if row["layer"] == layer]
    return [r["weights_left"] for r in sorted(own, key=lambda row: row["epoch"])]


def tell(label: str, rows: list[Row]) -> None:
    """Print what the last epoch has left of each layer."""
    last = max(row["epoch"] for row in rows)
    left = {r["layer"]: r["weights_left"] for r in rows if r["epoch"] == last}
    shown = ", ".join(f"{name} {100 * part:.2f} %" for name, part in left.items())
    print(f"{label:12s} {shown}")


if __name__ == "__main__":
    main()
