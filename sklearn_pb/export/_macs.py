"""Multiply-adds of a network: by layer, and by use of each weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from ..utils import check_number
from ._mac_rules import RULES, owner_of
from ._running import count_samples, run


@dataclass(frozen=True)
class LayerMacs:
    """Multiply-adds of one layer, for one sample.

    Parameters
    ----------
    kind : str
        The class of the layer.
    macs : float
        Multiply-adds. A layer that runs several times is counted each time.
    positions : dict of str to float
        How many multiply-adds each weight of a parameter takes part in, by qualified
        parameter name: the number of output positions for a convolution, of steps for
        a recurrent layer, 1 for a linear layer on vectors.
    activation_macs : float, default=0.0
        Those of `macs` that multiply activations with activations, as the scores of
        attention do; no zero among the weights saves them.

    Examples
    --------
    >>> from sklearn_pb.export import LayerMacs
    >>> LayerMacs("Linear", 12.0, {"0.weight": 1.0}).macs
    12.0
    """

    kind: str
    macs: float
    positions: dict[str, float] = field(default_factory=dict)
    activation_macs: float = 0.0


def count_macs(
    module: nn.Module, example_inputs: Any, *, n_samples: int | None = None
) -> dict[str, LayerMacs]:
    """Count the multiply-adds of each layer by running the network once.

    Counted are matrix products and convolutions, wherever they are called from: linear,
    bilinear, convolutional, transposed and recurrent layers, attention with its
    projections, `einsum` and plain products. Biases, norms, activations, pooling and
    embeddings are not multiply-adds here. A transposed convolution is charged for each
    pair of an input position and a weight, also where the padding crops the result.

    Parameters
    ----------
    module : nn.Module
        The network; it runs in eval mode and is left as it was.
    example_inputs : torch.Tensor, tuple, list or dict
        One batch: the input, the inputs in order, or the inputs by name.
    n_samples : int, default=None
        How many samples that batch holds. None takes the first axis of its first
        tensor.

    Returns
    -------
    layers : dict of str to LayerMacs
        By qualified module name, in the order of the first call. Layers without
        multiply-adds are left out.

    Raises
    ------
    TypeError, ValueError
        If the inputs hold no tensor, or `n_samples` is not a positive integer.

    See Also
    --------
    weight_uses : The same by parameter.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import count_macs
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
    >>> count_macs(network, torch.zeros(4, 1, 5, 5))
    {'0': LayerMacs(kind='Conv2d', macs=162.0, positions={'0.weight': 9.0}, ...)}
    """
    if n_samples is None:
        n_samples = count_samples(example_inputs)
    check_number(n_samples, "n_samples", low=1, integer=True)
    counter = _Counter(module)
    with counter.following_calls(), counter:
        run(module, example_inputs)
    return counter.layers(n_samples)


def weight_uses(
    module: nn.Module, example_inputs: Any, *, n_samples: int | None = None
) -> dict[str, float]:
    """Return how many multiply-adds each weight takes part in, for one sample.

    So a mask leaves ``sum(uses[name] * mask.sum())`` multiply-adds, and the uses are
    the costs of the weights in a budget of multiply-adds.

    Parameters
    ----------
    module : nn.Module
        The network; it runs in eval mode and is left as it was.
    example_inputs : torch.Tensor, tuple, list or dict
        One batch: the input, the inputs in order, or the inputs by name.
    n_samples : int, default=None
        How many samples that batch holds. None takes the first axis of its first
        tensor.

    Returns
    -------
    uses : dict of str to float
        For every parameter by its qualified name; 0.0 for biases, norms, embeddings and
        whatever the example did not reach. The uses of tied weights add up. Where parts
        of a parameter are used unequally often, this is their mean.

    Raises
    ------
    TypeError, ValueError
        If the inputs hold no tensor, or `n_samples` is not a positive integer.

    See Also
    --------
    count_macs : The same by layer.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import weight_uses
    >>> weight_uses(torch.nn.Conv2d(1, 2, 3), torch.zeros(4, 1, 5, 5))
    {'weight': 9.0, 'bias': 0.0}
    """
    return sum_uses(module, count_macs(module, example_inputs, n_samples=n_samples))


def sum_uses(module: nn.Module, layers: Mapping[str, LayerMacs]) -> dict[str, float]:
    """Return what `weight_uses` does from what `count_macs` returned.

    Parameters
    ----------
    module : nn.Module
        The network.
    layers : dict of str to LayerMacs
        Its layers.

    Returns
    -------
    uses : dict of str to float
        For every parameter.
    """
    uses = {name: 0.0 for name, _ in module.named_parameters()}
    for layer in layers.values():
        for name, positions in layer.positions.items():
            uses[name] += positions
    return uses


class _Counter(TorchFunctionMode):
    """Sees every torch function that a module calls, and which of its layers calls."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._module = module
        self._names = {id(p): name for name, p in module.named_parameters()}
        self._sizes = {name: p.numel() for name, p in module.named_parameters()}
        self._running = [""]
        self._costs: dict[str, dict[str | None, int]] = {}

    @contextmanager
    def following_calls(self) -> Iterator[None]:
        """Know by hooks which module runs."""
        with ExitStack() as stack:
            for name, part in self._module.named_modules():
                enter = part.register_forward_pre_hook(partial(self._enter, name))
                leave = part.register_forward_hook(self._leave, always_call=True)
                stack.callback(enter.remove)
                stack.callback(leave.remove)
            yield

    def _enter(self, name: str, part: nn.Module, inputs: Any) -> None:
        self._running.append(name)

    def _leave(self, part: nn.Module, inputs: Any, output: Any) -> None:
        self._running.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run the function and note what it cost."""
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        rule = RULES.get(getattr(func, "__name__", ""))
        if rule is not None:
            costs = self._costs.setdefault(self._running[-1], {})
            for tensor, macs in rule(args, kwargs, output):
                name = None if tensor is None else self._names.get(id(owner_of(tensor)))
                costs[name] = costs.get(name, 0) + macs
        return output

    def layers(self, n_samples: int) -> dict[str, LayerMacs]:
        """Return what was seen, for one sample."""
        return {
            module_name: LayerMacs(
                kind=type(self._module.get_submodule(module_name)).__name__,
                macs=sum(costs.values()) / n_samples,
                positions={
                    name: macs / max(self._sizes[name], 1) / n_samples
                    for name, macs in costs.items()
                    if name is not None
                },
                activation_macs=costs.get(None, 0) / n_samples,
            )
            for module_name, costs in self._costs.items()
        }
