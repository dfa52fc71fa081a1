"""The table and the picture of an experiment, from the files of its runs.

python summary.py --work-dir RUNS --experiment table_4_2 --name tickets_fashion_mnist
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, pstdev
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import Records
from reporting import RESULTS, write_table
from settings import EXPERIMENTS, SETTINGS

from sklearn_pb.inspection import TicketLayersDisplay, TicketsDisplay

Row = dict[str, Any]


def main() -> None:
    """Write results/NAME.csv, results/NAME.png and results/NAME_layers.png."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--network", choices=SETTINGS, default="strided-conv")
    parser.add_argument("--experiment", choices=EXPERIMENTS, default="table_4_2")
    parser.add_argument("--name", default="tickets_fashion_mnist")
    options = parser.parse_args()
    folder = options.work_dir / options.data / options.network
    found = {
        name: Records(folder / f"{name}.jsonl").rows
        for name in EXPERIMENTS[options.experiment]
    }
    found = {name: runs for name, runs in found.items() if runs}
    print(write_table(options.name, table(found)))
    print(draw(found, options.name, f"{options.network}, {options.data}"))
    print(draw_layers(found, options.name))


def table(found: dict[str, list[Row]]) -> list[Row]:
    """The dense network, then two rows a search."""
    first = next(iter(found.values()))
    rows = [_dense_row(first)]
    for kind in ("sparsest_matching", "best"):
        rows += [_row(kind, name, runs) for name, runs in found.items()]
    return rows


def _dense_row(runs: Sequence[Row]) -> Row:
    valid = [run["dense"]["score"] for run in runs]
    return {
        **_blank("dense", "", runs),
        "found": len(runs),
        "weights_left": 100.0,
        "weights_left_std": 0.0,
        **_percentages("valid", valid),
        **_percentages("test", [run["dense"]["test"] for run in runs]),
        "epochs": runs[0]["epochs"],
        "all_epochs": runs[0]["epochs"],
    }


def _row(kind: str, name: str, runs: Sequence[Row]) -> Row:
    """A kind of ticket of one search, over the seeds that have one."""
    hits = [run for run in runs if run[kind] is not None]
    tickets = [run["tickets"][run[kind]["ticket"]] for run in hits]
    row = {**_blank(kind, name, runs), "found": len(hits)}
    row["all_epochs"] = mean(_all_epochs(run["tickets"]) for run in runs)
    if not hits:
        return row
    row |= _percentages("weights_left", [1 - t["sparsity"] for t in tickets])
    row |= _percentages("valid", [t["score"] for t in tickets])
    row |= _percentages("test", [run[kind]["test"] for run in hits])
    row["dense_test"] = round(100 * mean(run["dense"]["test"] for run in hits), 2)
    for control in tickets[0]["controls"]:
        row[f"{control}_valid"] = round(
            100 * mean(t["controls"][control] for t in tickets), 2
        )
    row["round"] = round(mean(t["round"] for t in tickets), 1)
    row["epochs"] = round(mean(t["search_epochs"] for t in tickets), 1)
    return row


def _blank(kind: str, name: str, runs: Sequence[Row]) -> Row:
    columns = (
        *("weights_left", "weights_left_std", "valid", "valid_std"),
        *("test", "test_std", "dense_test", "fresh_valid", "reshuffled_valid"),
        *("round", "epochs", "all_epochs"),
    )
    counts = {"seeds": len(runs), "found": 0}
    return {"kind": kind, "search": name, **counts, **dict.fromkeys(columns, "")}


def _percentages(name: str, fractions: Sequence[float]) -> Row:
    values = [100 * fraction for fraction in fractions]
    return {name: round(mean(values), 2), f"{name}_std": round(pstdev(values), 2)}


def _all_epochs(tickets: Iterable[Row]) -> int:
    """Epochs of searching in all runs, one after the other."""
    longest: dict[int, int] = defaultdict(int)
    for ticket in tickets:
        longest[ticket["run"]] = max(longest[ticket["run"]], ticket["search_epochs"])
    return sum(longest.values())


def _tickets(runs: Sequence[Row]) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(**{**ticket, "seed": run["seed"]})
        for run in runs
        for ticket in run["tickets"]
    ]


def draw(found: dict[str, list[Row]], name: str, title: str) -> Path:
    """Draw accuracy on the rows put aside against weights left, then the controls."""
    from matplotlib.figure import Figure

    controlled = {search: runs for search, runs in found.items() if runs[0]["controls"]}
    n = 2 if controlled else 1
    figure = Figure(figsize=(7 * n, 5), layout="constrained")
    axes = figure.subplots(1, n, squeeze=False)[0]
    dense = [run["dense"]["score"] for run in next(iter(found.values()))]
    for ax, shown in zip(axes, (found, controlled), strict=False):
        TicketsDisplay.from_tickets(
            {search: _tickets(runs) for search, runs in shown.items()},
            dense_scores=dense,
            controls=shown is controlled,
            ax=ax,
        )
        # What is worse is in the files.
        ax.set_ylim(max(min(dense) - 0.1, ax.get_ylim()[0]))
        ax.legend(frameon=False, loc="lower left")
    axes[0].set_title(title, loc="left")
    path = RESULTS / f"{name}.png"
    figure.savefig(path, dpi=110)
    return path


def draw_layers(found: dict[str, list[Row]], name: str) -> Path:
    """Draw the layers of the tickets of each search that are nearest to 10 %."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    nearest = {}
    for search, runs in found.items():
        ticket = min(_tickets(runs[:1]), key=lambda t: abs(t.sparsity - 0.9))
        nearest[f"{search} ({100 * (1 - ticket.sparsity):.1f} % left)"] = ticket
    TicketLayersDisplay.from_tickets(nearest, ax=figure.subplots())
    path = RESULTS / f"{name}_layers.png"
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    main()
