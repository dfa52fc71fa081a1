"""A linear layer without its zeros over `nn.Linear`, by zeros, size and batch.

The two are timed in turn in one process with a fixed number of threads; the figure is
the median of the ratio over the turns. A turn of a small layer is several calls. With
``--cold`` other memory is read before each call, as the other layers of a network do,
so that weights do not stay in the caches near the core.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from statistics import median

import torch
from reporting import median_ratio, paired_times, write_table
from torch import nn

from sklearn_pb.export import SparseLinear

SIZES = ["784x300", "300x100", "1024x1024", "4096x1024", "4096x4096"]
TURN = 3e-4  # seconds that a turn should last at least
OTHERS = torch.zeros(1 << 21)  # 8 MB


def main() -> None:
    """Time, print and write the table."""
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rows = [
        measure(size, zeros, batch, options)
        for size in options.sizes
        for zeros in options.zeros
        for batch in options.batches
    ]
    print(write_table(options.name, rows))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="inputs x outputs")
    parser.add_argument(
        "--zeros", nargs="+", type=float, default=[0.9, 0.95, 0.98, 0.99]
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--name", default="sparse_linear")
    return parser.parse_args()


@torch.no_grad()
def measure(size: str, zeros: float, batch: int, options: argparse.Namespace) -> dict:
    """Return one row of the table."""
    n_inputs, n_outputs = map(int, size.split("x"))
    generator = torch.Generator().manual_seed(0)
    dense = nn.Linear(n_inputs, n_outputs)
    drawn = torch.rand(dense.weight.shape, generator=generator)
    dense.weight.mul_(drawn >= zeros)
    sparse = SparseLinear(dense)
    inputs = torch.randn(batch, n_inputs, generator=generator)
    error = float((dense(inputs) - sparse(inputs)).abs().max())
    if options.cold:
        times = cold_times([dense, sparse], inputs, options.repeats)
    else:
        calls = math.ceil(TURN / seconds(dense, inputs))
        turns = [turn_of(layer, inputs, calls) for layer in (dense, sparse)]
        times = [
            [t / calls for t in seen] for seen in paired_times(turns, options.repeats)
        ]
    row = {
        "size": size,
        "zeros": zeros,
        "batch": batch,
        "dense_us": round(1e6 * median(times[0]), 1),
        "sparse_us": round(1e6 * median(times[1]), 1),
        "speedup": round(median_ratio(times[0], times[1]), 2),
        "max_error": f"{error:.1e}",
    }
    print(row, flush=True)
    return row


def seconds(layer: nn.Module, inputs: torch.Tensor) -> float:
    """Seconds of one call, roughly."""
    layer(inputs)
    begun = time.perf_counter()
    layer(inputs)
    return time.perf_counter() - begun


def turn_of(layer: nn.Module, inputs: torch.Tensor, calls: int) -> Callable[[], None]:
    """Return an action of so many calls."""

    def turn() -> None:
        for _ in range(calls):
            layer(inputs)

    return turn


def cold_times(
    layers: list[nn.Module], inputs: torch.Tensor, repeats: int
) -> list[list[float]]:
    """Seconds of single calls, each after a look at other memory."""
    times: list[list[float]] = [[] for _ in layers]
    for repeat in range(repeats + 2):
        for layer, seen in zip(layers, times, strict=True):
            OTHERS.sum()
            begun = time.perf_counter()
            layer(inputs)
            if repeat >= 2:
                seen.append(time.perf_counter() - begun)
    return times


if __name__ == "__main__":
    main()
