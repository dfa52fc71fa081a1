"""What `import sklearn_pb` costs, over importing torch, scikit-learn and skorch.

Each import runs in a process of its own, in turn, and its CPU time is taken: seconds on
the clock of a busy machine tell little. Bytecode is written in the first turn, which
does not count.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from statistics import median

from reporting import median_ratio, write_table

BELOW = "import torch, sklearn, skorch"


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--name", default="import")
    options = parser.parse_args()
    below, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(1 + options.repeats):
            first = cpu_seconds(BELOW, folder)
            second = cpu_seconds(f"{BELOW}, sklearn_pb", folder)
            if repeat:
                below.append(first)
                ours.append(second)
    row = {
        "below_seconds": round(median(below), 2),
        "with_sklearn_pb_seconds": round(median(ours), 2),
        "ratio": round(median_ratio(ours, below), 3),
    }
    print(row)
    print(write_table(options.name, [row]))


def cpu_seconds(statement: str, folder: str) -> float:
    """CPU time of a fresh process that runs a statement, with bytecode in a folder."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
