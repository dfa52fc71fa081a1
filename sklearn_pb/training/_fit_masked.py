"""Train a network with a mask, and give it back with its zeros baked in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

from ..constraints import Constraint, Quota
from ..exceptions import NonFiniteLossError
from ..masks import MaskLayout, Placement, given_variables
from ..methods import Method, SearchSpace, Weights
from ..utils import RandomStream
from ._mask_training import MaskTraining
from ._masked_module import MaskedModule
from ._sample_weight import weighted_loss
from ._seeding import SeededDraws

_SEARCH, _LAYERS = 2, 3  # addresses below the run's stream


@dataclass(frozen=True)
class MaskingOptions:
    """How `fit_masked` runs; `MaskPruner` says more about each of these.

    Parameters
    ----------
    method : Method
        How the mask is found.
    quota : Quota
        How many variables are kept in the end, and where.
    constraint : Constraint or None
        Price of a kept variable or limit on probabilities; None takes the method's own.
    train_weights : bool
        Whether the weights are trained beside the mask.
    warmup, finetune : float
        Fractions of the steps before and after the search.
    rescale : bool
        Whether weights are divided by the mean of their layer's mask.
    """

    method: Method
    quota: Quota
    constraint: Constraint | None
    train_weights: bool
    warmup: float
    finetune: float
    rescale: bool


@dataclass(frozen=True)
class MaskedFit:
    """What `fit_masked` found.

    Parameters
    ----------
    variables : torch.Tensor of bool, shape (d,)
        The hardened mask.
    masks : dict of str to torch.Tensor
        Boolean masks on the CPU, by parameter name.
    history : list of dict
        One record an epoch.
    error : NonFiniteLossError or None
        Why training stopped early; everything else is then the last good state.
    """

    variables: torch.Tensor
    masks: dict[str, torch.Tensor]
    history: list[dict[str, Any]]
    error: NonFiniteLossError | None


def fit_masked(
    net: NeuralNet,
    layout: MaskLayout,
    X: np.ndarray,
    y: np.ndarray,
    options: MaskingOptions,
    stream: RandomStream,
    sample_weight: np.ndarray | None = None,
) -> MaskedFit:
    """Train an initialised net while a method searches for its mask.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised; its module is trained in place and ends with zeros in it.
    layout : MaskLayout
        What is masked.
    X, y : numpy.ndarray
        Training data as the net takes it.
    options : MaskingOptions
        Method, target and phases.
    stream : RandomStream
        Where every draw of the run comes from.
    sample_weight : numpy.ndarray of shape (n,), default=None
        Weights of the rows.

    Returns
    -------
    fit : MaskedFit
        Masks and history.
    """
    module = net.module_
    masked = MaskedModule(
        module, layout, rescale=options.rescale, train_weights=options.train_weights
    )
    device = layout.parameters(module)[0].device
    masked.draws = SeededDraws(stream.child(_LAYERS).torch_generator(device))
    space = _search_space(masked, options, stream.child(_SEARCH), device)
    # A supermask has no weights to warm up or fine-tune: all of the run is search.
    parts = (options.warmup, options.finetune) if options.train_weights else (0, 0)
    training = MaskTraining(masked, lambda: options.method.start(space), *parts)
    error = None
    with ExitStack() as stack:
        if not options.train_weights:
            stack.enter_context(_frozen_others(module, layout))
        net.module_ = masked
        stack.callback(setattr, net, "module_", module)
        inputs: Any = X
        if sample_weight is not None:
            inputs = stack.enter_context(weighted_loss(net, X, sample_weight))
        net.callbacks_.insert(0, ("mask", training.initialize()))
        stack.callback(net.callbacks_.pop, 0)
        try:
            net.partial_fit(inputs, y)
        except NonFiniteLossError as stopped:
            error = stopped
        if not training.frozen:
            training.freeze(warn=error is None)
        masked.bake()
    assert masked.mask is not None
    return MaskedFit(
        masked.mask.bool().cpu(),
        layout.masks(masked.mask),
        [_record(row) for row in net.history],
        error,
    )


@contextmanager
def _frozen_others(module: nn.Module, layout: MaskLayout) -> Iterator[None]:
    """Freeze what is not masked; of the masked weights the slope is still needed."""
    masked = {id(p) for p in layout.parameters(module)}
    others = [p for p in module.parameters() if p.requires_grad and id(p) not in masked]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


def _search_space(
    masked: MaskedModule,
    options: MaskingOptions,
    stream: RandomStream,
    device: torch.device,
) -> SearchSpace:
    layout = masked.layout

    def sums(power: float) -> torch.Tensor:
        def powers(placement: Placement) -> torch.Tensor:
            weight = masked.module.get_parameter(placement.name)
            return weight.detach().abs().pow(power)

        return layout.sums(powers)

    constraint = options.constraint
    if constraint is None:
        constraint = options.method.default_constraint()
    return SearchSpace(
        layout.n_variables,
        stream,
        quota=options.quota,
        constraint=constraint,
        weights=Weights(
            sums,
            layout.counts().to(device),
            layout.layers,
            partial(given_variables, layout),
        ),
        device=device,
    )


def _record(row: dict[str, Any]) -> dict[str, Any]:
    """The scalar entries of an epoch of skorch's history."""
    return {
        key: value
        for key, value in row.items()
        if key != "batches" and not key.endswith(("_best", "batch_count"))
    }
