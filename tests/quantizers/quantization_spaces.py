"""Small spaces for tests of methods, and training without a network."""

import torch

from sklearn_pb.quantizers import (
    PrecisionGroups,
    PrecisionOptions,
    PrecisionTarget,
    QuantizationSpace,
)
from sklearn_pb.utils import RandomStream


def space_of(*weights, alive=None, target=None, unit="bits", n_steps=1, **options):
    return QuantizationSpace(
        weights=weights,
        groups=[PrecisionGroups(w.shape, "layer") for w in weights],
        channel_axes=[0] * len(weights),
        uses=[1.0] * len(weights),
        alive=alive or [None] * len(weights),
        options=PrecisionOptions(**options),
        target=PrecisionTarget(target, unit),
        stream=RandomStream(0),
        n_steps=n_steps,
    )


def lent(run, weights, training=True):
    out = [torch.full_like(weight, torch.nan) for weight in weights]
    run.lend(weights, out, training)
    return out


def pulled_back(run, weights, gradients):
    """The gradients by the weights, given those by what was lent."""
    gradients = [gradient.clone() for gradient in gradients]
    run.collect(weights, gradients)
    return gradients


def train(run, weights, loss, n_steps, rate=0.02, finetune=0):
    """Gradient descent with momentum; `loss` maps values of weights to a number."""
    optimizer = torch.optim.SGD(weights, rate, momentum=0.9)
    for step in range(n_steps + finetune):
        if step == n_steps:
            run.freeze(weights)
        run.advance(min(1.0, step / n_steps))
        values = [value.requires_grad_() for value in lent(run, weights)]
        gradients = torch.autograd.grad(loss(values), values)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        run.collect(weights, [weight.grad for weight in weights])
        optimizer.step()
        run.confine_(weights)
    if not run.frozen:
        run.freeze(weights)
    return run


def fits(*wanted):
    """The squared distance to tensors."""

    def loss(values):
        return sum(
            (value - aim).square().sum()
            for value, aim in zip(values, wanted, strict=True)
        )

    return loss


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_lends_what_it_quantizes(run, weights):
    for values, tensor in zip(
        lent(run, weights, training=False), run.quantize(weights), strict=True
    ):
        assert torch.equal(values, tensor.dequantize())
