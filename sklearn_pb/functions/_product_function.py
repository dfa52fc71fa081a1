"""Functions that are sums of weighted products of literals."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ._base import PseudoBooleanFunction
from ._literal_products import LiteralProducts
from ._placement import PlacedTensors
from ._product_neighbourhood import ProductNeighbourhood
from ._product_plans import SweepPlan
from ._product_sweep import ProductSweep

# Literals evaluated at once: 32 MB of float32.
_CHUNK_CELLS = 2**23


class ProductFunction(PseudoBooleanFunction):
    """What polynomials and sums of clauses share: evaluation and flips.

    Parameters
    ----------
    products : LiteralProducts
        The sum.
    """

    relaxable = True

    def __init__(self, products: LiteralProducts) -> None:
        self.n_variables = products.n_variables
        self._products = products
        # Complements stand below the variables.
        rows = products.variables + products.n_variables * products.negated
        tensors = {}
        for k, (numbers, literals) in enumerate(products.by_length()):
            tensors[f"rows_{k}"] = torch.from_numpy(rows[literals])
            tensors[f"weights_{k}"] = torch.from_numpy(products.weights[numbers])
        self._tensors = PlacedTensors(**tensors)
        self._n_groups = len(tensors) // 2

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        chunk = max(1, _CHUNK_CELLS // max(1, len(self._products.variables)))
        if len(Z) <= chunk:
            return self._costs(Z)
        return _InChunks.apply(self._costs, Z, chunk)

    def _costs(self, Z: torch.Tensor) -> torch.Tensor:
        tensors = self._tensors.like(Z)
        literals = Z.T.contiguous()
        if self._products.negated.any():
            literals = torch.cat([literals, 1 - literals])
        costs = Z.new_full((len(Z),), self._products.constant)
        for k in range(self._n_groups):
            first, *others = tensors[f"rows_{k}"]
            product = literals.index_select(0, first)
            for rows in others:
                product = product * literals.index_select(0, rows)
            costs = costs + tensors[f"weights_{k}"] @ product
        # A sum without a product has the slope zero, but it has one.
        return costs if self._n_groups else costs + 0 * Z.sum(1)

    def _neighbourhood(self, points: np.ndarray) -> ProductNeighbourhood:
        return ProductNeighbourhood(self._products, points)

    def _sweep(self, points: np.ndarray) -> ProductSweep:
        return ProductSweep(self._plan, points)

    @cached_property
    def _plan(self) -> SweepPlan:
        return SweepPlan(self._products)


class _InChunks(torch.autograd.Function):
    """Costs of some rows at a time; backward makes their intermediates anew."""

    @staticmethod
    def forward(
        ctx: Any,
        costs: Callable[[torch.Tensor], torch.Tensor],
        Z: torch.Tensor,
        chunk: int,
    ) -> torch.Tensor:
        ctx.save_for_backward(Z)
        ctx.costs, ctx.chunk = costs, chunk
        return torch.cat([costs(part) for part in Z.split(chunk)])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (Z,) = ctx.saved_tensors
        # Gradients are on here if this pass is to be differentiated itself.
        again = torch.is_grad_enabled()
        slopes = []
        with torch.enable_grad():
            points = Z if again else Z.detach().requires_grad_()
            parts = zip(points.split(ctx.chunk), gradient.split(ctx.chunk), strict=True)
            for part, share in parts:
                costs = ctx.costs(part)
                slopes += torch.autograd.grad(costs, part, share, create_graph=again)
        return None, torch.cat(slopes), None
