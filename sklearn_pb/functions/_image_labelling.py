"""Labels 0 and 1 for the pixels of an image, by energy minimisation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ..utils import check_number
from ._graphs import is_graph
from ._max_cut import cut_terms
from ._quadratic import QuadraticFunction

# Row and column of the second pixel of a pair, relative to the first.
_STEPS = {4: [(0, 1), (1, 0)], 8: [(0, 1), (1, 0), (1, 1), (1, -1)]}


class ImageLabelling(QuadraticFunction):
    """The energy of a labelling: data cost of each pixel, and a price of borders.

    E(z) = sum_p unary(p, z_p) + sum over neighbours p, q of w_pq [z_p != z_q], with
    w_pq >= 0: equal neighbours are cheaper, so that E is submodular and its minimum a
    minimum cut.

    Parameters
    ----------
    unary : array-like of shape (height, width) or (height, width, 2)
        The cost of label 1 at each pixel, that of label 0 being 0; or the costs of both
        labels.
    pairwise : float or sequence of array-like, default=1.0
        The weights w_pq. A number is that of neighbours in a row or a column, and of
        diagonal ones, which are farther, it is divided by sqrt(2). Arrays hold a weight
        for each pair of pixels (y, x) and (y, x + 1), of shape (height, width - 1); (y,
        x) and (y + 1, x), of shape (height - 1, width); and, with 8 neighbours, (y, x)
        and (y + 1, x + 1), then (y, x + 1) and (y + 1, x), both of shape (height - 1,
        width - 1).
    neighbours : {4, 8}, default=4
        Whether the pixels next to a pixel include the diagonal ones.

    Attributes
    ----------
    shape : tuple of int
        (height, width); variable ``y * width + x`` is the label of pixel (y, x).

    Raises
    ------
    ValueError
        If a shape does not fit, a weight is negative, or a number is not finite.

    References
    ----------
    Silva (2023), example 4.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import ImageLabelling
    >>> J = ImageLabelling([[-1.0, 0.5, -1.0]], pairwise=0.4)
    >>> J(torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
    tensor([-1.2000, -1.5000])
    >>> J.to_image([1, 0, 1])
    array([[1, 0, 1]], dtype=uint8)
    """

    def __init__(
        self,
        unary: Any,
        pairwise: float | Sequence[Any] = 1.0,
        *,
        neighbours: int = 4,
    ) -> None:
        if neighbours not in _STEPS:
            raise ValueError(f"neighbours must be 4 or 8, got {neighbours!r}.")
        costs = _both_labels(unary)
        steps = _STEPS[neighbours]
        weights = _grid(costs.shape[:2], _edge_weights(pairwise, costs, steps), steps)
        Q, border = cut_terms(weights, 1.0)
        change = (costs[..., 1] - costs[..., 0]).reshape(-1)
        super().__init__(Q, change + border, float(costs[..., 0].sum()))
        self.shape = costs.shape[:2]

    def to_image(self, z: np.ndarray | torch.Tensor | list) -> np.ndarray:
        """Return labels as images.

        Parameters
        ----------
        z : array-like of shape (n_variables,) or (n, n_variables)
            A point of {0, 1}^d, or several.

        Returns
        -------
        images : numpy.ndarray of uint8, shape (height, width) or (n, height, width)
            The labels.
        """
        labels = np.asarray(z)
        if labels.ndim not in (1, 2) or labels.shape[-1] != self.n_variables:
            raise ValueError(
                f"z has shape {labels.shape}; its last dimension must be "
                f"{self.n_variables}."
            )
        return labels.astype(np.uint8).reshape(*labels.shape[:-1], *self.shape)


def _both_labels(unary: Any) -> np.ndarray:
    costs = np.asarray(unary, np.float64)
    if costs.ndim == 2:
        costs = np.stack([np.zeros(costs.shape), costs], axis=2)
    if costs.ndim != 3 or costs.shape[2] != 2 or not costs.size:
        raise ValueError(
            "unary must have shape (height, width) or (height, width, 2), got "
            f"{np.shape(unary)}."
        )
    if not np.isfinite(costs).all():
        raise ValueError("unary must be finite, got NaN or infinity in it.")
    return costs


def _edge_weights(
    pairwise: Any, costs: np.ndarray, steps: list[tuple[int, int]]
) -> list[np.ndarray]:
    """One array of weights for each direction."""
    height, width = costs.shape[:2]
    shapes = [(height - down, width - abs(right)) for down, right in steps]
    if sparse.issparse(pairwise) or is_graph(pairwise):
        raise TypeError(
            "pairwise must be a number, or an array for each direction of the grid; "
            "for any other graph, with the symmetric weights W, MinCut minimises "
            "QuadraticFunction(diag(W.sum(axis=0)) - W, costs) as well."
        )
    if not isinstance(pairwise, Iterable):
        check_number(pairwise, "pairwise", low=0)
        distances = [math.hypot(*step) for step in steps]
        return [
            np.full(shape, float(pairwise) / distance)
            for shape, distance in zip(shapes, distances, strict=True)
        ]
    weights = [np.asarray(part, np.float64) for part in pairwise]
    if [part.shape for part in weights] != shapes:
        raise ValueError(
            f"pairwise has arrays of shapes {[part.shape for part in weights]}; for a "
            f"{height} x {width} image they must be {shapes}."
        )
    if not all(np.isfinite(part).all() and (part >= 0).all() for part in weights):
        raise ValueError("pairwise must hold finite numbers that are at least 0.")
    return weights


def _grid(
    shape: tuple[int, int], weights: list[np.ndarray], steps: list[tuple[int, int]]
) -> sparse.csr_array:
    """The symmetric weights of all pairs of neighbours."""
    pixels = np.arange(shape[0] * shape[1]).reshape(shape)
    first, second = [], []
    for down, right in steps:
        rows, columns = shape[0] - down, shape[1] - abs(right)
        here = pixels[:rows, max(0, -right) :][:, :columns]
        there = pixels[down:, max(0, right) :][:, :columns]
        first.append(here.reshape(-1))
        second.append(there.reshape(-1))
    i, j = np.concatenate(first), np.concatenate(second)
    data = np.concatenate([part.reshape(-1) for part in weights])
    half = sparse.coo_array((data, (i, j)), (pixels.size, pixels.size))
    matrix = sparse.csr_array(half + half.T)
    matrix.eliminate_zeros()
    return matrix
