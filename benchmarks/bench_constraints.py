"""What it costs to confine the probabilities of a mask: projection and velocity.

Two tables. `constraints.csv`: milliseconds a step, and by how much the sum misses its
bound, for several numbers of variables. `constraints_resnet20.csv`: the same beside a
training step of ResNet-20, all timed in turn; the share is the median over the turns.

Each constraint is timed where a search spends its time: after some steps from a
uniform start, with steps that are part drift, part noise. The times include copying
the wanted position, which the constraint overwrites. (The velocity constraint closes in
on the bound by a tenth a step, and so is still a little above it.)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import cycle
from statistics import median

import torch
from networks import ResNet20
from reporting import median_ratio, paired_times, write_table
from torch import nn

from sklearn_pb.constraints import (
    Constraint,
    Quota,
    SparsityProjection,
    VelocityConstraint,
)

SPARSITY = 0.95
CONSTRAINTS = {
    "projection": SparsityProjection(schedule=None),
    "velocity, exact": VelocityConstraint(alpha=0.1),
    "velocity, sor x 5": VelocityConstraint(alpha=0.1, solver="sor"),
    "velocity, jacobi x 5": VelocityConstraint(alpha=0.1, solver="jacobi"),
}
BURN_IN = 60


def main() -> None:
    """Time, print and write the tables."""
    options = parse_arguments()
    rows = [row for d in options.sizes for row in by_size(d, options)]
    print(write_table(options.name, rows))
    if options.repeats_of_steps:
        print(write_table(f"{options.name}_resnet20", beside_a_step(options)))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [10**4, 10**5, 10**6, 10**7]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats-of-steps", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--name", default="constraints")
    return parser.parse_args()


def by_size(d: int, options: argparse.Namespace) -> list[dict]:
    """One row a constraint, all of them timed in turn."""
    searches = [Confined([d], c, options.device) for c in CONSTRAINTS.values()]
    times = paired_times([search.step for search in searches], options.repeats)
    rows = []
    for name, search, seen in zip(CONSTRAINTS, searches, times, strict=True):
        row = {
            "variables": d,
            "constraint": name,
            "ms": round(1e3 * median(seen), 3),
            "ns_per_variable": round(1e9 * median(seen) / d, 2),
            "excess_of_sum": f"{search.excess():.1e}",
        }
        print(row, flush=True)
        rows.append(row)
    return rows


def beside_a_step(options: argparse.Namespace) -> list[dict]:
    """One row a constraint and scope of the bound, beside a step of ResNet-20."""
    module = ResNet20()
    layers = [p.numel() for p in module.parameters() if p.ndim > 1]
    scopes = {"global": [sum(layers)], "per layer": layers}
    searches = {
        (scope, name): Confined(sizes, constraint, options.device)
        for scope, sizes in scopes.items()
        for name, constraint in CONSTRAINTS.items()
    }
    actions = [training_step(module, options.batch_size, options.device)]
    actions += [search.step for search in searches.values()]
    steps, *confined = paired_times(actions, options.repeats_of_steps)
    rows = []
    for (scope, name), seen in zip(searches, confined, strict=True):
        row = {
            "variables": sum(layers),
            "scope": scope,
            "constraint": name,
            "step_ms": round(1e3 * median(steps), 1),
            "constraint_ms": round(1e3 * median(seen), 3),
            "share_percent": round(100 * median_ratio(seen, steps), 2),
        }
        print(row, flush=True)
        rows.append(row)
    return rows


class Confined:
    """Probabilities some way into a search, and the steps that it wants next."""

    def __init__(
        self, sizes: Sequence[int], constraint: Constraint, device: str
    ) -> None:
        self.device = device
        self.bound = (1 - SPARSITY) * sum(sizes)
        self.run = constraint.start(Quota.proportional(sizes, SPARSITY), 0.5)
        generator = torch.Generator().manual_seed(0)
        d = sum(sizes)
        drift = 0.002 * torch.randn(d, generator=generator)
        noise = [0.01 * torch.randn(d, generator=generator) for _ in range(4)]
        steps = [(drift + n).to(device) for n in noise]
        self.theta = torch.full((d,), 0.5, device=device)
        for i in range(BURN_IN):
            wanted = self.theta + steps[i % 4]
            self.theta = self.run.confine_(wanted, self.theta, i / BURN_IN)
        self.wanted = cycle([self.theta + step for step in steps])
        self.position = self.theta.clone()

    def step(self) -> None:
        """Confine one step."""
        self.position.copy_(next(self.wanted))
        self.run.confine_(self.position, self.theta, 1.0)
        synchronize(self.device)

    def excess(self) -> float:
        """By how much the sum is above its bound, over the bound."""
        return float(self.position.double().sum()) / self.bound - 1


def training_step(
    module: nn.Module, batch_size: int, device: str
) -> Callable[[], None]:
    """A step of plain torch: no mask, no loop around it."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(batch_size, 3, 32, 32, generator=generator).to(device)
    y = torch.randint(10, (batch_size,), generator=generator).to(device)
    module.to(device).train()
    optimizer = torch.optim.Adam(module.parameters())

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(X), y).backward()
        optimizer.step()
        synchronize(device)

    return step


def synchronize(device: str) -> None:
    """Wait for the device."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
