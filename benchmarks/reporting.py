"""Timing two things in turn, and writing small tables with what they were made by."""

from __future__ import annotations

import csv
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy
import torch

RESULTS = Path(__file__).parent / "results"


def paired_times(
    actions: Sequence[Callable[[], object]], repeats: int, warmup: int = 2
) -> list[list[float]]:
    """Seconds of each action, run in turn so that a slow machine slows all alike."""
    times: list[list[float]] = [[] for _ in actions]
    for repeat in range(warmup + repeats):
        for action, seen in zip(actions, times, strict=True):
            start = time.perf_counter()
            action()
            if repeat >= warmup:
                seen.append(time.perf_counter() - start)
    return times


def median_ratio(numerator: list[float], denominator: list[float]) -> float:
    """Median over the turns of the ratio of two things timed in the same turn."""
    return median(a / b for a, b in zip(numerator, denominator, strict=True))


def write_table(name: str, rows: list[dict]) -> Path:
    """Write rows to results/NAME.csv below a header of versions and the command."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="") as file:
        for line in provenance():
            file.write(f"# {line}\n")
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def provenance() -> list[str]:
    """Where numbers come from: command, versions, machine."""
    return [
        "command: python " + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        f"python {platform.python_version()}, torch {torch.__version__}, "
        f"numpy {numpy.__version__}, {torch.get_num_threads()} threads",
        f"{platform.machine()}, {_processor()}",
    ]


def _processor() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
