"""How much smaller and faster a pruned network is, layer by layer and as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..utils import check_number
from ._coding import coded_bytes
from ._latency import measure_latency, thread_count
from ._macs import count_macs, sum_uses
from ._report_tables import LayerReport, NetworkReport, Report
from ._running import count_samples
from ._sparsify import layout_choices, sparsify

Masks = Mapping[str, torch.Tensor]
REST = "(the rest)"  # of the network: biases, norms, products of activations


def report(
    module: nn.Module,
    masks: Masks | None,
    example_inputs: Any,
    *,
    latency: bool = True,
    repeats: int = 20,
    threads: int | None = None,
    compacted: nn.Module | None = None,
    n_samples: int | None = None,
) -> Report:
    """Count and time what pruning saved.

    Parameters
    ----------
    module : nn.Module
        The network with its layers as they were, zero where it is pruned.
    masks : dict of str to torch.Tensor, or None
        True where a weight is kept, by parameter name; parameters without a mask count
        as kept. None counts what is not zero.
    example_inputs : torch.Tensor, tuple, list or dict
        One batch of the size that is going to be used.
    latency : bool, default=True
        Whether to time the network as it is, then (on a CPU) with its layers made
        sparse where that is faster, and compact, all in turn.
    repeats : int, default=20
        How many turns.
    threads : int, default=None
        With how many threads of torch's; None takes the number that is set.
    compacted : nn.Module, default=None
        The same network without its pruned channels, from `compact`.
    n_samples : int, default=None
        How many samples the batch holds. None takes the first axis of its first tensor.

    Returns
    -------
    report : Report
        Prints as a table.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, or a mask fits no parameter.

    See Also
    --------
    sklearn_pb.inspection.ReportDisplay : Draws it.

    Notes
    -----
    Effective multiply-adds are the kept weights times their uses, see `weight_uses`,
    and all products of activations with activations.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import report
    >>> network = torch.nn.Linear(10, 100, bias=False)
    >>> network.weight.data[:, 1:] = 0.0
    >>> costs = report(network, None, torch.zeros(1, 10), latency=False)
    >>> costs.total.sparsity, costs.total.macs, costs.total.effective_macs
    (0.9, 1000.0, 100.0)
    """
    check_number(repeats, "repeats", low=1, integer=True)
    if n_samples is None:
        n_samples = count_samples(example_inputs)
    _check_masks(module, masks)
    timed: dict[str, nn.Module] = {}
    if latency:
        timed = _ways_to_run(module, example_inputs, threads, compacted)
    layers = _layers(module, masks, example_inputs, n_samples, timed.get("sparse"))
    latencies = measure_latency(timed, example_inputs, repeats=repeats, threads=threads)
    total = Report(layers, {}, n_samples, 0).total
    networks = {
        "dense": NetworkReport(total.weights, total.n_bytes, total.macs),
        "sparse": NetworkReport(
            total.nonzeros, total.packed_bytes, total.effective_macs
        ),
    }
    if compacted is not None:
        networks["compact"] = _compact_network(compacted, example_inputs, n_samples)
    return Report(
        layers,
        {
            name: replace(row, latency=latencies.get(name))
            for name, row in networks.items()
        },
        n_samples,
        torch.get_num_threads() if threads is None else threads,
    )


def _check_masks(module: nn.Module, masks: Masks | None) -> None:
    parameters = dict(module.named_parameters())
    for name, mask in (masks or {}).items():
        if name not in parameters:
            raise ValueError(f"masks has {name!r}, which is no parameter of module.")
        if mask.shape != parameters[name].shape:
            raise ValueError(
                f"masks[{name!r}] has shape {tuple(mask.shape)}, but the parameter has "
                f"{tuple(parameters[name].shape)}."
            )


def _ways_to_run(
    module: nn.Module,
    example_inputs: Any,
    threads: int | None,
    compacted: nn.Module | None,
) -> dict[str, nn.Module]:
    ways = {"dense": module}
    if all(parameter.device.type == "cpu" for parameter in module.parameters()):
        with thread_count(threads):
            ways["sparse"] = sparsify(module, example_inputs)
    if compacted is not None:
        ways["compact"] = compacted
    return ways


def _layers(
    module: nn.Module,
    masks: Masks | None,
    example_inputs: Any,
    n_samples: int,
    sparse: nn.Module | None,
) -> tuple[LayerReport, ...]:
    """Return a row for each matrix of weights, and one for the rest."""
    counts = count_macs(module, example_inputs, n_samples=n_samples)
    uses = sum_uses(module, counts)
    choices = {} if sparse is None else layout_choices(sparse)
    rows: list[LayerReport] = []
    rest: list[LayerReport] = []
    for name, parameter in module.named_parameters():
        mask = None if masks is None else masks.get(name, torch.ones_like(parameter))
        nonzeros = int((parameter if mask is None else mask).count_nonzero())
        holder = name.rpartition(".")[0]
        row = LayerReport(
            name,
            type(module.get_submodule(holder)).__name__,
            tuple(parameter.shape),
            parameter.numel(),
            nonzeros,
            parameter.numel() * parameter.element_size(),
            coded_bytes(parameter, mask),
            parameter.numel() * uses[name],
            nonzeros * uses[name],
            choices.get(holder) if name.endswith("weight") else None,
        )
        (rows if parameter.ndim >= 2 else rest).append(row)
    products = math.fsum(layer.activation_macs for layer in counts.values())
    return (*rows, _sum_of(rest, products))


def _sum_of(rows: list[LayerReport], products: float) -> LayerReport:
    return LayerReport(
        REST,
        "",
        (),
        sum(row.weights for row in rows),
        sum(row.nonzeros for row in rows),
        sum(row.n_bytes for row in rows),
        sum(row.packed_bytes for row in rows),
        sum(row.macs for row in rows) + products,
        sum(row.effective_macs for row in rows) + products,
    )


def _compact_network(
    compacted: nn.Module, example_inputs: Any, n_samples: int
) -> NetworkReport:
    layers = count_macs(compacted, example_inputs, n_samples=n_samples).values()
    parameters = list(compacted.parameters())
    return NetworkReport(
        sum(parameter.numel() for parameter in parameters),
        sum(coded_bytes(parameter) for parameter in parameters),
        math.fsum(layer.macs for layer in layers),
    )
