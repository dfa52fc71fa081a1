"""Masks of a fixed network that make it imitate a larger one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import batch_norm, leaky_relu

from ..utils import RandomStream, check_number
from ._base import PseudoBooleanFunction
from ._layered_weights import (
    apply_layer,
    check_sizes,
    count_weights,
    layer_shapes,
    split_weights,
)
from ._placement import PlacedTensors

_SLOPE = 0.01
# Cells of the largest intermediate of one chunk of masks (16 MB in float32).
_CHUNK_CELLS = 2**22
# Addresses of what is drawn.
_TRAIN, _VALIDATION, _TARGET, _BACKBONE, _ORDER = range(5)


class _MaskedLoss(PseudoBooleanFunction):
    """Mean absolute error of a masked network on one set of data."""

    relaxable = True

    def __init__(
        self,
        backbone: PlacedTensors,
        shapes: Sequence[tuple[int, int]],
        X: torch.Tensor,
        y: torch.Tensor,
    ) -> None:
        self.n_variables = count_weights(shapes)
        self.n_observations = len(X)
        self._backbone = backbone
        self._shapes = list(shapes)
        self._data = PlacedTensors(inputs=X.T.contiguous(), y=y)

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        widest = max(outputs for outputs, _ in self._shapes)
        rows = max(1, _CHUNK_CELLS // (widest * self.n_observations))
        return torch.cat([self._losses(chunk) for chunk in Z.split(rows)])

    def _losses(self, Z: torch.Tensor) -> torch.Tensor:
        data = self._data.like(Z)
        masked = Z * self._backbone.like(Z)["weights"]
        outputs = _forward(split_weights(masked, self._shapes), data["inputs"])
        return (outputs - data["y"]).abs().mean(1)


class MaskedNNRegression(_MaskedLoss):
    """How well a masked network of random weights imitates a larger random network.

    A variable z_i keeps or removes one weight of the backbone: four hidden layers of
    50 units with Xavier normal weights, 8,050 in all. It is to learn the outputs of a
    target with five hidden layers of 500 units and weights of -1 or 1. In both
    networks a hidden layer is a linear map without bias, batch norm and LeakyReLU.
    Inputs are uniform on [-1, 1]^10; targets are mapped to [0, 1] by their least and
    largest value in the training data. J is the mean absolute error on all of the
    training data.

    Parameters
    ----------
    n_train : int, default=10_000
        Observations in the training data, at least 2.
    n_validation : int, default=5_000
        Observations in the validation data, at least 2.
    n_features : int, default=10
        Inputs of both networks.
    hidden_layer_sizes : sequence of int, default=(50, 50, 50, 50)
        Hidden layers of the backbone.
    target_layer_sizes : sequence of int, default=(500, 500, 500, 500, 500)
        Hidden layers of the target.
    random_state : int, numpy.random.RandomState or None, default=0
        Seed of the data and of both networks. The source draws them once for all of
        its runs, hence the default.

    Attributes
    ----------
    n_variables : int
        The number d of weights of the backbone.
    n_observations : int
        The number of observations that the costs are means over.
    validation : PseudoBooleanFunction
        The same function on the validation data.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is out of its range.

    Notes
    -----
    Batch norm has no affine parameters and no moving averages: it always uses the
    statistics of the observations at hand, per mask, as the source does. A unit
    whose weights are all masked gives 0. The last layers are linear.

    The source trains on batches of 100 observations, which `minibatch` gives, and
    reports costs on the validation data; among its Monte Carlo solutions it takes the
    best of five masks on 500 observations. The costs of a batch depend on its size
    through the normalisation, not only through the noise.

    References
    ----------
    Silva (2023), section 6.2.1 and appendix B.2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import MaskedNNRegression
    >>> J = MaskedNNRegression(
    ...     n_train=200,
    ...     n_validation=100,
    ...     hidden_layer_sizes=(8, 8),
    ...     target_layer_sizes=(16, 16),
    ... )
    >>> J.n_variables
    152
    >>> masks = torch.bernoulli(torch.full((3, 152), 0.5))
    >>> J(masks).shape, J.validation(masks).shape, J.minibatch(0, 50)(masks).shape
    (torch.Size([3]), torch.Size([3]), torch.Size([3]))
    """

    def __init__(
        self,
        n_train: int = 10_000,
        n_validation: int = 5_000,
        *,
        n_features: int = 10,
        hidden_layer_sizes: Sequence[int] = (50,) * 4,
        target_layer_sizes: Sequence[int] = (500,) * 5,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        check_number(n_train, "n_train", low=2, integer=True)
        check_number(n_validation, "n_validation", low=2, integer=True)
        check_number(n_features, "n_features", low=1, integer=True)
        hidden = check_sizes(hidden_layer_sizes, "hidden_layer_sizes")
        target = check_sizes(target_layer_sizes, "target_layer_sizes")
        stream = RandomStream.from_random_state(random_state)
        shapes = layer_shapes((n_features, *hidden, 1))
        signs = _signs(layer_shapes((n_features, *target, 1)), stream.child(_TARGET))
        X = _inputs(n_train, n_features, stream.child(_TRAIN))
        X_validation = _inputs(n_validation, n_features, stream.child(_VALIDATION))
        y, y_validation = _forward(signs, X.T)[0], _forward(signs, X_validation.T)[0]
        low, high = y.min(), y.max()
        backbone = PlacedTensors(weights=_xavier(shapes, stream.child(_BACKBONE)))
        super().__init__(backbone, shapes, X, (y - low) / (high - low))
        self.validation: PseudoBooleanFunction = _MaskedLoss(
            backbone, shapes, X_validation, (y_validation - low) / (high - low)
        )
        self._stream = stream

    def minibatch(self, step: int, batch_size: int = 100) -> PseudoBooleanFunction:
        """Return the function on one batch of the training data.

        Parameters
        ----------
        step : int
            Number of the batch, from 0. It alone says what the batch holds: the data
            are shuffled anew every epoch, and each epoch goes through them once.
        batch_size : int, default=100
            Observations in a batch, from 2 to `n_observations`. What is left over at
            the end of an epoch is left out of it.

        Returns
        -------
        function : PseudoBooleanFunction
            The mean absolute error on the batch, normalised by its own statistics.

        Raises
        ------
        TypeError
            If an argument is not an integer.
        ValueError
            If an argument is out of its range.
        """
        check_number(step, "step", low=0, integer=True)
        check_number(
            batch_size, "batch_size", low=2, high=self.n_observations, integer=True
        )
        epoch, number = divmod(step, self.n_observations // batch_size)
        generator = self._stream.child(_ORDER, epoch).torch_generator()
        order = torch.randperm(self.n_observations, generator=generator)
        chosen = order[number * batch_size : (number + 1) * batch_size]
        inputs, y = self._data["inputs"], self._data["y"]
        return _MaskedLoss(self._backbone, self._shapes, inputs.T[chosen], y[chosen])


def _forward(weights: Sequence[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """Outputs (n, m) of n networks for the inputs (k, m)."""
    hidden = apply_layer(weights[0], inputs)
    for layer in weights[1:]:
        hidden = apply_layer(layer, leaky_relu(_normalise(hidden), _SLOPE))
    return hidden[:, 0]


def _normalise(hidden: torch.Tensor) -> torch.Tensor:
    """Batch norm over the observations, for each network by itself."""
    channels = hidden.flatten(0, 1)[None]
    normal = batch_norm(channels, None, None, training=True)
    return normal[0].unflatten(0, hidden.shape[:2])


def _inputs(n: int, n_features: int, stream: RandomStream) -> torch.Tensor:
    generator = stream.torch_generator()
    uniform = torch.rand((n, n_features), generator=generator, dtype=torch.float64)
    return 2 * uniform - 1


def _signs(
    shapes: Sequence[tuple[int, int]], stream: RandomStream
) -> list[torch.Tensor]:
    """Weights of -1 or 1 for one network."""
    generator = stream.torch_generator()
    coins = torch.randint(2, (1, count_weights(shapes)), generator=generator)
    return split_weights(2.0 * coins.double() - 1.0, shapes)


def _xavier(shapes: Sequence[tuple[int, int]], stream: RandomStream) -> torch.Tensor:
    """Flat weights, normal with variance 2 / (inputs + outputs) in each layer."""
    generator = stream.torch_generator()
    return torch.cat(
        [
            torch.randn(outputs * inputs, generator=generator, dtype=torch.float64)
            * (2 / (outputs + inputs)) ** 0.5
            for outputs, inputs in shapes
        ]
    )
