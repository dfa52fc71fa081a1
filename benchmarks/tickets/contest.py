"""Searches for tickets in one network, with what they find and what they cost.

For each search and seed a SparseTicketFinder looks for tickets and retrains them. They
are judged on rows put aside; the sparsest matching and the best one are then scored on
the test part as well, beside the dense network. A row is written when a search ends,
and one that was killed goes on where it was; several processes may share the searches.

    python contest.py --data fashion_mnist --data-home DIR --work-dir RUNS
    python summary.py --work-dir RUNS
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import Part, Records, load_images
from settings import CONTENDERS, EXPERIMENTS, SETTINGS, Contender

from sklearn_pb import SparseTicketFinder

_KEPT = (
    *("search", "run", "round", "sparsity", "layer_sparsity", "score"),
    *("search_epochs", "retrain_epochs", "controls"),
)


def parse_arguments() -> argparse.Namespace:
    """Read the command line; what is not given is as the network has it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="fashion_mnist")
    add("--data-home", default=None)
    add("--work-dir", type=Path, required=True)
    add("--network", choices=SETTINGS, default="strided-conv")
    add("--experiment", choices=EXPERIMENTS, default="table_4_2")
    add("--searches", nargs="+", choices=CONTENDERS, help="instead of its own")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--rows", type=int, default=10_000, help="to train on")
    add("--validation-rows", type=int, default=5_000)
    add("--rounds", type=int)
    add("--few-rounds", type=int)
    add("--epochs", type=int)
    add("--batch-size", type=int)
    add("--prune-rate", type=float)
    add("--rewind-epoch", type=int)
    add("--s-init", nargs="+", type=float)
    add("--no-controls", action="store_true")
    add("--n-jobs", type=int, default=None)
    add("--device", default="cpu")
    options = parser.parse_args()
    setting = SETTINGS[options.network]
    for name, value in vars(options).items():
        if value is None and hasattr(setting, name):
            setattr(options, name, getattr(setting, name))
    return options


def main() -> None:
    """Run what is not yet done."""
    options = parse_arguments()
    warnings.filterwarnings("ignore", message="no ticket scores")  # the table tells
    n_train = options.rows
    options.rows += options.validation_rows
    rows, test = load_images(options)
    train = tuple(part[:n_train] for part in rows)
    valid = tuple(part[n_train:] for part in rows)
    for seed in options.seeds:
        for name in options.searches or EXPERIMENTS[options.experiment]:
            Run(name, seed, options).complete(train, valid, test)


class Run:
    """One search with one seed.

    Parameters
    ----------
    name : str
        A key of `CONTENDERS`.
    seed : int
        The random state of all of it.
    options : argparse.Namespace
        The command line.
    """

    def __init__(self, name: str, seed: int, options: argparse.Namespace) -> None:
        self.name, self.seed, self.options = name, seed, options
        self.contender: Contender = CONTENDERS[name]
        self.setting = SETTINGS[options.network]
        self.folder = options.work_dir / options.data / options.network
        self.records = Records(self.folder / f"{name}.jsonl")

    @property
    def plan(self) -> dict[str, Any]:
        """What makes this run another one than those in the file."""
        options, contender = self.options, self.contender
        plan = {
            "name": self.name,
            "seed": self.seed,
            "rows": options.rows - options.validation_rows,
            "validation_rows": options.validation_rows,
            "epochs": options.epochs,
            "rounds": options.few_rounds if contender.few_rounds else options.rounds,
            "batch_size": options.batch_size,
            "rewind_epoch": options.rewind_epoch,
            "prune_rate": contender.prune_rate or options.prune_rate,
            "controls": [] if options.no_controls else list(contender.controls),
        }
        if contender.few_rounds:
            plan["s_init"] = list(options.s_init)
        return plan

    def complete(self, train: Part, valid: Part, test: Part) -> None:
        """Search and write what was found, unless that is done."""
        if self.records.find(**self.plan):
            return
        finder = self.finder()
        start = time.perf_counter()
        finder.fit(*train, X_val=valid[0], y_val=valid[1])
        seconds = time.perf_counter() - start
        matching = None
        if finder.sparsest_matching_ is not None:
            matching = tested(finder, test)
        dense = replace(finder.ticket_, masks={})  # all weights, from the same start
        dense_test = finder.transfer(*train, ticket=dense).score(*test)
        finder.set_params(select="best").fit(*train, X_val=valid[0], y_val=valid[1])
        self.records.add(
            {
                **self.plan,
                "seconds": round(seconds, 1),
                "dense": {"score": finder.dense_scores_[0], "test": dense_test},
                "tickets": [
                    {key: getattr(ticket, key) for key in _KEPT}
                    for ticket in finder.tickets_
                ],
                "sparsest_matching": matching,
                "best": tested(finder, test),
            }
        )
        shutil.rmtree(finder.checkpoint)

    def finder(self) -> SparseTicketFinder:
        """Return the finder of this run, its state in a folder."""
        options, plan = self.options, self.plan
        return SparseTicketFinder(
            self.setting.make_net(options),
            search=self.contender.search(options.s_init),
            n_rounds=plan["rounds"],
            rewind_epoch=plan["rewind_epoch"],
            prune_rate=plan["prune_rate"],
            controls=tuple(plan["controls"]),
            include=self.setting.include,
            random_state=self.seed,
            n_jobs=options.n_jobs,
            checkpoint=self.folder / f"{self.name}-{self.seed}",
        )


def tested(finder: SparseTicketFinder, test: Part) -> dict[str, Any]:
    """Which of all tickets the chosen one is, and its accuracy on the test part."""
    tickets = finder.tickets_
    place = next(k for k, one in enumerate(tickets) if one is finder.ticket_)
    return {"ticket": place, "test": finder.score(*test)}


if __name__ == "__main__":
    main()
