"""Public instances: the best value found in equal CPU time, ours beside other engines.

    python bench_pb_instances.py --data FOLDER --seconds 10 --seeds 5

FOLDER holds the instance files named in `BEST`. Every engine is called through
`sklearn_pb.minimize` with the same limit of seconds on one core, stops when the best
known value is reached, and takes its turn on each instance and seed. All seconds are
those of the process, so that other work on the machine takes nothing from any engine.
Engines for quadratic functions are given the others as `quadratize` makes them; what
they find is counted by its cost in the original. Rows are appended to the table as they
come, and rows that are in it already are not run again.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from reporting import RESULTS, provenance

from sklearn_pb import Budget, minimize
from sklearn_pb.functions import (
    LABS,
    PseudoBooleanFunction,
    QuadraticFunction,
    load_instance,
    quadratize,
)

# The clock of every budget from now on: seconds of this process, on all its threads.
time.perf_counter = time.process_time

# The least costs known: minus a cut, violated clauses, minus the size of a set.
BEST = {
    "g05_60.0.rud": -536.0,
    "G11.rud": -564.0,
    "bqp100-1.sparse": -7970.0,
    "bqp500-1.sparse": -116586.0,
    "uf050-01.cnf": 0.0,
    "uf100-01.cnf": 0.0,
    "MANN_a9.clq.wcnf": 29.0,
    "karate.gph": -20.0,
    "keller4.gph": -11.0,
    "LABS 20": 26.0,
    "LABS 30": 59.0,
}
ENGINES = [
    "auto",
    "annealing",
    "tabu",
    "dwave-annealing",
    "dwave-tabu",
    "openjij",
    "cp-sat",
]
QUADRATIC_ONLY = ("dwave-annealing", "dwave-tabu")
FIELDS = ["instance", "d", "form", "engine", "seed", "best_known", "found", "gap"]
FIELDS += ["seconds", "to_best", "stop_reason"]


def main() -> None:
    """Run what the table lacks, then print the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--instances", nargs="+", default=list(BEST))
    parser.add_argument("--name", default="pb_instances")
    options = parser.parse_args()
    path = RESULTS / f"{options.name}.csv"
    done = read(path)
    warm_up(options.engines)
    for seed in range(options.seeds):
        for instance in options.instances:
            for engine in options.engines:
                if (instance, engine, str(seed)) not in done:
                    problem = Problem(options.data, instance, engine)
                    row = problem.run(seed, options.seconds)
                    append(path, row)
                    print(*row.values(), flush=True)
    summarise(path)


def warm_up(engines: list[str]) -> None:
    """Let every engine load what it needs before anything is timed."""
    function = QuadraticFunction(np.triu(np.ones((30, 30)), 1) - 3.0 * np.eye(30))
    for engine in engines:
        minimize(function, method=engine, budget=Budget(seconds=0.2), random_state=0)


class Problem:
    """An instance in the form that an engine takes."""

    def __init__(self, folder: Path, instance: str, engine: str) -> None:
        self.original = load(folder, instance)
        self.instance, self.engine = instance, engine
        self.function, self.form = self.original, "as it is"
        self.restrict: Callable[[np.ndarray], torch.Tensor] = torch.as_tensor
        if engine in QUADRATIC_ONLY and not is_quadratic(self.original):
            quadratization = quadratize(self.original)
            self.function, self.form = quadratization.function, "quadratized"
            self.restrict = quadratization.restrict

    def run(self, seed: int, seconds: float) -> dict:
        """Return the row of one run."""
        best = BEST[self.instance]
        budget = Budget(seconds=seconds, target=best)
        start = time.process_time()
        result = minimize(
            self.function, method=self.engine, budget=budget, random_state=seed
        )
        used = time.process_time() - start
        point = self.restrict(result.x.astype(float))
        found = float(self.original(point[None])[0])
        return {
            "instance": self.instance,
            "d": self.function.n_variables,
            "form": self.form,
            "engine": self.engine,
            "seed": seed,
            "best_known": best,
            "found": found,
            "gap": round(found - best, 9),
            "seconds": round(used, 3),
            "to_best": round(used, 3) if found <= best else "",
            "stop_reason": result.stop_reason,
        }


@cache
def load(folder: Path, instance: str) -> PseudoBooleanFunction:
    """Return the function of an instance."""
    if instance.startswith("LABS "):
        return LABS(int(instance.split()[1]))
    return load_instance(folder / instance)


def is_quadratic(function: PseudoBooleanFunction) -> bool:
    """Whether no term of a function has more than two variables."""
    if hasattr(function, "to_quadratic"):
        return True
    return max(map(len, function.to_polynomial().terms)) <= 2


def read(path: Path) -> set[tuple[str, str, str]]:
    """Return what has been run already."""
    if not path.exists():
        return set()
    return {(row["instance"], row["engine"], row["seed"]) for row in rows_of(path)}


def rows_of(path: Path) -> list[dict]:
    """Return the rows of a table below its comment lines."""
    lines = [line for line in path.read_text().splitlines() if line[:1] != "#"]
    return list(csv.DictReader(lines))


def append(path: Path, row: dict) -> None:
    """Add a row, after the head if the table is new."""
    new = not path.exists()
    with open(path, "a", newline="") as file:
        if new:
            file.writelines(f"# {line}\n" for line in provenance())
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        writer.writerow(row)


def summarise(path: Path) -> None:
    """Print the median and worst gap and the median seconds to the best, by engine."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in rows_of(path):
        groups.setdefault((row["instance"], row["engine"]), []).append(row)
    print(
        f"{'instance':18}{'engine':17}{'best':>10}{'median gap':>12}{'worst':>8}  hits"
    )
    for (instance, engine), rows in groups.items():
        gaps = [float(row["gap"]) for row in rows]
        hits = [float(row["to_best"]) for row in rows if row["to_best"]]
        when = f", {statistics.median(hits):.2f} s" if hits else ""
        print(
            f"{instance:18}{engine:17}{float(rows[0]['best_known']):10g}"
            f"{statistics.median(gaps):12g}{max(gaps):8g}"
            f"  {len(hits)}/{len(rows)}{when}"
        )


if __name__ == "__main__":
    main()
