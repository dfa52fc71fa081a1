"""Training of a small network whose weights are -1 or 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_X_y

from ..utils import check_choice
from ._base import PseudoBooleanFunction
from ._layered_weights import (
    apply_layer,
    check_sizes,
    count_weights,
    layer_shapes,
    split_weights,
)
from ._network_losses import NETWORK_LOSSES, NetworkLoss, predicted_codes
from ._placement import PlacedTensors
from ._targets import as_classes, as_numbers, is_regression

# Cells of the largest intermediate of one chunk of rows (16 MB in float32).
_CHUNK_CELLS = 2**22


def _sign(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "sign": _sign,
    "tanh": torch.tanh,
}


class BinaryNetworkTraining(BaseEstimator):
    """Find the weights, each -1 or 1, of a network that explains the data.

    ``bind(X, y)`` gives the mean loss of a fully connected network as a function of
    z, which holds one variable a weight: w = 2z - 1.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(8,)
        Units of the hidden layers; an empty sequence makes the network linear.
    activation : {"relu", "tanh", "identity", "sign"}, default="relu"
        What follows each hidden layer. "sign" makes the hidden units binary too.
    loss : {"auto", "log_loss", "hinge", "zero_one", "squared_error", \
"absolute_error"}, default="auto"
        The loss. The first three are for classes: "hinge" is that of the margin to
        the best other class, "zero_one" the share of errors. "auto" takes
        "squared_error" if y is continuous (floats that are not whole, or floats with
        more than 50 distinct values), else "log_loss".
    bias : bool, default=True
        Whether each unit has one more weight, -1 or 1, for a constant input of 1.

    Notes
    -----
    The columns of X, and y if it is numbers, are brought to mean 0 and variance 1
    first. Sums are divided by the root of the number of their terms, as weights of
    -1 and 1 cannot make up for it. Two classes have one output, K classes have K.

    The bound function is relaxable at weights in [-1, 1], unless the loss is
    "zero_one" or the activation "sign". Its method ``weights(z)`` gives the layers
    with a bias as their last column, and ``predict(z, X)`` class labels, or numbers
    in the units of y.

    References
    ----------
    Silva (2023), example 5; Courbariaux et al. (2015) for binary weights, Hubara et
    al. (2016) for binary activations as well.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_pb.functions import BinaryNetworkTraining
    >>> X, y = load_iris(return_X_y=True)
    >>> J = BinaryNetworkTraining((5,), loss="zero_one").bind(X, y)
    >>> J.n_variables  # (4 + 1) * 5 + (5 + 1) * 3
    43
    >>> costs = J(torch.randint(2, (100, 43)))
    >>> costs.shape
    torch.Size([100])
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (8,),
        *,
        activation: str = "relu",
        loss: str = "auto",
        bias: bool = True,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.bias = bias

    def bind(self, X: Any, y: Any) -> BinaryNetworkFunction:
        """Return the mean loss on the data as a function of the weights.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Features.
        y : array-like of shape (n,)
            Targets: numbers, or class labels of any kind.

        Returns
        -------
        function : PseudoBooleanFunction
            One variable a weight, layer by layer, row by row.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid: not finite, of different lengths,
            y constant or of one class, or not what the loss is for.
        TypeError
            If `hidden_layer_sizes` does not hold integers or `bias` is not a bool.
        """
        hidden = check_sizes(self.hidden_layer_sizes, "hidden_layer_sizes")
        check_choice(self.activation, "activation", _ACTIVATIONS)
        check_choice(self.loss, "loss", ["auto", *NETWORK_LOSSES])
        if not isinstance(self.bias, (bool, np.bool_)):
            raise TypeError(f"bias={self.bias!r} must be True or False.")
        X, y = check_X_y(X, y, dtype=np.float64, ensure_min_samples=2)
        name = self.loss
        if name == "auto":
            name = "squared_error" if is_regression(y) else "log_loss"
        read = _Classes if NETWORK_LOSSES[name].classifies else _Numbers
        return BinaryNetworkFunction(
            X,
            read(y, f"loss={name!r}"),
            hidden=hidden,
            activation=self.activation,
            loss=NETWORK_LOSSES[name],
            bias=bool(self.bias),
        )


