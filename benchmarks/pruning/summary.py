"""The tables and the pictures of a contest, from the files of its runs.

python summary.py --work-dir RUNS --data fashion_mnist --name pruning_fashion_mnist
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from contenders import CONTENDERS, FAMILIES

sys.path.insert(0, str(Path(__file__).parents[1]))
from reporting import RESULTS, write_table

Row = dict[str, Any]

WITHIN = 2.0  # points of accuracy, as in table 4.1 of Savarese (2025)
TITLES = {
    "cut": "cut by a criterion",
    "learned": "learned by a slope",
    "sampled": "learned from sampled masks",
}


def main() -> None:
    """Write results/NAME.csv, NAME_most_zeros.csv and NAME_NETWORK.png."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--name", default="pruning_fashion_mnist")
    options = parser.parse_args()
    folders = sorted(p for p in (options.work_dir / options.data).iterdir())
    folders = [folder for folder in folders if folder.is_dir()]
    rows = [row for folder in folders for row in table(folder)]
    print(write_table(options.name, rows))
    by_network = [
        [row for row in rows if row["network"] == folder.name] for folder in folders
    ]
    limits = [row for ours in by_network for row in most_zeros(ours)]
    print(write_table(f"{options.name}_most_zeros", limits))
    for ours in by_network:
        print(draw(ours, options.name))


def table(folder: Path) -> list[Row]:
    """One row a method and sparsity of one network."""
    rows = []
    for name in CONTENDERS:
        path = folder / f"{name}.jsonl"
        if path.exists():
            rows += _rows(folder.name, name, path)
    return rows


def _rows(network: str, name: str, path: Path) -> list[Row]:
    lines = path.read_text().splitlines()
    records = [json.loads(line) for line in lines if line.endswith("}")]
    best = next((r["best"] for r in records if r["kind"] == "tuning"), {})
    groups: dict[float, list[Row]] = defaultdict(list)
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
                "when": CONTENDERS[name].when,
                "sparsity": sparsity,
                "accuracy_mean": round(mean(scores), 2),
                "accuracy_std": round(stdev(scores), 2) if len(scores) > 1 else "",
                "seeds": len(runs),
                "epochs": runs[0]["epochs"],
                "rows": runs[0]["rows"],
                "tuned": json.dumps(best).replace('"', ""),
            }
        )
    return rows


def most_zeros(rows: list[Row]) -> list[Row]:
    """The most zeros within `WITHIN` points of the dense network, for each method.

    Between two sparsities the loss is taken to be linear in the logarithm of the
    density; "<" and ">" say that the limit lies outside of what was run.
    """
    lines = _lines(rows)
    dense = lines.pop("dense")[0]["accuracy_mean"]
    limits = []
    for method, points in lines.items():
        losses = [dense - point["accuracy_mean"] for point in points]
        densities = [1 - point["sparsity"] for point in points]
        limits.append(
            {
                "network": points[0]["network"],
                "method": method,
                "most_zeros": _limit(densities, losses),
                "lowest_run": points[0]["sparsity"],
                "highest_run": points[-1]["sparsity"],
            }
        )
    return limits


def _limit(densities: list[float], losses: list[float]) -> str:
    """Where a line of losses first passes `WITHIN`."""
    if losses[0] > WITHIN:
        return f"<{1 - densities[0]:.3g}"
    for i in range(1, len(losses)):
        if losses[i] > WITHIN:
            share = (WITHIN - losses[i - 1]) / (losses[i] - losses[i - 1])
            steps = math.log(densities[i] / densities[i - 1])
            return f"{1 - densities[i - 1] * math.exp(share * steps):.3f}"
    return f">{1 - densities[-1]:.3g}"


def _lines(rows: list[Row]) -> dict[str, list[Row]]:
    """The rows of each method."""
    lines: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        lines[row["method"]].append(row)
    return lines


def draw(rows: list[Row], name: str) -> Path:
    """Draw what each method loses against its density, a panel a family."""
    import matplotlib.pyplot as plt

    lines = _lines(rows)
    dense = lines.pop("dense")[0]
    fig, axes = plt.subplots(1, 3, figsize=(13, 6), sharey=True, layout="constrained")
    for family, ax in zip(FAMILIES, axes, strict=True):
        ours = {m: p for m, p in lines.items() if CONTENDERS[m].family == family}
        _draw_family(ax, ours, dense["accuracy_mean"])
        ax.set(xscale="log", xlabel="weights left [%]", title=TITLES[family])
        ax.set_xticks([1, 2, 5], ["1", "2", "5"])
        ax.minorticks_off()
        ax.grid(axis="y", color="0.9")
        ax.axhline(0, color="0.3", lw=1)
        ax.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    axes[0].set_yscale("symlog", linthresh=1)  # so that none is out of sight
    ticks = [-2, -1, 0, 1, 2, 5, 10, 20, 50]
    axes[0].set_yticks(ticks, [str(tick) for tick in ticks])
    axes[0].set(ylabel="points of accuracy below the dense network")
    axes[0].set_ylim(80, -2)
    network = dense["network"]
    fig.suptitle(f"{network}: dense {dense['accuracy_mean']:.1f} % right", fontsize=10)
    path = RESULTS / f"{name}_{network}.png"
    fig.savefig(path, dpi=110)
    plt.close(fig)
    return path


def _draw_family(ax: Any, lines: dict[str, list[Row]], dense: float) -> None:
    """Draw a line a method, the best at the top of the legend."""
    import matplotlib.pyplot as plt

    def last(points: list[Row]) -> float:
        return -points[-1]["accuracy_mean"]

    marks = "osv^<>DPX*dph"
    ordered = sorted(lines.items(), key=lambda line: last(line[1]))
    for i, (method, points) in enumerate(ordered):
        when = CONTENDERS[method].when
        ax.errorbar(
            [100 * (1 - p["sparsity"]) for p in points],
            [dense - p["accuracy_mean"] for p in points],
            [p["accuracy_std"] or 0 for p in points],
            label=f"{method} ({when})" if when else method,
            marker=marks[i % len(marks)],
            color=plt.get_cmap("tab20")(i % 20),
            lw=1,
            ms=4,
            capsize=2,
        )


if __name__ == "__main__":
    main()
