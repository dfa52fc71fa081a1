"""What a Monte-Carlo step costs and how much its gradient varies, whole or in slices.

Two tables. The first is the time of a training step with n masks over that of a dense
one, both skorch's own, timed in turn; each case has a process of its own, because what
one allocates changes what memory costs the next. The second is the variance of the
gradient for the logits, over masks (and over which rows are in which slice), at a fixed
network and batch: a network trained densely on digits for a few epochs, with every
probability at 1/2, and where 5 % of the weights, the largest, are likely and all others
are not.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
from statistics import median

import torch
from bench_training_step import NETWORKS, dense_step, make_net, masked_step
from reporting import median_ratio, paired_times, write_table
from sklearn.datasets import load_digits
from torch import nn

from sklearn_pb.gradients import ESTIMATORS, traits_of
from sklearn_pb.masks import SingleWeights, prunable_parameters
from sklearn_pb.methods import MonteCarlo, SampledMasks
from sklearn_pb.training import BatchFunction, MaskedModule
from sklearn_pb.training._sampled_pass import SampledPass
from sklearn_pb.utils import RandomStream

EVALUATIONS = ("whole", "sliced", "compared")
KEPT, LIKELY, UNLIKELY = 0.05, 0.95, 0.02


def main() -> None:
    """Measure what was asked for, print and write the tables."""
    options = parse_arguments()
    torch.manual_seed(0)
    if options.case:
        print(json.dumps(run_case(*json.loads(options.case), options)))
        return
    if "time" in options.tables:
        rows = [row for name in options.networks for row in times(name, options)]
        print(write_table(options.name, rows))
    if "variance" in options.tables:
        networks = options.variance_networks
        rows = [row for name in networks for row in variances(name, options)]
        print(write_table(f"{options.name}_variance", rows))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=["time", "variance"])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument(
        "--variance-networks", nargs="+", default=["lenet-300-100", "small-conv"]
    )
    parser.add_argument("--estimators", nargs="+", default=["loorf", "arms"])
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--name", default="monte_carlo_step")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser.parse_args()


def times(network: str, options: argparse.Namespace) -> list[dict]:
    """Return a row for each estimator and evaluation: the step over the dense one."""
    rows = []
    for estimator in options.estimators:
        for evaluation in EVALUATIONS:
            if evaluation == "whole" or traits_of(ESTIMATORS[estimator]).samples:
                case = json.dumps([network, estimator, evaluation])
                command = [sys.executable, *sys.argv, "--case", case]
                rows.append(json.loads(subprocess.check_output(command)))
                print(rows[-1], flush=True)
    return rows


def run_case(
    network: str, estimator: str, evaluation: str, options: argparse.Namespace
) -> dict:
    """Time one case beside the dense step."""
    torch.set_num_threads(1)
    module_class, shape = NETWORKS[network]
    module, n_rows = module_class(), options.batch_size
    batch = torch.randn(n_rows, *shape), torch.randint(10, (n_rows,))
    method = MonteCarlo(
        gradient=estimator, n_samples=options.samples, evaluation=evaluation
    )
    dense, seen = paired_times(
        [
            dense_step(copy.deepcopy(module), batch, options.device),
            masked_step(module, method, batch, options),
        ],
        options.repeats,
    )
    return {
        "network": network,
        "estimator": estimator,
        "evaluation": evaluation,
        "n_samples": options.samples,
        "batch_size": options.batch_size,
        "dense_ms": round(1e3 * median(dense), 2),
        "step_ms": round(1e3 * median(seen), 2),
        "dense_steps": round(median_ratio(seen, dense), 2),
    }


def variances(network: str, options: argparse.Namespace) -> list[dict]:
    """Return a row for each state of the probabilities and each estimator."""
    net, batch = trained_net(network, options)
    rows = []
    for state, theta in states(net.module_).items():
        for estimator in options.estimators:
            found = {
                evaluation: moments(net, batch, theta, estimator, evaluation, options)
                for evaluation in EVALUATIONS
            }
            signal, whole = found["whole"]
            row = {
                "network": network,
                "state": state,
                "estimator": estimator,
                "n_samples": options.samples,
                "squared_mean": f"{signal:.2e}",
                "variance_whole": f"{whole:.2e}",
                **{
                    f"{evaluation}_over_whole": round(found[evaluation][1] / whole, 2)
                    for evaluation in EVALUATIONS[1:]
                },
            }
            print(row, flush=True)
            rows.append(row)
    return rows


def trained_net(network: str, options: argparse.Namespace) -> tuple:
    """Return a net of masked weights that knows digits a little, and a batch."""
    module_class, shape = NETWORKS[network]
    X, y = load_digits(return_X_y=True)
    images = torch.as_tensor(X, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    images = nn.functional.interpolate(images, shape[1:], mode="bilinear")
    images, labels = images.expand(-1, *shape).contiguous(), torch.as_tensor(y)
    net = make_net(module_class(), options.device)
    for _ in range(3):
        for part in torch.randperm(len(y)).split(options.batch_size):
            net.train_step((images[part], labels[part]))
    layout = SingleWeights().layout(net.module_, prunable_parameters(net.module_))
    net.module_ = MaskedModule(net.module_, layout)
    part = torch.randperm(len(y))[: options.batch_size]
    return net, (images[part], labels[part])


def states(masked: MaskedModule) -> dict[str, torch.Tensor]:
    """Return probabilities as they are at the start of a search and near its end."""
    weights = torch.cat([p.detach().flatten() for p in masked.weights.parameters])
    k = round(KEPT * len(weights))
    likely = weights.abs() >= weights.abs().topk(k).values[-1]
    return {
        "start": torch.full_like(weights, 0.5),
        "pruned": torch.where(likely, LIKELY, UNLIKELY),
    }


def moments(
    net: object,
    batch: tuple,
    theta: torch.Tensor,
    estimator: str,
    evaluation: str,
    options: argparse.Namespace,
) -> tuple[float, float]:
    """Return squared mean (less its own noise) and variance, means over coordinates."""
    total, squares = torch.zeros_like(theta), torch.zeros_like(theta)
    for t in range(options.draws):
        stream = RandomStream(1).child(t)
        one = gradient(net, batch, theta, estimator, evaluation, stream, options)
        total += one
        squares += one.square()
    n = options.draws
    variance = float(((squares - total.square() / n) / (n - 1)).mean())
    return float((total / n).square().mean()) - variance / n, variance


def gradient(
    net: object,
    batch: tuple,
    theta: torch.Tensor,
    estimator: str,
    evaluation: str,
    stream: RandomStream,
    options: argparse.Namespace,
) -> torch.Tensor:
    """Return one estimate; rows come in an order of their own."""
    masked, traits = net.module_, traits_of(ESTIMATORS[estimator])
    order = torch.randperm(len(batch[1]), generator=stream.torch_generator())
    batch = tuple(part[order] for part in batch)
    samples = traits.samples(theta, options.samples, stream)
    samples.keep()
    sampled = SampledMasks(
        samples,
        sliced=evaluation != "whole",
        compared=evaluation == "compared",
        slopes=traits.needs_relaxable,
    )
    masked.mask = samples.draw(range(1))[0]
    masked.runner = seen = SampledPass(masked, sampled)
    net.train_step_single(batch)
    masked.collect()
    masked.runner = None
    masked.zero_grad()
    with torch.no_grad():
        return ESTIMATORS[estimator](
            BatchFunction(net, masked, batch, seen),
            torch.logit(theta),
            stream,
            n_samples=options.samples,
            samples=samples,
        ).gradient


if __name__ == "__main__":
    main()
