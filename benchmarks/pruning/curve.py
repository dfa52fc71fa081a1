"""Where ARMS and ProbMask pass the one-shot cut, and what they lack where they do not.

ARMS is followed over the samples, the epochs and the learning rate of its mask, and
with few variables, channels in place of weights; ProbMask over epochs, its last
temperature, the learning rate of its mask and the share of fine-tuning. One-shot cuts
of magnitudes stand beside them. A row is written when a run ends, so that a killed
study goes on.

    python curve.py --data fashion_mnist --data-home DIR --work-dir RUNS
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import Part, Records, fresh_net, load_images
from reporting import write_table

from sklearn_pb import MaskPruner
from sklearn_pb.exceptions import SparsityWarning
from sklearn_pb.methods import resolve_method
from sklearn_pb.schedules import LinearTemperature


@dataclass(frozen=True)
class Point:
    """A method with settings, on some seeds.

    Parameters
    ----------
    study : str
        What it belongs to.
    method : str
        A preset.
    settings : dict
        Parameters of the pruner; those that are not named are its defaults.
        `final_temperature` is that of the method's linear schedule.
    epochs : int
        How long it trains.
    seeds : int
        How many.
    """

    study: str
    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    epochs: int = 8
    seeds: int = 1

    def key(self) -> dict[str, Any]:
        """Return what its runs are found by."""
        return {k: v for k, v in asdict(self).items() if k not in ("study", "seeds")}


def _one_shot(finetune: float = 0.8, lr: float = 3e-3, **more: Any) -> dict[str, Any]:
    return {"sparsity": 0.98, "estimator__lr": lr, "finetune": finetune, **more}


def _arms(n_samples: int, rate: float, lr: float = 1e-3, **more: Any) -> dict[str, Any]:
    return {
        "sparsity": 0.98,
        "estimator__lr": lr,
        "warmup": 0.2,
        "method__initial_probability": 0.9,
        "method__n_samples": n_samples,
        "method__learning_rate": rate,
        **more,
    }


def _prob_mask(rate: float, lr: float = 3e-3, **more: Any) -> dict[str, Any]:
    settings = {"sparsity": 0.98, "estimator__lr": lr, "method__learning_rate": rate}
    return {**settings, **more}


def points() -> Iterator[Point]:
    """Every point of every study."""
    channels = {"granularity": "channel", "sparsity": 0.75}
    by_layer = _one_shot(**channels, scope="layer")
    yield Point("variables", "magnitude", by_layer, seeds=3)
    yield Point("variables", "magnitude", _one_shot(**channels))
    yield Point("variables", "arms", _arms(8, 0.1, 3e-3, **channels), seeds=3)
    yield Point("epochs", "magnitude", _one_shot(), seeds=3)
    yield Point("epochs", "probmask", _prob_mask(0.03), seeds=3)
    yield Point("epochs", "magnitude", _one_shot(), epochs=24, seeds=3)
    yield Point("epochs", "probmask", _prob_mask(0.03), epochs=24, seeds=3)
    for last in (0.1, 0.3, 0.66):
        warmer = _prob_mask(0.03, final_temperature=last)
        yield Point("temperature", "probmask", warmer, seeds=3)
    for rate in (0.01, 0.1, 0.3):
        yield Point("rate", "probmask", _prob_mask(rate), seeds=3)
    for share in (0.4, 0.6):
        tuned = _prob_mask(0.03, finetune=share)
        yield Point("fine-tuning", "probmask", tuned, seeds=3)
    for n_samples, epochs, *rates in (
        (4, 8, 0.003, 0.01, 0.03, 0.1, 0.3),
        (4, 24, 0.1),
        (16, 8, 0.1, 0.3),
        (16, 24, 0.1, 0.3),
        (64, 8, 0.1),
    ):
        for rate in rates:
            yield Point("samples", "arms", _arms(n_samples, rate), epochs)


def main() -> None:
    """Run the points that are not done, and write results/pruning_curve.csv."""
    options = parse_arguments()
    warnings.simplefilter("ignore", SparsityWarning)
    records = Records(options.work_dir / options.data / "curve.jsonl")
    train, test = load_images(options)
    wanted = [p for p in points() if p.study in options.studies]
    for point in wanted if options.run else []:
        for seed in range(point.seeds):
            key = {**point.key(), "seed": seed}
            if not records.find(**key):
                records.add({**key, **run(point, seed, train, test, options)})
    print(write_table("pruning_curve", table(records)))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--network", default="strided-conv")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    studies = sorted({p.study for p in points()})
    parser.add_argument("--studies", nargs="+", default=studies, choices=studies)
    parser.add_argument(
        "--no-run", dest="run", action="store_false", help="only write the table"
    )
    return parser.parse_args()


def run(
    point: Point, seed: int, train: Part, test: Part, options: argparse.Namespace
) -> dict[str, Any]:
    """Prune once, and return what came of it."""
    pruner = MaskPruner(
        fresh_net(options, point.epochs),
        method=resolve_method(point.method),
        random_state=seed,
    )
    settings = dict(point.settings)
    if "final_temperature" in settings:
        schedule = LinearTemperature(final=settings.pop("final_temperature"))
        settings["method__temperature"] = schedule
    pruner.set_params(**settings).fit(*train)
    return {"accuracy": round(pruner.score(*test), 4)}


def table(records: Records) -> list[dict[str, Any]]:
    """One row a point that has been run."""
    rows = []
    for point in points():
        scores = [100 * found["accuracy"] for found in records.find(**point.key())]
        if scores:
            settings = ", ".join(f"{k}: {v}" for k, v in point.settings.items())
            rows.append(
                {
                    "study": point.study,
                    "method": point.method,
                    "epochs": point.epochs,
                    "settings": settings,
                    "accuracy_mean": round(mean(scores), 2),
                    "accuracy_std": round(stdev(scores), 2) if len(scores) > 1 else "",
                    "seeds": len(scores),
                }
            )
    return rows


if __name__ == "__main__":
    main()
