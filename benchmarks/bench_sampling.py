"""Nanoseconds a sample bit: our sampling beside other ways to draw Bernoulli bits.

All ways of one case are timed in turn in one process. Ours are ``draw`` (samples as
floats), ``weighted sum`` (samples regenerated and accumulated, never stored) and the
same for the coupled samples of ARMS. On a GPU the table also tells which fraction of
the time the bytes written would need at the memory's bandwidth, and the ratio to plain
torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from reporting import paired_times, write_table

from sklearn_pb.distributions import DirichletCopula, Independent
from sklearn_pb.utils import RandomStream

Way = Callable[[], object]


def main() -> None:
    """Time every case, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10**4, 10**6, 10**7])
    parser.add_argument("--samples", nargs="+", type=int, default=[10, 100])
    parser.add_argument(
        "--device", default=None, help="cpu, or cuda where there is one"
    )
    parser.add_argument("--name", default="sampling")
    options = parser.parse_args()
    device = torch.device(
        options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    )
    torch.set_num_threads(1)
    rows = []
    for d in options.sizes:
        for n in options.samples:
            if n * d <= 2e8 or device.type == "cuda":
                rows += case(d, n, device)
    print(write_table(options.name, rows))


def case(d: int, n: int, device: torch.device) -> list[dict]:
    """Rows of one d and n."""
    ways = all_ways(d, n, device)
    repeats = max(3, min(30, int(3e7 / (n * d))))
    times = paired_times([synchronous(way, device) for way in ways.values()], repeats)
    seconds = dict(zip(ways, (median(seen) for seen in times), strict=True))
    best = {name: min(seen) for name, seen in zip(ways, times, strict=True)}
    rows = []
    for name, time in seconds.items():
        row = {"way": name, "d": d, "n": n}
        row["ns_per_bit"] = round(1e9 * time / (n * d), 3)
        row["best_ns_per_bit"] = round(1e9 * best[name] / (n * d), 3)
        row["over_torch_bernoulli"] = round(time / seconds["torch.bernoulli"], 3)
        if device.type == "cuda":
            written = 4 * d * (n if "sum" not in name and "set-up" not in name else 1)
            row["roofline_fraction"] = round(written / bandwidth(device) / time, 3)
        rows.append(row)
        print(row, flush=True)
    return rows


def all_ways(d: int, n: int, device: torch.device) -> dict[str, Way]:
    """What is compared; each makes n samples of d bits."""
    theta = torch.sigmoid(torch.linspace(-3, 3, d, device=device))
    weights = torch.linspace(-1, 1, n, device=device)
    stream = RandomStream(0)
    independent = Independent(theta, n, stream)
    coupled = DirichletCopula(theta, n, stream)
    ways = {
        "draw": rows_of(lambda s: independent.draw(range(s, s + 1)), n),
        "weighted sum": lambda: independent.weighted_sum(weights),
        "coupled set-up": lambda: DirichletCopula(theta, n, stream),
        "coupled draw": rows_of(lambda s: coupled.draw(range(s, s + 1)), n),
        "coupled weighted sum": lambda: coupled.weighted_sum(weights),
        "torch.bernoulli": rows_of(lambda s: torch.bernoulli(theta), n),
        "torch.rand < theta": rows_of(
            lambda s: (torch.rand(d, device=device) < theta).float(), n
        ),
    }
    if device.type == "cpu":
        generator = np.random.Generator(np.random.SFC64(0))
        limits = (theta.numpy() * 65536).astype(np.uint16)

        def sfc64(s: int) -> np.ndarray:
            draws = generator.bit_generator.random_raw(-(-d // 4)).view(np.uint16)
            return draws[:d] < limits

        ways["numpy SFC64 16 bits, to bool, not exact"] = rows_of(sfc64, n)
    return ways


def rows_of(draw: Callable[[int], object], n: int) -> Way:
    """One sample after the other, none kept."""

    def way() -> None:
        for s in range(n):
            draw(s)

    return way


def synchronous(way: Way, device: torch.device) -> Way:
    """Wait for the device, so that the clock sees the work and not its launch."""
    if device.type != "cuda":
        return way

    def waited() -> None:
        way()
        torch.cuda.synchronize(device)

    return waited


def bandwidth(device: torch.device) -> float:
    """Bytes a second that a big fill of the device's memory reaches."""
    block = torch.empty(1 << 28, device=device)
    times = paired_times([synchronous(lambda: block.fill_(1.0), device)], 10)[0]
    return block.numel() * block.element_size() / min(times)


if __name__ == "__main__":
    main()
