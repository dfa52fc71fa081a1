"""Architectures found on one task, trained from fresh weights on few rows of another.

For each seed and sparsity a method finds its mask on the old task. The mask, a mask
reshuffled by layer, a random one and the dense network are then trained alike on the
new task (Colombo and Gao, 2021, sections 3.2, 3.3 and A.2). Their rival is "imp",
iterative magnitude pruning with rewinding, in rounds of `--old-epochs` each. A row is
written when a mask has been tried, so a killed run goes on where it was.

    python bench_transfer.py --data-home DIR --work-dir RUNS
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import NETWORKS, images
from reporting import RESULTS, write_table

from sklearn_pb import MaskPruner, SparseTicketFinder
from sklearn_pb.datasets import load_arrays
from sklearn_pb.estimators import transfer_architecture
from sklearn_pb.inspection import TransferDisplay

Row = dict[str, Any]
Task = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

# Table 1 of the source: VGG-19, from CIFAR-10 to 500 images of ten CIFAR-100 classes.
SOURCE_ROWS = 500
SOURCE = {
    "two-temperature reshuffled": {
        0.1: 0.378,
        0.3: 0.343,
        0.5: 0.429,
        0.7: 0.448,
        0.9: 0.497,
        0.95: 0.301,
        0.99: 0.100,
    },
    "imp reshuffled": {
        0.1: 0.300,
        0.3: 0.332,
        0.5: 0.342,
        0.7: 0.376,
        0.9: 0.100,
        0.95: 0.100,
        0.99: 0.100,
    },
}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--old", default="fashion_mnist", help="data that masks are found on")
    add("--new", default="mnist", help="data that they are tried on")
    add("--old-classes", nargs="+", type=int, help="all by default")
    add("--new-classes", nargs="+", type=int, help="all by default")
    add("--data-home", default=None)
    add("--work-dir", type=Path, required=True)
    add("--name", default="pruning_transfer")
    add("--network", choices=NETWORKS, default="lenet-300-100")
    add("--methods", nargs="+", default=["two-temperature", "continuous", "imp"])
    add("--sparsities", nargs="+", type=float, default=[0.5, 0.9, 0.95, 0.99])
    add("--sizes", nargs="+", type=int, default=[50, 100, 500, 1000, 5000])
    add("--seeds", type=int, default=5)
    add("--old-rows", type=int, default=None)
    add("--old-epochs", type=int, default=10)
    add("--new-epochs", type=int, default=30)
    add("--imp-rate", type=float, default=0.5, help="most that a round removes")
    add("--n-jobs", type=int, default=1)
    add("--device", default="cpu")
    return parser.parse_args()


def main() -> None:
    """Run what is not yet done, then write the table and the picture."""
    options = parse_arguments()
    old = load_task(options, "old", options.old_rows)
    new = load_task(options, "new")
    runs = Runs(options)
    for seed in range(options.seeds):
        for sparsity in options.sparsities:
            for method in options.methods:
                runs.complete(method, sparsity, seed, old, new)
    print(write_table(options.name, table(runs.rows)))
    print(draw(runs.rows, options))


def load_task(options: argparse.Namespace, part: str, n: int | None = None) -> Task:
    """Training and test rows of some classes; images with their channels first."""
    classes = getattr(options, f"{part}_classes")
    found = load_arrays(getattr(options, part), data_home=options.data_home, scale=True)
    kept = []
    for X, y in ((found.X, found.y), (found.X_test, found.y_test)):
        rows = np.flatnonzero(np.isin(y, classes)) if classes else np.arange(len(y))
        rows = np.random.default_rng(0).permutation(rows)[:n]
        kept += [images(X[rows]), y[rows]]
    return tuple(kept)


def make_net(options: argparse.Namespace, epochs: int, batch: int) -> Any:
    """Return the network with its training settings."""
    return NeuralNetClassifier(
        NETWORKS[options.network],
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=batch,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=options.device,
    )


def find_mask(
    method: str, sparsity: float, seed: int, old: Task, options: argparse.Namespace
) -> MaskPruner | SparseTicketFinder:
    """Train on the old task, and return what has the mask."""
    net = make_net(options, options.old_epochs, 128)
    if method != "imp":
        return MaskPruner(net, method=method, sparsity=sparsity, random_state=seed).fit(
            *old[:2]
        )
    rounds = max(1, math.ceil(math.log1p(-sparsity) / math.log1p(-options.imp_rate)))
    finder = SparseTicketFinder(
        net,
        search="imp",
        n_rounds=rounds,
        prune_rate=1 - (1 - sparsity) ** (1 / rounds),
        select="last",  # so the rows that tickets are judged on choose nothing
        random_state=seed,
    )
    X, y, X_test, y_test = old
    return finder.fit(X, y, X_val=X_test, y_val=y_test)


class Runs:
    """The runs that are done, in a file.

    Parameters
    ----------
    options : argparse.Namespace
        The command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        names = ("old", "new", "old_classes", "new_classes", "network", "sizes")
        names += ("old_rows", "old_epochs", "new_epochs", "imp_rate")
        self.settings = {name: getattr(options, name) for name in names}
        options.work_dir.mkdir(parents=True, exist_ok=True)
        self.path = options.work_dir / "transfer.jsonl"
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        whole = [record for record in map(_parsed, lines) if record]
        self.records = [r for r in whole if r["settings"] == self.settings]

    @property
    def rows(self) -> list[Row]:
        """Rows of all networks trained on the new task, with what was asked for."""
        return [
            {**row, "method": record["method"], "wanted": record["sparsity"]}
            for record in self.records
            if record["method"] in self.options.methods
            and record["sparsity"] in self.options.sparsities
            for row in record["rows"]
        ]

    def complete(
        self, method: str, sparsity: float, seed: int, old: Task, new: Task
    ) -> None:
        """Find a mask and try it, unless that is done."""
        key = [method, sparsity, seed]
        if any([r["method"], r["sparsity"], r["seed"]] == key for r in self.records):
            return
        found = find_mask(method, sparsity, seed, old, self.options)
        first = method == self.options.methods[0]
        controls = ["reshuffled"] + ["random"] * first
        if first and sparsity == self.options.sparsities[0]:
            controls += ["dense"]
        rows = transfer_architecture(
            {method: found},
            *new[:2],
            X_test=new[2],
            y_test=new[3],
            estimator=make_net(self.options, self.options.new_epochs, 32),
            controls=controls,
            train_sizes=self.options.sizes,
            n_repeats=1,
            random_state=seed,
            n_jobs=self.options.n_jobs,
        )
        self._write(
            {
                "method": method,
                "sparsity": sparsity,
                "seed": seed,
                "old_accuracy": round(found.score(*old[2:]), 4),
                "layer_sparsity": found.layer_sparsity_,
                "rows": [_named(row, method) for row in rows],
                "settings": self.settings,
            }
        )

    def _write(self, record: Row) -> None:
        with self.path.open("a") as file:
            file.write("\n" + json.dumps(record))  # also after half a line
        self.records.append(record)
        print({k: v for k, v in record.items() if k != "settings"}, flush=True)


