"""A training step with a mask over a dense one, for each method and network.

Both steps are skorch's own, timed in turn in the same process; the figure is the median
of the ratio over the turns.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable

import torch
from networks import LeNet300100, ResNet20, SmallConv
from reporting import median_ratio, paired_times, write_table
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb.constraints import Quota
from sklearn_pb.masks import SingleWeights, prunable_parameters
from sklearn_pb.methods import SearchSpace, Weights, resolve_method
from sklearn_pb.training import MaskedModule, MaskTraining
from sklearn_pb.utils import RandomStream

NETWORKS = {
    "lenet-300-100": (LeNet300100, (1, 28, 28)),
    "small-conv": (SmallConv, (1, 28, 28)),
    "resnet-20": (ResNet20, (3, 32, 32)),
}
METHODS = ["continuous", "straight-through", "gmp", "magnitude", "loorf", "arms"]


def main() -> None:
    """Time, print and write the table."""
    options = parse_arguments()
    torch.manual_seed(0)
    rows = [
        measure(network, method, options)
        for network in options.networks
        for method in options.methods
    ]
    print(write_table(options.name, rows))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--name", default="training_step")
    return parser.parse_args()


def measure(network: str, method: str, options: argparse.Namespace) -> dict:
    """Return one row of the table."""
    module_class, shape = NETWORKS[network]
    module = module_class()
    X = torch.randn(options.batch_size, *shape)
    y = torch.randint(10, (options.batch_size,))
    dense = dense_step(copy.deepcopy(module), (X, y), options.device)
    masked = masked_step(module, method, (X, y), options)
    dense_times, masked_times = paired_times([dense, masked], options.repeats)
    row = {
        "network": network,
        "method": method,
        "batch_size": options.batch_size,
        "dense_ms": round(1e3 * sorted(dense_times)[len(dense_times) // 2], 2),
        "masked_ms": round(1e3 * sorted(masked_times)[len(masked_times) // 2], 2),
        "ratio": round(median_ratio(masked_times, dense_times), 3),
    }
    print(row, flush=True)
    return row


def make_net(module: nn.Module, device: str) -> NeuralNetClassifier:
    """Return an initialised net with the optimizer of the default network."""
    net = NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        callbacks="disable",
        device=device,
        verbose=0,
    ).initialize()
    net.history.new_epoch()
    return net


def dense_step(module: nn.Module, batch: tuple, device: str) -> Callable[[], None]:
    """Return an ordinary training step of skorch's."""
    net = make_net(module, device)

    def step() -> None:
        net.notify("on_batch_begin", batch=batch, training=True)
        seen = net.train_step(batch)
        seen["loss"].item()
        net.notify("on_batch_end", batch=batch, training=True, **seen)
        synchronize(device)

    return step


def masked_step(
    module: nn.Module, name: str, batch: tuple, options: argparse.Namespace
) -> Callable[[], None]:
    """Return a training step in the middle of a search."""
    net = make_net(module, options.device)
    module = net.module_
    layout = SingleWeights().layout(module, prunable_parameters(module))
    masked = MaskedModule(module, layout)
    method = resolve_method(name)

    def values() -> torch.Tensor:
        weights = layout.parameters(masked.module)
        return torch.cat([w.detach().flatten() for w in weights])

    space = SearchSpace(
        layout.n_variables,
        RandomStream(0),
        quota=Quota.proportional([layout.n_variables], 0.95),
        constraint=method.default_constraint(),
        weights=Weights.single(values),
        device=options.device,
    )
    training = MaskTraining(masked, lambda: method.start(space), 0.0, 0.2)
    net.module_ = masked
    net.callbacks_ = [("mask", training)]
    net.set_params(max_epochs=10 * (options.repeats + 2))
    training.plan(10 * (options.repeats + 2))

    def step() -> None:
        net.notify("on_batch_begin", batch=batch, training=True)
        seen = net.train_step(batch)
        net.notify("on_batch_end", batch=batch, training=True, **seen)
        synchronize(options.device)

    return step


def synchronize(device: str) -> None:
    """Wait for the device."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
