"""The table and the picture of a contest, from the files of its runs.

python summary.py --work-dir RUNS --data fashion_mnist --name quantization_fashion_mnist
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
from contests import Records
from reporting import RESULTS, write_table

Row = dict[str, Any]
MEASURES = ("mean_bits", "entropy_bits", "file_bits", "file_bytes", "zeros", "energy")
MARKS = "osv^<>DPX*"


def main() -> None:
    """Write results/NAME.csv and results/NAME_NETWORK.png."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--name", default="quantization_fashion_mnist")
    options = parser.parse_args()
    folders = sorted(p for p in (options.work_dir / options.data).iterdir())
    rows = [row for folder in folders for row in table(folder)]
    print(write_table(options.name, rows))
    for folder in folders:
        print(draw(rows, folder.name, options.name))


def table(folder: Path) -> list[Row]:
    """One row a method and number of bits, for one network."""
    rows = []
    for name in ("dense", *CONTENDERS, "control"):
        records = Records(folder / f"{name}.jsonl")
        best = next((row["best"] for row in records.find(kind="tuning")), {})
        tuned = json.dumps(best).replace('"', "")
        for key, runs in sorted(_groups(records).items()):
            rows.append(_row(folder.name, name, key, runs) | {"tuned": tuned})
    return rows


def _groups(records: Records) -> dict[tuple[float, ...], list[Row]]:
    """Runs that differ by the seed only; of the control, those of matched bytes."""
    groups: dict[tuple[float, ...], list[Row]] = defaultdict(list)
    for run in records.find(kind="run"):
        key = run["bits"], run.get("uniform_bits", 0), run.get("sparsity", 0.0)
        groups[key].append(run)
    matched = {}  # the last sparsity that was tried is the one that all seeds have
    for key, runs in groups.items():
        matched[key[:2]] = (key, runs)
    return dict(matched.values())


def _row(network: str, name: str, key: tuple[float, ...], runs: list[Row]) -> Row:
    bits, uniform_bits, _ = key
    scores = [100 * run["accuracy"] for run in runs]
    row = {
        "network": network,
        "method": f"{name}-{uniform_bits:g}" if uniform_bits else name,
        "bits": bits,
        "accuracy_mean": round(mean(scores), 2),
        "accuracy_std": round(stdev(scores), 2) if len(scores) > 1 else 0.0,
    }
    for measure in MEASURES:
        found = [run[measure] for run in runs if measure in run]
        row[measure] = round(mean(found), 4) if found else ""
    last = {"seeds": len(runs), "epochs": runs[0]["epochs"], "rows": runs[0]["rows"]}
    return row | last


def draw(rows: list[Row], network: str, name: str) -> Path:
    """Draw accuracy against mean bits, and against the bits of the file."""
    import matplotlib.pyplot as plt

    lines: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["network"] == network:
            lines[row["method"]].append(row)
    dense = [row["accuracy_mean"] for row in lines.pop("dense", [])]
    fig, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained", sharey=True)
    names = {
        "mean_bits": "mean bits a weight",
        "file_bits": "bits of the file a weight",
    }
    for ax, (measure, label) in zip(axes, names.items(), strict=True):
        for number, (method, points) in enumerate(lines.items()):
            _draw_line(ax, number, method, points, measure)
        for score in dense:
            ax.axhline(score, color="0.3", lw=1, label="dense")
        ax.set(xscale="log", xlabel=label)
        ax.set_xticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
        ax.minorticks_off()
        ax.grid(color="0.92")
    best = max([*dense, *(p["accuracy_mean"] for line in lines.values() for p in line)])
    axes[0].set_ylim(best - 8, best + 0.5)  # what is worse is in the table
    axes[0].set(ylabel="test accuracy [%]", title=network)
    axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    path = RESULTS / f"{name}_{network}.png"
    fig.savefig(path, dpi=110)
    return path


def _draw_line(
    ax: Any, number: int, method: str, points: list[Row], measure: str
) -> None:
    from matplotlib import colormaps

    points = sorted(points, key=lambda point: point[measure])
    ax.errorbar(
        [point[measure] for point in points],
        [point["accuracy_mean"] for point in points],
        [point["accuracy_std"] for point in points],
        label=method,
        marker=MARKS[number % len(MARKS)],
        color=colormaps["tab20"](number % 20),
        linestyle="--" if method.startswith("control") else "-",
        lw=1,
        ms=4,
        capsize=2,
    )


if __name__ == "__main__":
    main()
