"""Public instances: the best value found in equal seconds, ours beside other engines.

    python bench_pb_instances.py --data FOLDER --seconds 10 --seeds 5

FOLDER holds the instance files named in `BEST`. Every engine is called through
`sklearn_pb.minimize` with the same limit of seconds on one core, stops when the best
known value is reached, and takes its turn on each instance and seed. Rows are appended
to the table as they come, and rows that are in it already are not run again.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from pathlib import Path

from reporting import RESULTS, provenance

from sklearn_pb import Budget, minimize
from sklearn_pb.functions import LABS, PseudoBooleanFunction, load_instance

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
FIELDS = ["instance", "d", "engine", "seed", "best_known", "found", "gap", "seconds"]
FIELDS += ["to_best", "stop_reason"]


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
    for instance in options.instances:
        function = load(options.data, instance)
        for seed in range(options.seeds):
            for engine in options.engines:
                if (instance, engine, str(seed)) not in done:
                    row = run(function, instance, engine, seed, options.seconds)
                    append(path, row)
                    print(*row.values(), flush=True)
    summarise(path)


def load(folder: Path, instance: str) -> PseudoBooleanFunction:
    """Return the function of an instance."""
    if instance.startswith("LABS "):
        return LABS(int(instance.split()[1]))
    return load_instance(folder / instance)


def run(
    function: PseudoBooleanFunction,
    instance: str,
    engine: str,
    seed: int,
    seconds: float,
) -> dict:
    """Return the row of one run."""
    best = BEST[instance]
    budget = Budget(seconds=seconds, target=best)
    start = time.perf_counter()
    try:
        result = minimize(function, method=engine, budget=budget, random_state=seed)
        found, reason = result.fun, result.stop_reason
    except ValueError as error:  # an engine for quadratic functions only
        found, reason = float("nan"), f"refused: {error}"[:60]
    used = time.perf_counter() - start
    return {
        "instance": instance,
        "d": function.n_variables,
        "engine": engine,
        "seed": seed,
        "best_known": best,
        "found": found,
        "gap": round(found - best, 9),
        "seconds": round(used, 3),
        "to_best": round(used, 3) if found <= best else "",
        "stop_reason": reason,
    }


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