class BinaryNetworkFunction(PseudoBooleanFunction):
    """Mean loss of a network with weights 2z - 1.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, n_features)
        Features, as they were given.
    targets : _Classes or _Numbers
        What is learned.
    hidden : tuple of int
        Units of the hidden layers.
    activation : str
        See `BinaryNetworkTraining`.
    loss : NetworkLoss
        The loss.
    bias : bool
        See `BinaryNetworkTraining`.
    """

    def __init__(
        self,
        X: np.ndarray,
        targets: _Classes | _Numbers,
        *,
        hidden: tuple[int, ...],
        activation: str,
        loss: NetworkLoss,
        bias: bool,
    ) -> None:
        sizes = (X.shape[1], *hidden, targets.n_outputs)
        self._shapes = layer_shapes(sizes, bias)
        self.n_variables = count_weights(self._shapes)
        self.relaxable = loss.differentiable and activation != "sign"
        self._activation = activation
        self._loss = loss
        self._bias = bias
        self._targets = targets
        spread = X.std(0)
        self._mean = X.mean(0)
        self._scale = np.where(X.max(0) > X.min(0), spread, 1.0)
        self._data = PlacedTensors(inputs=self._inputs(X), y=targets.values)

    def _inputs(self, X: np.ndarray) -> torch.Tensor:
        """Standardised features, one column an observation."""
        return torch.from_numpy(((X - self._mean) / self._scale).T.copy())

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        data = self._data.like(Z)
        widest = max(outputs for outputs, _ in self._shapes)
        rows = max(1, _CHUNK_CELLS // (widest * data["inputs"].shape[1]))
        return torch.cat(
            [
                self._loss.mean(self._outputs(chunk, data["inputs"]), data["y"])
                for chunk in Z.split(rows)
            ]
        )

    def _outputs(self, Z: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs (n, K, m) of the networks for the inputs (n_features, m)."""
        activate = _ACTIVATIONS[self._activation]
        hidden = inputs
        for k, layer in enumerate(split_weights(2 * Z - 1, self._shapes)):
            sums = self._affine(layer, hidden if k == 0 else activate(hidden))
            hidden = sums / layer.shape[2] ** 0.5
        return hidden

    def _affine(self, layer: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        if not self._bias:
            return apply_layer(layer, inputs)
        return apply_layer(layer[:, :, :-1], inputs) + layer[:, :, -1:]

    def weights(self, z: torch.Tensor | np.ndarray) -> list[torch.Tensor]:
        """Return the layers of one network.

        Parameters
        ----------
        z : torch.Tensor or numpy.ndarray of shape (n_variables,)
            A point of {0, 1}^d.

        Returns
        -------
        layers : list of torch.Tensor of shape (outputs, inputs)
            Weights of -1 or 1; a bias is the last column.
        """
        flat = 2 * self._row(z) - 1
        return [layer[0] for layer in split_weights(flat, self._shapes)]

    def predict(self, z: torch.Tensor | np.ndarray, X: Any) -> np.ndarray:
        """Return what one network predicts.

        Parameters
        ----------
        z : torch.Tensor or numpy.ndarray of shape (n_variables,)
            A point of {0, 1}^d.
        X : array-like of shape (n, n_features)
            Features.

        Returns
        -------
        y : numpy.ndarray of shape (n,)
            Class labels or numbers, as in the y that the objective was bound to.
        """
        inputs = self._inputs(np.asarray(X, dtype=np.float64))
        with torch.no_grad():
            outputs = self._outputs(self._row(z), inputs)
        return self._targets.restore(outputs)

    def _row(self, z: torch.Tensor | np.ndarray) -> torch.Tensor:
        row = torch.as_tensor(z).to("cpu", torch.float64)
        if tuple(row.shape) != (self.n_variables,):
            raise ValueError(
                f"z has shape {tuple(row.shape)}, but must have shape "
                f"({self.n_variables},)."
            )
        return row[None]


class _Classes:
    """Class labels as numbers of classes."""

    def __init__(self, y: np.ndarray, choice: str) -> None:
        self.classes, codes = as_classes(y, choice)
        self.n_outputs = 1 if len(self.classes) == 2 else len(self.classes)
        self.values = torch.from_numpy(codes).long()

    def restore(self, outputs: torch.Tensor) -> np.ndarray:
        return self.classes[predicted_codes(outputs)[0].numpy()]


class _Numbers:
    """Numbers with mean 0 and variance 1."""

    n_outputs = 1

    def __init__(self, y: np.ndarray, choice: str) -> None:
        numbers = as_numbers(y, choice)
        self.mean, self.scale = numbers.mean(), numbers.std()
        self.values = torch.from_numpy((numbers - self.mean) / self.scale)

    def restore(self, outputs: torch.Tensor) -> np.ndarray:
        return self.mean + self.scale * outputs[0, 0].numpy()