def _parsed(line: str) -> Row | None:
    """A record, or None for what a killed run left of one."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _named(row: Row, method: str) -> Row:
    """A random mask is nobody's."""
    name = row["architecture"]
    return {**row, "architecture": "random" if name == f"{method} random" else name}


def table(rows: list[Row]) -> list[Row]:
    """Mean and spread by architecture, sparsity and number of rows."""
    groups: dict[tuple, list[float]] = defaultdict(list)
    for row in rows:
        wanted = 0.0 if row["architecture"] == "dense" else row["wanted"]
        groups[row["architecture"], wanted, row["n_samples"]].append(row["score"])
    return [
        {
            "architecture": name,
            "sparsity": wanted,
            "n_samples": n,
            "accuracy_mean": round(100 * mean(scores), 2),
            "accuracy_std": round(100 * pstdev(scores), 2),
            "seeds": len(scores),
            "source_vgg19_cifar": _of_source(name, wanted, n),
        }
        for (name, wanted, n), scores in sorted(groups.items())
    ]


def _of_source(name: str, sparsity: float, n: int) -> float | str:
    found = SOURCE.get(name, {}).get(sparsity) if n == SOURCE_ROWS else None
    return "" if found is None else round(100 * found, 1)


def draw(rows: list[Row], options: argparse.Namespace) -> Path:
    """Draw a few-data curve for each sparsity."""
    from matplotlib.figure import Figure

    n = len(options.sparsities)
    figure = Figure(figsize=(5 * n, 4), layout="constrained")
    axes = figure.subplots(1, n, sharey=True, squeeze=False)[0]
    dense = [row for row in rows if row["architecture"] == "dense"]
    for ax, sparsity in zip(axes, options.sparsities, strict=True):
        own = [row for row in rows if row["wanted"] == sparsity and row not in dense]
        TransferDisplay.from_results(own + dense, ax=ax)
        ax.set_title(f"{sparsity:.0%} zeros, {options.old} to {options.new}")
    path = RESULTS / f"{options.name}_{options.network}.png"
    figure.savefig(path, dpi=60)
    return path


if __name__ == "__main__":
    main()
