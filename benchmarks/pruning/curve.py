"""Where a Monte-Carlo mask gets to, by its learning rate, samples and epochs.

python curve.py --data fashion_mnist --data-home DIR --work-dir RUNS
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from networks import StridedConv
from reporting import write_table

from sklearn_pb import MaskPruner
from sklearn_pb.datasets import load_arrays
from sklearn_pb.exceptions import SparsityWarning
from sklearn_pb.methods import MonteCarlo


def main() -> None:
    """Run the points that are not done, and write results/NAME.csv."""
    options = parse_arguments()
    warnings.simplefilter("ignore", SparsityWarning)
    found = load_arrays(options.data, data_home=options.data_home, scale=True)
    rows = np.random.default_rng(0).permutation(len(found.X))[: options.rows]
    train = found.X[rows].astype(np.float32)[:, None], found.y[rows]
    test = found.X_test.astype(np.float32)[:, None], found.y_test
    options.work_dir.mkdir(parents=True, exist_ok=True)
    path = options.work_dir / f"{options.name}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    done = [json.loads(line) for line in lines if line.endswith("}")]
    grid = product(
        options.gradients, options.samples, options.epochs, options.learning_rates
    )
    for gradient, n_samples, epochs, learning_rate in grid:
        point = {
            "gradient": gradient,
            "n_samples": n_samples,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "sparsity": options.sparsity,
        }
        if not any(point.items() <= row.items() for row in done):
            done.append({**point, **run(point, train, test)})
            with path.open("a") as file:
                file.write("\n" + json.dumps(done[-1]))
            print(done[-1], flush=True)
    print(write_table(options.name, done))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--name", default="pruning_curve")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--sparsity", type=float, default=0.98)
    parser.add_argument("--gradients", nargs="+", default=["arms"])
    parser.add_argument("--samples", nargs="+", type=int, default=[4, 16])
    parser.add_argument("--epochs", nargs="+", type=int, default=[8])
    parser.add_argument(
        "--learning-rates", nargs="+", type=float, default=[0.003, 0.01, 0.03, 0.1]
    )
    return parser.parse_args()


def run(point: dict, train: tuple, test: tuple) -> dict:
    """Prune once, and return what came of it."""
    method = MonteCarlo(
        gradient=point["gradient"],
        n_samples=point["n_samples"],
        learning_rate=point["learning_rate"],
        initial_probability=0.9,
    )
    net = NeuralNetClassifier(
        StridedConv,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=point["epochs"],
        batch_size=128,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    pruner = MaskPruner(
        net, method=method, sparsity=point["sparsity"], warmup=0.2, random_state=0
    ).fit(*train)
    searching = [row for row in pruner.history_ if row["phase"] == "search"]
    return {
        "accuracy": round(pruner.score(*test), 4),
        "own_sparsity": round(searching[-1]["sparsity"], 4),
    }


if __name__ == "__main__":
    main()
