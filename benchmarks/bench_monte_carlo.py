"""Time and extra memory of LOORF and ARMS against the plain torch way.

The plain way holds an (n, d) matrix of samples. Each case runs in a process of its own,
so that its peak memory is its own; J is a linear function that needs no memory. Beside
the time a sample bit of the whole step (every sample drawn, evaluated, drawn again and
accumulated) stands what ``torch.bernoulli`` alone takes a bit.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from statistics import median

import torch
from reporting import paired_times, write_table

from sklearn_pb.gradients import arms, loorf
from sklearn_pb.utils import RandomStream

ESTIMATORS = {"loorf": loorf, "arms": arms}
WARM = 5000
LEAST = 10**5
OVER = "not run: over 12 GB"


def main() -> None:
    """Run every case in its own process, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10**4, 10**6, 10**7])
    parser.add_argument("--samples", nargs="+", type=int, default=[2, 10, 100])
    parser.add_argument("--name", default="monte_carlo")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(run_case(**json.loads(options.case))))
        return
    rows = []
    for d in options.sizes:
        for n in options.samples:
            for estimator in ESTIMATORS:
                row = compare(estimator, d, n)
                print(row, flush=True)
                rows.append(row)
    print(write_table(options.name, rows))


def compare(estimator: str, d: int, n: int) -> dict:
    """Return one row: ours beside the plain way."""
    ours = in_process(estimator=estimator, d=d, n=n, plain=False)
    fits = 12 * n * d < 12e9
    plain = in_process(estimator=estimator, d=d, n=n, plain=True) if fits else {}
    return {
        "estimator": estimator,
        "d": d,
        "n": n,
        "ms": ours["ms"],
        "ns_per_sample_bit": round(ours["ms"] * 1e6 / (n * d), 2),
        "torch_bernoulli_ns": ours["torch_bernoulli_ns"],
        "extra_floats_per_d": ours["floats_per_d"],
        "plain_ms": plain.get("ms", OVER),
        "plain_floats_per_d": plain.get("floats_per_d", OVER),
        "plain_over_ours": round(plain["ms"] / ours["ms"], 2) if plain else "",
    }


def in_process(**case) -> dict:
    """Run one case in a fresh process."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    return json.loads(subprocess.check_output(command))


def run_case(estimator: str, d: int, n: int, plain: bool) -> dict:
    """Time one gradient and the memory it takes beyond what was there before."""
    torch.set_num_threads(1)
    logits = torch.linspace(-3, 3, d)
    slopes = torch.linspace(-1, 1, d)
    estimate = PLAIN[estimator] if plain else ESTIMATORS[estimator]

    def step(t: int) -> None:
        estimate(lambda Z: Z @ slopes, logits, RandomStream(0).child(t), n_samples=n)

    # Load code, with too many bits to be kept: the kernels are compiled, too.
    small, few = torch.zeros(WARM), torch.zeros(WARM)
    for _ in range(3):
        estimate(lambda Z: Z @ few, small, RandomStream(0), n_samples=n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step(0)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    repeats = max(3, min(20, int(2e8 / (n * d))))
    theta = torch.sigmoid(logits)
    seconds, plain_seconds = map(
        median, paired_times([lambda: step(1), lambda: torch.bernoulli(theta)], repeats)
    )
    return {
        "ms": round(1e3 * seconds, 2),
        "torch_bernoulli_ns": round(1e9 * plain_seconds / d, 2),
        # Of less, the process takes whole pages: the tests count what is allocated.
        "floats_per_d": round((after - before) * 256 / d, 2) if d >= LEAST else "",
    }


def plain_loorf(function, logits, stream, *, n_samples):
    """LOORF as it is usually written: all samples at once."""
    theta = torch.sigmoid(logits)
    Z = torch.bernoulli(theta.expand(n_samples, -1))
    costs = function(Z)
    weights = (costs - costs.mean()) / (n_samples - 1)
    return (weights[:, None] * (Z - theta)).sum(0)


def plain_arms(function, logits, stream, *, n_samples):
    """ARMS as it is usually written: all uniforms and samples at once."""
    n, theta = n_samples, torch.sigmoid(logits)
    E = -torch.log(torch.rand(n, len(theta)))
    u = 1 - (1 - E / E.sum(0)) ** (n - 1)
    high = theta > 0.5
    Z = torch.where(high, u <= theta, 1 - u <= theta).to(theta)
    q = torch.minimum(theta, 1 - theta)
    both = (2 * q ** (1 / (n - 1)) - 1).clamp(min=0) ** (n - 1)
    rho = (both - q**2) / (q * (1 - q))
    costs = function(Z)
    weights = (costs - costs.mean()) / (n - 1)
    return (weights[:, None] * (Z - theta)).sum(0) / (1 - rho)


PLAIN = {"loorf": plain_loorf, "arms": plain_arms}


if __name__ == "__main__":
    main()
