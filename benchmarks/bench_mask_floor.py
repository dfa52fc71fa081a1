"""The least that a learned soft mask can cost beside a dense step, in plain torch.

Adds to a dense training step of LeNet-300-100 only the arithmetic that no version of
continuous sparsification can leave out, on preallocated memory and without any code of
the package: the sigmoid of the logits, the masked weights, the two gradients, and one
fused optimizer step of the logits.
"""

from __future__ import annotations

import argparse

import torch
from bench_training_step import dense_step
from networks import LeNet300100
from reporting import median_ratio, paired_times, write_table

D = 266_200


def main() -> None:
    """Time, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--name", default="mask_floor")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = []
    for batch_size in (128, 512, 1024):
        X = torch.randn(batch_size, 1, 28, 28)
        y = torch.randint(10, (batch_size,))
        dense = dense_step(LeNet300100(), (X, y), "cpu")
        other = dense_step(LeNet300100(), (X, y), "cpu")
        extra = arithmetic_of_a_mask()

        def both(other=other, extra=extra) -> None:
            other()
            extra()

        dense_times, both_times = paired_times([dense, both], options.repeats)
        ratio = round(median_ratio(both_times, dense_times), 3)
        rows.append({"batch_size": batch_size, "ratio": ratio})
        print(rows[-1], flush=True)
    print(write_table(options.name, rows))


def arithmetic_of_a_mask():
    """Return a function that does a step's arithmetic on tensors of its own."""
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


if __name__ == "__main__":
    main()
