"""Are learned precisions worth something without the weights they were learned with?

SMOL finds a precision for each weight. The same network is then trained from fresh
weights with these precisions from the first step on, and once more with the precisions
of each layer shuffled: Savarese (2025), section 5.5.3, table 5.6 and figure 5.8. Scales
are those of the first training. A weight without bits stays zero.

    python precisions_kept.py --data-home DIR --work-dir RUNS
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev
from typing import Any, ClassVar

import torch
from running import RESULTS, images_and_records, parser_for, smol, write_table

from sklearn_pb.quantizers import QuantizationSpace, QuantizedTensor, Smol

ARMS = ("smol", "same", "shuffled")


class KeptPrecisions(Smol):
    """SMOL whose precisions and scales are known when it starts.

    Parameters
    ----------
    quantized : list of QuantizedTensor
        What they are taken from.
    distance, penalty : float
        As of `Smol`; without effect.
    """

    learns_precision: ClassVar[bool] = False

    def __init__(
        self,
        quantized: list[QuantizedTensor] | None = None,
        *,
        distance: float = 12.0,
        penalty: float = 0.2,
    ) -> None:
        super().__init__(distance=distance, penalty=penalty)
        self.quantized = quantized

    def start(self, space: QuantizationSpace) -> Any:
        """Begin a run that only fine-tunes."""
        run = super().start(space)
        kept = self.quantized or []
        # The estimator also tries a method out, on a single weight.
        if [each.shape for each in kept] == [w.shape for w in space.weights]:
            device = space.weights[0].device
            run.bits = [each.bits.expand(each.shape).to(device) for each in kept]
            run.scales.values = [_scale(each).to(device) for each in kept]
        return run


def _scale(kept: QuantizedTensor) -> torch.Tensor:
    """What codes were scaled by: a step is the scale over 2^(P - 1)."""
    return kept.step * 2.0 ** (int(kept.bits.max()) - 1)


def shuffled(quantized: list[QuantizedTensor], seed: int) -> list[QuantizedTensor]:
    """The precisions of each layer at random places; codes play no role any more."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for kept in quantized:
        bits = kept.bits.expand(kept.shape).flatten()
        order = torch.randperm(len(bits), generator=generator)
        bits = bits[order].view(kept.shape)
        found.append(QuantizedTensor(kept.codes, kept.step, bits))
    return found


def main() -> None:
    """Run what is not yet done; write results/NAME.csv and .png."""
    parser = parser_for(__doc__, "quantization_precisions_kept")
    parser.add_argument("--bits", type=float, default=1.5)
    options = parser.parse_args()
    train, test, records = images_and_records(options)
    for seed in range(options.seeds):
        if len(records.find(seed=seed)) == len(ARMS):
            continue
        first = smol(options, seed, target_bits=options.bits).fit(*train)
        kept = list(first.quantized_.values())
        methods = {
            "smol": None,
            "same": KeptPrecisions(kept),
            "shuffled": KeptPrecisions(shuffled(kept, seed)),
        }
        for arm, method in methods.items():
            if not records.find(seed=seed, arm=arm):
                again = {"method": method, "finetune": 0.0, "scale": "layer"}
                fitted = first if method is None else smol(options, seed + 100, **again)
                fitted = fitted if method is None else fitted.fit(*train)
                losses = [round(row["train_loss"], 4) for row in fitted.history_]
                row = {"arm": arm, "seed": seed, "losses": losses}
                row["accuracy"] = round(fitted.score(*test), 4)
                records.add(row | {"mean_bits": round(fitted.mean_bits_, 4)})
    rows = [_row(arm, records.find(arm=arm)) for arm in ARMS]
    print(write_table(options.name, rows))
    print(draw(records.rows, options.name))


def _row(arm: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    scores = [100 * run["accuracy"] for run in runs]
    return {
        "precisions": arm,
        "mean_bits": round(mean(run["mean_bits"] for run in runs), 3),
        "accuracy_mean": round(mean(scores), 2),
        "accuracy_std": round(stdev(scores), 2) if len(scores) > 1 else 0.0,
        "seeds": len(runs),
    }


def draw(runs: list[dict[str, Any]], name: str) -> Path:
    """Draw the losses of the second trainings, epoch by epoch."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
    for number, arm in enumerate(ARMS[1:]):
        lines = [run["losses"] for run in runs if run["arm"] == arm]
        for line in lines:
            label = f"{arm} precisions" if line is lines[0] else None
            ax.plot(range(1, len(line) + 1), line, color=f"C{number}", label=label)
    ax.set(xlabel="epoch", ylabel="training loss", yscale="log")
    ax.grid(color="0.92")
    ax.legend(frameon=False)
    path = RESULTS / f"{name}.png"
    fig.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    main()
