"""Latency of ResNet-20 without 75 % of the channels, against the whole network.

Three things are timed in turn in the same process: the dense network, the network with
the channels masked, and the compact one. The figure is the median ratio over the turns.
"""

from __future__ import annotations

import argparse

import torch
from networks import ResNet20
from reporting import median_ratio, paired_times, write_table
from torch import nn

from sklearn_pb.export import compact, count_macs, trace_channels


def main() -> None:
    """Time, print and write the table."""
    options = parse_arguments()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    dense = with_statistics(ResNet20())
    masked = with_statistics(ResNet20())
    mask_channels(masked, options.fraction)
    smaller = compact(masked, torch.randn(2, 3, 32, 32))
    rows = [
        measure(batch_size, dense, masked, smaller, options)
        for batch_size in options.batch_sizes
    ]
    print(write_table(options.name, rows))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fraction", type=float, default=0.75)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="compact")
    return parser.parse_args()


@torch.no_grad()
def with_statistics(module: nn.Module) -> nn.Module:
    """Let batch norms see some data, so that no value is the default."""
    module.train()
    for _ in range(3):
        module(torch.randn(16, 3, 32, 32))
    return module.eval()


def mask_channels(module: nn.Module, fraction: float) -> None:
    """Write zeros into a random part of the channels of each group."""
    for group in trace_channels(module, torch.randn(2, 3, 32, 32)):
        order = torch.randperm(group.n_channels)
        group.clear_(module, order < round(fraction * group.n_channels))


@torch.no_grad()
def measure(
    batch_size: int,
    dense: nn.Module,
    masked: nn.Module,
    smaller: nn.Module,
    options: argparse.Namespace,
) -> dict:
    """Return one row of the table."""
    x = torch.randn(batch_size, 3, 32, 32)
    times = paired_times(
        [lambda: dense(x), lambda: masked(x), lambda: smaller(x)], options.repeats
    )
    middle = [1e3 * sorted(seen)[len(seen) // 2] for seen in times]
    row = {
        "network": "resnet-20",
        "channels_removed": options.fraction,
        "batch_size": batch_size,
        "parameters_ratio": round(n_parameters(dense) / n_parameters(smaller), 2),
        "macs_ratio": round(n_macs(dense) / n_macs(smaller), 2),
        "dense_ms": round(middle[0], 2),
        "masked_ms": round(middle[1], 2),
        "compact_ms": round(middle[2], 2),
        "speed_up": round(median_ratio(times[0], times[2]), 2),
        "max_error": f"{(masked(x) - smaller(x)).abs().max().item():.1e}",
    }
    print(row, flush=True)
    return row


def n_parameters(module: nn.Module) -> int:
    """Count the parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def n_macs(module: nn.Module) -> float:
    """Count the multiply-adds for one image."""
    layers = count_macs(module, torch.randn(1, 3, 32, 32))
    return sum(layer.macs for layer in layers.values())


if __name__ == "__main__":
    main()
