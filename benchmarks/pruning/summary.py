"""The table and the picture of a contest, from the files of its runs.

python summary.py --work-dir RUNS --data fashion_mnist --name pruning_fashion_mnist
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from contenders import CONTENDERS

sys.path.insert(0, str(Path(__file__).parents[1]))
from reporting import RESULTS, write_table


def main() -> None:
    """Write results/NAME.csv and results/NAME_NETWORK.png."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--name", default="pruning_fashion_mnist")
    options = parser.parse_args()
    folders = sorted(p for p in (options.work_dir / options.data).iterdir())
    rows = [row for folder in folders for row in table(folder)]
    print(write_table(options.name, rows))
    for folder in folders:
        print(draw(rows, folder.name, options.name))


def table(folder: Path) -> list[dict[str, Any]]:
    """One row a method and sparsity of one network."""
    rows = []
    for name in CONTENDERS:
        path = folder / f"{name}.jsonl"
        if path.exists():
            rows += _rows(folder.name, name, path)
    return rows


def _rows(network: str, name: str, path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines()
    records = [json.loads(line) for line in lines if line.endswith("}")]
    best = next((r["best"] for r in records if r["kind"] == "tuning"), {})
    groups: dict[float, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        if record["kind"] == "run":
            groups[record["sparsity"]].append(record)
    rows = []
    for sparsity, runs in sorted(groups.items()):
        scores = [100 * run["accuracy"] for run in runs]
        rows.append(
            {
                "network": network,
                "method": name,
                "sparsity": sparsity,
                "accuracy_mean": round(mean(scores), 2),
                "accuracy_std": round(stdev(scores), 2) if len(scores) > 1 else 0.0,
                "seeds": len(runs),
                "epochs": runs[0]["epochs"],
                "rows": runs[0]["rows"],
                "tuned": json.dumps(best).replace('"', ""),
            }
        )
    return rows


def draw(rows: list[dict[str, Any]], network: str, name: str) -> Path:
    """Draw accuracy against density, a line a method."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(9, 5), layout="constrained")
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["network"] == network:
            lines[row["method"]].append(row)
    marks = "osv^<>DPX*d"
    for i, (method, points) in enumerate(lines.items()):
        if method == "dense":
            ax.axhline(points[0]["accuracy_mean"], color="0.3", lw=1, label="dense")
            continue
        ax.errorbar(
            [100 * (1 - p["sparsity"]) for p in points],
            [p["accuracy_mean"] for p in points],
            [p["accuracy_std"] for p in points],
            label=method,
            marker=marks[i % len(marks)],
            color=plt.get_cmap("tab20")(i % 20),
            ls="-" if i < 20 else "--",
            lw=1,
            ms=4,
            capsize=2,
        )
    ax.set(
        xscale="log",
        xlabel="weights left [%]",
        ylabel="test accuracy [%]",
        title=network,
    )
    ax.set_xticks([1, 2, 5], ["1", "2", "5"])
    ax.minorticks_off()
    best = max(p["accuracy_mean"] for points in lines.values() for p in points)
    ax.set_ylim(best - 12, best + 1)  # what is worse is in the table
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    path = RESULTS / f"{name}_{network}.png"
    fig.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    main()
