"""The least that a learned soft mask can cost beside a dense step.

Adds to a dense training step of LeNet-300-100 only the arithmetic that no version of
continuous sparsification can leave out, on preallocated memory and with nothing around
it: the sigmoid of the logits, the masked weights, the two gradients, and one optimizer
step of the logits. Once in plain torch, with the fused optimizer; once with the two
compiled kernels of the package, which touch each array once each way.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from bench_training_step import dense_step
from networks import LeNet300100
from reporting import median_ratio, paired_times, write_table

from sklearn_pb.kernels import soft_layers
from sklearn_pb.utils import placed

SHAPES = (300, 784), (100, 300), (10, 100)
D = sum(rows * columns for rows, columns in SHAPES)


def main() -> None:
    """Time, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--name", default="mask_floor")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = []
    for batch_size in (128, 256, 512, 1024):
        batch = torch.randn(batch_size, 1, 28, 28), torch.randint(10, (batch_size,))
        dense = dense_step(LeNet300100(), batch, "cpu")
        steps = [with_extra(batch, extra()) for extra in (in_torch, compiled)]
        dense_times, *times = paired_times([dense, *steps], options.repeats)
        ratios = [round(median_ratio(some, dense_times), 3) for some in times]
        row = dict(zip(("torch", "compiled"), ratios, strict=True))
        rows.append({"batch_size": batch_size, **row})
        print(rows[-1], flush=True)
    print(write_table(options.name, rows))


def with_extra(batch: tuple, extra: Callable[[], None]) -> Callable[[], None]:
    """Return a dense step that does something more."""
    dense = dense_step(LeNet300100(), batch, "cpu")

    def step() -> None:
        dense()
        extra()

    return step


def in_torch() -> Callable[[], None]:
    """Return a function that does a mask's arithmetic on tensors of its own."""
    logits = torch.zeros(D)
    optimizer = torch.optim.Adam([logits], lr=0.01, betas=(0.0, 0.9), fused=True)
    weights, gradients = torch.randn(D), torch.randn(D)
    mask, masked, slope = torch.empty(D), torch.empty(D), torch.empty(D)

    def step() -> None:
        torch.sigmoid(logits, out=mask)
        torch.mul(weights, mask, out=masked)
        torch.mul(gradients, weights, out=slope)
        torch.mul(gradients, mask, out=masked)
        torch.ops.aten.sigmoid_backward.grad_input(slope, mask, grad_input=slope)
        logits.grad = slope
        optimizer.step()

    return step


def compiled() -> Callable[[], None]:
    """Return one that does it with compiled kernels."""
    weights, masked, gradients = ([torch.randn(s) for s in SHAPES] for _ in range(3))
    logits, square, mask = (placed(torch.zeros(D), place) for place in (1, 2, 3))
    logits.fill_(8.0)  # a mask of ones and no steps, so that no number becomes denormal
    layers = soft_layers(weights, masked, logits, square, mask)
    assert layers is not None, "this needs numba"

    def step() -> None:
        layers.put(3.0)
        layers.step(gradients, (3.0, 0.0, 0.9, 0.0, 1e-30, 8.0))

    return step


if __name__ == "__main__":
    main()
