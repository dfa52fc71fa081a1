"""All pruning methods on one data set and network: tuned alike, then run on seeds.

Every method is tuned by GridSearchCV over four candidates at one sparsity, on a part of
the training data. Then the best candidate is run at each sparsity and seed for the same
number of epochs, and scored on the test part. A row is written when a run ends, so a
killed contest goes on where it was; several processes may share the methods.

    python contest.py --data fashion_mnist --data-home DIR --work-dir RUNS
    python summary.py --work-dir RUNS
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from contenders import CONTENDERS, N_CANDIDATES, Contender
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedShuffleSplit

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import NETWORKS, Records, fresh_net, load_images

from sklearn_pb import MaskPruner
from sklearn_pb.exceptions import SparsityWarning


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--network", choices=NETWORKS, default="lenet-300-100")
    parser.add_argument("--methods", nargs="+", default=list(CONTENDERS))
    parser.add_argument(
        "--sparsities", nargs="+", type=float, default=[0.95, 0.98, 0.99]
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--tuning-epochs", type=int, default=6)
    parser.add_argument("--tuning-rows", type=int, default=10_000)
    parser.add_argument("--tuning-sparsity", type=float, default=0.98)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def main() -> None:
    """Run what is not yet done."""
    options = parse_arguments()
    warnings.simplefilter("ignore", SparsityWarning)  # the table tells
    train, test = load_images(options)
    for method in options.methods:
        contest = Contest(method, options)
        contest.tune(*(part[: options.tuning_rows] for part in train))
        contest.run(train, test)


class Contest:
    """One method's runs on one network, with a file of what is done.

    Parameters
    ----------
    name : str
        A key of `CONTENDERS`.
    options : argparse.Namespace
        The command line.
    """

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name = name
        self.contender: Contender = CONTENDERS[name]
        assert len(ParameterGrid(self.contender.grid)) == N_CANDIDATES, name
        self.options = options
        folder = options.work_dir / options.data / options.network
        self.records = Records(folder / f"{name}.jsonl")
        self.best: dict[str, Any] = {}

    def pruner(self, sparsity: float, seed: int, epochs: int) -> MaskPruner:
        """Return the method around a fresh net, with its own defaults."""
        return MaskPruner(
            fresh_net(self.options, epochs),
            sparsity=0.0 if self.name == "dense" else sparsity,
            random_state=seed,
            **self.contender.settings(),
        )

    def tune(self, X: np.ndarray, y: np.ndarray) -> None:
        """Choose the best of the candidates, unless that is done."""
        tuned = self.records.find(kind="tuning")
        if not tuned:
            split = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
            pruner = self.pruner(
                self.options.tuning_sparsity, 0, self.options.tuning_epochs
            )
            search = GridSearchCV(
                pruner, self.contender.grid, cv=split, refit=False, error_score="raise"
            ).fit(X, y)
            row = self.records.add(
                {
                    "kind": "tuning",
                    "best": search.best_params_,
                    "candidates": search.cv_results_["params"],
                    "scores": search.cv_results_["mean_test_score"].round(4).tolist(),
                }
            )
            tuned = [row]
        self.best = tuned[0]["best"]

    def run(self, train: tuple, test: tuple) -> None:
        """Run every sparsity and seed that is not done."""
        done = {
            (record["sparsity"], record["seed"])
            for record in self.records.find(kind="run")
        }
        sparsities = [0.0] if self.name == "dense" else self.options.sparsities
        for sparsity in sparsities:
            for seed in range(self.options.seeds):
                if (sparsity, seed) not in done:
                    self._run(sparsity, seed, train, test)

    def _run(self, sparsity: float, seed: int, train: tuple, test: tuple) -> None:
        pruner = self.pruner(sparsity, seed, self.options.epochs)
        pruner.set_params(**self.best)
        start = time.perf_counter()
        pruner.fit(*train)
        seconds = time.perf_counter() - start
        searching = [row for row in pruner.history_ if row["phase"] == "search"]
        self.records.add(
            {
                "kind": "run",
                "sparsity": sparsity,
                "seed": seed,
                "accuracy": round(pruner.score(*test), 4),
                "measured_sparsity": round(pruner.sparsity_, 6),
                "own_sparsity": round(searching[-1]["sparsity"], 4)
                if searching
                else None,
                "seconds": round(seconds, 1),
                "epochs": self.options.epochs,
                "rows": len(train[0]),
            }
        )


if __name__ == "__main__":
    main()
