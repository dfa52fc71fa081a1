"""Puts sparse layers into a network where they are measured to be faster."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from ..utils import check_choice, check_number
from ._latency import readable_seconds, thread_count, time_in_turn
from ._running import as_arguments, run
from ._sparse_layers import SparseConv, SparseLinear

SPARSE_KINDS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Linear: SparseLinear,
    nn.Conv1d: SparseConv,
    nn.Conv2d: SparseConv,
    nn.Conv3d: SparseConv,
}


@dataclass(frozen=True)
class LayoutChoice:
    """How the weights of one layer are stored, and the times that decided it.

    Parameters
    ----------
    layout : {"csr", "dense"}
        Without zeros (compressed sparse rows), or as they were.
    dense_seconds, sparse_seconds : float
        Median time of the layer either way.
    speedup : float
        How many times faster the sparse layer was: the median over the turns.
    input_shape : tuple of int
        The input it was measured with.
    threads : int
        With how many threads.
    """

    layout: str
    dense_seconds: float
    sparse_seconds: float
    speedup: float
    input_shape: tuple[int, ...]
    threads: int

    def __str__(self) -> str:
        """Return the decision and its reasons in one line."""
        sparse = readable_seconds(self.sparse_seconds)
        dense = readable_seconds(self.dense_seconds)
        shape = " x ".join(map(str, self.input_shape))
        return (
            f"{self.layout}: {sparse} sparse, {dense} dense, {self.speedup:.2f} times "
            f"as fast for inputs of {shape} with {self.threads} threads"
        )


def sparsify(
    module: nn.Module,
    example_inputs: Any,
    *,
    layout: str = "auto",
    threads: int | None = None,
    min_sparsity: float = 0.5,
    min_speedup: float = 1.2,
    repeats: int = 15,
) -> nn.Module:
    """Return a copy of a network that leaves zeros out where that is faster on a CPU.

    Each linear layer and convolution with enough zeros is timed in turn with its sparse
    form on the inputs that it gets from the example, and replaced if the sparse form
    wins. The weights stay exactly the same numbers. Embeddings, recurrent layers,
    transposed convolutions and the projections inside of attention stay dense, and so
    do layers of other classes, parametrized ones included.

    Parameters
    ----------
    module : nn.Module
        The network, on the CPU; its weights are zero where they are pruned.
    example_inputs : torch.Tensor, tuple, list or dict
        One batch of the size that is going to be used: what is faster depends on it.
    layout : {"auto", "csr"}, default="auto"
        "csr" makes every layer sparse that can be, and measures nothing.
    threads : int, default=None
        Number of torch's threads to measure with; None takes the number that is set.
    min_sparsity : float, default=0.5
        Layers with a smaller fraction of zeros stay dense without being measured.
    min_speedup : float, default=1.2
        How many times faster a sparse layer has to be; a little more than 1 because
        a clock is not exact.
    repeats : int, default=15
        How often each layer is timed.

    Returns
    -------
    sparse : nn.Module
        A copy in eval mode for inference. `layout_choices` tells what was decided, and
        so does its `repr`. It pickles and copies; its state dict holds the rows.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, or the network is not on the CPU.

    See Also
    --------
    compact : Removes whole channels instead.
    report : Times the whole network before and after.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import sparsify
    >>> network = torch.nn.Sequential(torch.nn.Linear(6, 3), torch.nn.ReLU())
    >>> network[0].weight.data[:, 1:] = 0.0
    >>> sparsify(network, torch.zeros(2, 6), layout="csr")[0].matrix.n_nonzeros
    3
    """
    check_choice(layout, "layout", ("auto", "csr"))
    check_number(min_sparsity, "min_sparsity", low=0, high=1)
    check_number(min_speedup, "min_speedup", low=0)
    check_number(repeats, "repeats", low=1, integer=True)
    as_arguments(example_inputs)
    _check_on_cpu(module)
    sparse = copy.deepcopy(module).eval()
    replacements: dict[nn.Module, nn.Module] = {}

    def meet(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if layer in replacements or not isinstance(layer.weight, nn.Parameter):
            return
        made = SPARSE_KINDS[type(layer)](layer)
        if layout == "auto":
            choice = _choose(layer, made, inputs[0], min_speedup, repeats)
            layer.layout_choice = made.layout_choice = choice  # type: ignore
            made = made if choice.layout == "csr" else layer
        replacements[layer] = made

    wanted = min_sparsity if layout == "auto" else 0.0
    with thread_count(threads), _watching(sparse, wanted, meet):
        run(sparse, example_inputs)
    return _replace(sparse, replacements)


def layout_choices(module: nn.Module) -> dict[str, LayoutChoice]:
    """Return what `sparsify` decided for each layer that it measured.

    Parameters
    ----------
    module : nn.Module
        What `sparsify` returned, or a part of it.

    Returns
    -------
    choices : dict of str to LayoutChoice
        By module name; layers that were not measured are left out.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import layout_choices
    >>> layout_choices(torch.nn.Linear(2, 2))
    {}
    """
    return {
        name: layer.layout_choice
        for name, layer in module.named_modules()
        if isinstance(getattr(layer, "layout_choice", None), LayoutChoice)
    }


def _check_on_cpu(module: nn.Module) -> None:
    devices = {str(p.device) for p in module.parameters() if p.device.type != "cpu"}
    if devices:
        raise ValueError(
            f"module has parameters on {', '.join(sorted(devices))}; sparse layers are "
            "for the CPU: move the network there with module.cpu(), or use "
            "to_semi_structured on a GPU."
        )


@contextmanager
def _watching(
    module: nn.Module, min_sparsity: float, meet: Callable[..., None]
) -> Iterator[None]:
    """Call `meet` when a layer runs that could be sparse."""
    handles = [
        layer.register_forward_hook(meet)
        for layer in module.modules()
        if type(layer) in SPARSE_KINDS and _can_be_sparse(layer, min_sparsity)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _can_be_sparse(layer: Any, min_sparsity: float) -> bool:
    """Whether a layer has enough zeros and nothing that a copy of it would lose."""
    weight = layer.weight
    if weight.dtype not in (torch.float32, torch.float64) or not weight.numel():
        return False
    if layer._forward_hooks or layer._forward_pre_hooks:
        return False
    return 1 - int(weight.count_nonzero()) / weight.numel() >= min_sparsity


def _choose(
    dense: nn.Module,
    sparse: nn.Module,
    inputs: torch.Tensor,
    min_speedup: float,
    repeats: int,
) -> LayoutChoice:
    actions = {
        "dense": partial(dense.forward, inputs),
        "csr": partial(sparse.forward, inputs),
    }
    times = time_in_turn(actions, repeats)
    speedup = times["dense"].over(times["csr"])
    return LayoutChoice(
        layout="csr" if speedup >= min_speedup else "dense",
        dense_seconds=times["dense"].median,
        sparse_seconds=times["csr"].median,
        speedup=speedup,
        input_shape=tuple(inputs.shape),
        threads=torch.get_num_threads(),
    )


def _replace(module: nn.Module, replacements: dict[nn.Module, nn.Module]) -> nn.Module:
    """Put new layers in the places of old ones, under each name that they have."""
    for name, layer in list(module.named_modules(remove_duplicate=False)):
        new = replacements.get(layer, layer)
        if new is layer:
            continue
        if not name:
            return new
        parent, _, last = name.rpartition(".")
        owner = module.get_submodule(parent)
        setattr(owner, last, new)
    for part in module.modules():
        _leave_fast_path(part)
    return module


def _leave_fast_path(part: nn.Module) -> None:
    """Keep torch's fused encoder from reading the weights of linear layers itself."""
    if not any(isinstance(inner, SparseLinear) for inner in part.modules()):
        return
    if isinstance(part, nn.TransformerEncoderLayer):
        part.activation_relu_or_gelu = 0
    elif isinstance(part, nn.TransformerEncoder):
        part.use_nested_tensor = False
