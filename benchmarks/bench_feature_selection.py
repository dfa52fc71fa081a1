"""Few features of very many: methods on wide data, within equal CPU time.

    python bench_feature_selection.py --data FOLDER --seconds 4

FOLDER holds .npz files with arrays X and y; public ones are those of the feature
selection repository of Arizona State University. Each method minimises
`SubsetSelection()` on all rows, and selects features within a pipeline that is scored
by cross-validation; "none" and "all" are what no search at all gives. All seconds are
those of the process, so that other work on the machine takes nothing from a method.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from reporting import write_table
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_pb import Budget, PBMinimizer
from sklearn_pb.functions import SubsetSelection

# The clock of every budget from now on: seconds of this process, on all its threads.
time.perf_counter = time.process_time

NAMES = ["colon", "leukemia", "lung_small"]
METHODS = ["auto", "straight-through", "loorf"]


def main() -> None:
    """Compare the methods on each data set, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--names", nargs="+", default=NAMES)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--name", default="feature_selection")
    options = parser.parse_args()
    rows = []
    for name in options.names:
        data = np.load(options.data / f"{name}.npz")
        X, y = StandardScaler().fit_transform(data["X"].astype(float)), data["y"]
        rows += [fixed(name, X, y, "none"), fixed(name, X, y, "all")]
        for method in options.methods:
            rows.append(searched(name, X, y, method, options.seconds))
            print(*rows[-1].values(), flush=True)
    print(write_table(options.name, rows))


def fixed(name: str, X: np.ndarray, y: np.ndarray, which: str) -> dict:
    """Return the row of no feature, or of all."""
    n_features = X.shape[1] if which == "all" else 0
    point = np.full((1, X.shape[1]), float(which == "all"))
    cost = float(SubsetSelection().bind(X, y)(point)[0])
    model = LogisticRegression(max_iter=1000) if which == "all" else DummyClassifier()
    return row(name, X, which, cost, n_features, 0, cross_val_score(model, X, y, cv=3))


def searched(
    name: str, X: np.ndarray, y: np.ndarray, method: str, seconds: float
) -> dict:
    """Return the row of a method."""
    selector = PBMinimizer(
        method=method, budget=Budget(seconds=seconds), random_state=0
    )
    model = make_pipeline(selector, LogisticRegression(max_iter=1000))
    scores = cross_val_score(model, X, y, cv=3)
    selector.fit(X, y)
    chosen = int(selector.solution_.sum())
    return row(name, X, method, selector.cost_, chosen, selector.n_evaluations_, scores)


def row(
    name: str,
    X: np.ndarray,
    method: str,
    cost: float,
    n_features: int,
    evaluations: int,
    scores: np.ndarray,
) -> dict:
    """Return a row of the table."""
    return {
        "data": name,
        "n": X.shape[0],
        "d": X.shape[1],
        "method": method,
        "cost": round(cost, 4),
        "features": n_features,
        "evaluations": evaluations,
        "accuracy_3_folds": round(float(scores.mean()), 4),
    }


if __name__ == "__main__":
    main()
