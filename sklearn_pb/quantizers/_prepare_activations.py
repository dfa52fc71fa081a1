"""Put quantized activations into a network, for training or from a saved state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..utils import RandomStream
from ._activation_run import ActivationRun
from ._activations import PACT, Activations, SmolActivations
from ._codes import logits_of_bits
from ._quantized_activation import QuantizedActivation

# Function, size of its range (None: that of the data), and the most that it may be.
_REPLACED: dict[type[nn.Module], tuple[str, float | None, float]] = {
    nn.ReLU: ("relu", None, math.inf),
    nn.ReLU6: ("relu", None, 6.0),
    nn.Sigmoid: ("sigmoid", 1.0, 1.0),
    nn.Tanh: ("tanh", 2.0, 2.0),
}


def prepare_activations(
    module: nn.Module,
    activations: Activations,
    inputs: Any,
    stream: RandomStream,
) -> ActivationRun:
    """Replace the activation functions of a network by quantized ones, in place.

    Replaced are children that are `nn.ReLU`, `nn.ReLU6`, `nn.Sigmoid` or `nn.Tanh`, as
    far as they run. What is called as a function, such as `torch.relu`, cannot be seen.
    A network that has quantized activations keeps them, to be trained further.

    Parameters
    ----------
    module : nn.Module
        The network.
    activations : Activations
        `PACT` or `SmolActivations`.
    inputs : object
        A batch that the network is run on, once: a tensor, a tuple of positional
        arguments or a mapping of named ones. It shows the shapes and the ranges of
        outputs. Batch norm normalises by this batch; no statistics change.
    stream : RandomStream
        Where noise comes from.

    Returns
    -------
    run : ActivationRun
        To be told of each training step.

    Raises
    ------
    ValueError
        If there is nothing to replace; or if precisions of units are asked for where
        one module gives out several shapes.
    """
    activations.check()
    present = [m for m in module.modules() if isinstance(m, QuantizedActivation)]
    if present:
        return ActivationRun(present, activations)
    seen = _watch(module, inputs)
    if not seen:
        kinds = ", ".join(f"nn.{kind.__name__}" for kind in _REPLACED)
        raise ValueError(
            f"activations={activations!r} found none to quantize in "
            f"{type(module).__name__}: they must be children of the module that run, "
            f"of type {kinds}; functions such as torch.relu cannot be replaced."
        )
    replaced = {
        child: _replacement(child, outputs, activations, stream.child(index))
        for index, (child, outputs) in enumerate(seen.items())
    }
    _replace(module, replaced)
    return ActivationRun(list(replaced.values()), activations)


def restore_activations(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Replace the activation functions that a saved state has quantized, in place.

    Afterwards the module takes the state by its `load_state_dict`.

    Parameters
    ----------
    module : nn.Module
        The network as it was before `prepare_activations`.
    state : mapping of str to torch.Tensor
        The `state_dict` of the network with its precisions fixed.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sklearn_pb.quantizers import PACT, prepare_activations
    >>> from sklearn_pb.quantizers import restore_activations
    >>> from sklearn_pb.utils import RandomStream
    >>> saved, new = (nn.Sequential(nn.Linear(2, 3), nn.ReLU()) for _ in range(2))
    >>> run = prepare_activations(saved, PACT(), torch.ones(1, 2), RandomStream(0))
    >>> restore_activations(new, saved.state_dict())
    >>> new.load_state_dict(saved.state_dict())
    <All keys matched successfully>
    """
    replaced: dict[nn.Module, QuantizedActivation] = {}
    device = next((p.device for p in module.parameters()), None)
    for name, child in module.named_modules():
        bits = state.get(f"{name}.bits")
        if type(child) in _REPLACED and bits is not None:
            function, _, ceiling = _REPLACED[type(child)]
            reach = float(state[f"{name}.reach"])
            replaced[child] = QuantizedActivation(function, reach, ceiling=ceiling)
            replaced[child].n_units = bits.numel()
            replaced[child].fix(bits)
            replaced[child].train(child.training).to(device)
    _replace(module, replaced)


