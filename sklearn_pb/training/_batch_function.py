"""The loss of one batch as a pseudo-Boolean function of the mask."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from skorch.dataset import unpack_data

from ..functions import PseudoBooleanFunction
from ._masked_module import MaskedModule


class BatchFunction(PseudoBooleanFunction):
    """J(z): the loss of the network on one batch with its weights masked by z.

    Parameters
    ----------
    net : skorch.NeuralNet
        Its module is `masked`.
    masked : MaskedModule
        The network in training.
    batch : tuple
        What the iterator of the net gave.
    """

    def __init__(self, net: NeuralNet, masked: MaskedModule, batch: Any) -> None:
        self.n_variables = masked.layout.n_variables
        self._net = net
        self._masked = masked
        self._X, self._y = unpack_data(batch)

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._loss(z) for z in Z]).to(Z)

    def _loss(self, z: torch.Tensor) -> torch.Tensor:
        with self._masked.trial(z):
            y_pred = self._net.infer(self._X)
            return self._net.get_loss(y_pred, self._y, X=self._X, training=True)
