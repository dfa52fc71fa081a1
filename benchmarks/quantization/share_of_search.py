"""Bits and accuracy by the share of the training that goes to the search.

The price of a bit is fixed, as in Savarese (2025), section 5.5.2 and figure 5.7; what
is left of the epochs is fine-tuning.

    python share_of_search.py --data-home DIR --work-dir RUNS
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev
from typing import Any

from running import RESULTS, images_and_records, parser_for, smol, write_table

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main() -> None:
    """Run what is not yet done; write results/NAME.csv and .png."""
    parser = parser_for(__doc__, "quantization_share_of_search")
    parser.add_argument("--penalty", type=float, default=0.02)
    options = parser.parse_args()
    train, test, records = images_and_records(options)
    for share in SHARES:
        for seed in range(options.seeds):
            if not records.find(share=share, seed=seed):
                settings = {"finetune": 1 - share, "penalty": options.penalty}
                fitted = smol(options, seed, **settings).fit(*train)
                row = {"share": share, "seed": seed, "penalty": options.penalty}
                row["accuracy"] = round(fitted.score(*test), 4)
                records.add(row | {"mean_bits": round(fitted.mean_bits_, 4)})
    rows = [_row(share, records.find(share=share)) for share in SHARES]
    print(write_table(options.name, rows))
    print(draw(rows, options.name))


def _row(share: float, runs: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"share": share, "seeds": len(runs)}
    for key, factor in (("accuracy", 100), ("mean_bits", 1)):
        values = [factor * run[key] for run in runs]
        row[f"{key}_mean"] = round(mean(values), 2)
        row[f"{key}_std"] = round(stdev(values), 2) if len(values) > 1 else 0.0
    return row


def draw(rows: list[dict[str, Any]], name: str) -> Path:
    """Draw accuracy against mean bits, each point with its share of search."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
    bits = [row["mean_bits_mean"] for row in rows]
    scores = [row["accuracy_mean"] for row in rows]
    spread = [row["accuracy_std"] for row in rows]
    ax.errorbar(bits, scores, spread, marker="o", lw=1, capsize=2)
    for row in rows:
        place = row["mean_bits_mean"], row["accuracy_mean"]
        label = f"{row['share']:.0%}"
        ax.annotate(label, place, (5, 5), textcoords="offset points", fontsize=8)
    ax.set(xlabel="mean bits a weight", ylabel="test accuracy [%]")
    ax.set_title("Share of the training that is search", loc="left", fontsize="medium")
    ax.grid(color="0.92")
    path = RESULTS / f"{name}.png"
    fig.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    main()