def _replace(
    module: nn.Module, replaced: Mapping[nn.Module, QuantizedActivation]
) -> None:
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and child in replaced:
                setattr(parent, name, replaced[child])
                if hasattr(parent, "activation_relu_or_gelu"):
                    # Transformer layers would skip their activation in evaluation.
                    setattr(parent, "activation_relu_or_gelu", 0)  # noqa: B010


def _replacement(
    child: nn.Module,
    outputs: _Outputs,
    activations: Activations,
    stream: RandomStream,
) -> QuantizedActivation:
    assert isinstance(activations, (PACT, SmolActivations))
    function, reach, ceiling = _REPLACED[type(child)]
    if reach is None:
        reach = min(activations.initial_range or outputs.largest or 1.0, ceiling)
    module = QuantizedActivation(function, reach, ceiling=ceiling)
    module.decay, module.stream = activations.decay, stream
    module.n_units = outputs.shape.numel()
    module.train(child.training)
    if isinstance(activations, PACT):
        module.fix(torch.tensor(activations.bits, dtype=torch.uint8))
    else:
        module.rounding, module.widths = activations.rounding, activations.widths
        shape = outputs.shape_of_groups(activations.granularity)
        first = logits_of_bits(activations.initial_bits)
        module.learn(first.expand(shape).clone())
    return module.to(outputs.device)


class _Outputs:
    """What a first batch has shown of an activation."""

    def __init__(self) -> None:
        self.shapes: set[torch.Size] = set()
        self.largest = 0.0
        self.device = torch.device("cpu")

    def __call__(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        self.shapes.add(output.shape[1:])
        if output.numel():
            self.largest = max(self.largest, float(output.max()))
        self.device = output.device

    @property
    def shape(self) -> torch.Size:
        return max(self.shapes, key=lambda shape: (shape.numel(), tuple(shape)))

    def shape_of_groups(self, granularity: str) -> list[int]:
        """The shape of precisions."""
        if granularity == "layer":
            return []
        shapes = {s if granularity == "unit" else s[:1] for s in self.shapes}
        if len(shapes) > 1:
            listed = ", ".join(str(tuple(shape)) for shape in sorted(self.shapes))
            raise ValueError(
                f"granularity={granularity!r} needs one shape of outputs, but an "
                f"activation of the network is used for several: {listed}. Give each "
                "use a module of its own, or share precisions in the layer."
            )
        shape = list(self.shape)
        if granularity == "unit" or not shape:
            return shape
        return [shape[0]] + [1] * (len(shape) - 1)


def _watch(module: nn.Module, inputs: Any) -> dict[nn.Module, _Outputs]:
    """Run a network once; return its activations that ran, with their outputs."""
    watched = {m: _Outputs() for m in module.modules() if type(m) in _REPLACED}
    watched.pop(module, None)  # nobody could see a replacement
    with torch.no_grad(), _without_trace(module):
        handles = [m.register_forward_hook(seen) for m, seen in watched.items()]
        try:
            if isinstance(inputs, Mapping):
                module(**inputs)
            elif isinstance(inputs, (tuple, list)):
                module(*inputs)
            else:
                module(inputs)
        finally:
            for handle in handles:
                handle.remove()
    return {m: seen for m, seen in watched.items() if seen.shapes}


@contextmanager
def _without_trace(module: nn.Module) -> Iterator[None]:
    """Normalise by the batch, draw nothing, and leave the module as it was."""
    modes = {m: m.training for m in module.modules()}
    buffers = [(b, b.clone()) for b in module.buffers()]
    try:
        for m in modes:
            m.training = isinstance(m, _BatchNorm)
        yield
    finally:
        for m, training in modes.items():
            m.training = training
        for buffer, value in buffers:
            buffer.copy_(value)
