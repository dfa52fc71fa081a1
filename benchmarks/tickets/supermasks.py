"""Masks learned for weights that stay as they were drawn, deterministic and sampled.

Continuous sparsification (CS) and its stochastic rival (SS) learn a mask in one round;
s_init and the price of a weight decide how sparse it is. (Savarese, 2025, figures 4.9
and 4.10.) A row is written when a run ends, so a killed one goes on at the next.

    python supermasks.py --data fashion_mnist --data-home DIR --work-dir RUNS
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import torch
from skorch.dataset import Dataset
from skorch.helper import predefined_split

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import Part, Records, load_images
from reporting import RESULTS, write_table
from settings import SETTINGS

from sklearn_pb import MaskPruner
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.methods import Continuation, Method, StraightThrough

Row = dict[str, Any]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="fashion_mnist")
    add("--data-home", default=None)
    add("--work-dir", type=Path, required=True)
    add("--name", default="tickets_supermasks")
    add("--network", choices=SETTINGS, default="strided-conv")
    add("--rows", type=int, default=10_000)
    add("--epochs", type=int, default=20)
    add("--batch-size", type=int, default=None)
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--cs-s-init", nargs="+", type=float, default=[-0.3, -0.1, 0.0, 0.1])
    add("--ss-s-init", nargs="+", type=float, default=[-1.0, 0.0, 1.0])
    add("--cs-penalty", nargs="+", type=float, default=[1e-8])
    add("--ss-penalty", nargs="+", type=float, default=[1e-8, 1e-5, 1e-4])
    add("--ss-rate", type=float, default=100.0)
    add("--device", default="cpu")
    options = parser.parse_args()
    options.batch_size = options.batch_size or SETTINGS[options.network].batch_size
    return options


def main() -> None:
    """Run what is not yet done, then write the table and the picture."""
    options = parse_arguments()
    train, test = load_images(options)
    folder = options.work_dir / options.data / options.network
    records = Records(folder / "supermasks.jsonl")
    rows = []
    for plan in plans(options):
        done = records.find(**plan)
        rows += done or [records.add({**plan, **run(plan, options, train, test)})]
    print(write_table(options.name, table(rows)))
    print(draw(rows, options.name))


def plans(options: argparse.Namespace) -> Iterator[Row]:
    """What is to be run."""
    cs = product(["cs"], options.cs_s_init, options.cs_penalty)
    ss = product(["ss"], options.ss_s_init, options.ss_penalty)
    for (method, s_init, penalty), seed in product([*cs, *ss], options.seeds):
        yield {
            "method": method,
            "s_init": s_init,
            "penalty": penalty,
            "seed": seed,
            "rate": options.ss_rate if method == "ss" else None,
            "rows": options.rows,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
        }


def make_method(plan: Row) -> Method:
    """Return what learns the mask."""
    if plan["method"] == "cs":
        return Continuation(s_init=plan["s_init"], saturation=None)
    return StraightThrough(
        initial_probability=float(torch.tensor(plan["s_init"]).sigmoid()),
        learning_rate=plan["rate"],
        optimizer="sgd",
        derivative=True,
        hardening="sample",
    )


def run(plan: Row, options: argparse.Namespace, train: Part, test: Part) -> Row:
    """Learn one mask; the accuracy on the test part is watched, not used."""
    setting = SETTINGS[options.network]
    net = setting.make_net(options)
    net.set_params(train_split=predefined_split(Dataset(*test)))
    pruner = MaskPruner(
        net,
        method=make_method(plan),
        constraint=L0Penalty(plan["penalty"]),
        include=setting.include,
        train_weights=False,
        random_state=plan["seed"],
    ).fit(*train)
    return {
        "sparsity": round(pruner.sparsity_, 4),
        "accuracy": round(pruner.score(*test), 4),
        "curve": [round(row["valid_acc"], 4) for row in pruner.history_],
    }


def table(rows: list[Row]) -> list[Row]:
    """Mean and spread over the seeds, and how soon masks become good."""
    return [
        {
            "method": method,
            "s_init": s_init,
            "penalty": penalty,
            "seeds": len(runs),
            "weights_left": round(100 * (1 - mean(r["sparsity"] for r in runs)), 2),
            "accuracy_mean": round(100 * mean(r["accuracy"] for r in runs), 2),
            "accuracy_std": round(100 * pstdev(r["accuracy"] for r in runs), 2),
            "best_epoch_accuracy": round(100 * mean(max(r["curve"]) for r in runs), 2),
            "epochs": runs[0]["epochs"],
            "rows": runs[0]["rows"],
        }
        for (method, s_init, penalty), runs in _by_setting(rows).items()
    ]


def _by_setting(rows: list[Row]) -> dict[tuple, list[Row]]:
    groups: dict[tuple, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["method"], row["s_init"], row["penalty"]].append(row)
    return groups


def draw(rows: list[Row], name: str) -> Path:
    """Draw accuracy against weights left, and by epoch where half of them are left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    groups = _by_setting(rows)
    for method, color in (("cs", "#117733"), ("ss", "#cc6677")):
        own = {key: runs for key, runs in groups.items() if key[0] == method}
        points = sorted(
            (
                100 * (1 - mean(r["sparsity"] for r in runs)),
                100 * mean(r["accuracy"] for r in runs),
                100 * pstdev(r["accuracy"] for r in runs),
            )
            for runs in own.values()
        )
        x, y, spread = zip(*points, strict=True)
        style = {"color": color, "marker": "o", "capsize": 2, "label": method.upper()}
        left.errorbar(x, y, spread, linestyle="none", **style)
        half = min(own.values(), key=lambda runs: abs(runs[0]["sparsity"] - 0.5))
        epochs = zip(*(run["curve"] for run in half), strict=True)
        curve = [100 * mean(epoch) for epoch in epochs]
        kept = 100 * (1 - mean(r["sparsity"] for r in half))
        label = f"{method.upper()}, {kept:.0f} % of the weights left"
        right.plot(range(1, len(curve) + 1), curve, color=color, label=label)
    left.set(xlabel="weights left [%]", ylabel="test accuracy [%]")
    right.set(xlabel="epoch", ylabel="test accuracy of the soft or sampled mask [%]")
    right.xaxis.get_major_locator().set_params(integer=True)
    for ax in (left, right):
        ax.legend(frameon=False)
    path = RESULTS / f"{name}.png"
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    main()
