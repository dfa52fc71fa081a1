"""Solves with the Gram matrix of a soft subset of columns."""

from __future__ import annotations

import torch


class MaskedGram:
    """The systems c D^(1/2) G D^(1/2) + diag(delta), one for each row of Z.

    D is the diagonal matrix of a row z and G = X'X / n. For a binary z the system
    is the ridge system of the chosen columns, and diagonal elsewhere. The smaller
    of two forms is factorised once a row: over the columns that the rows use, at
    most k each (k x k), or, where k > n, over the observations (n x n).

    Parameters
    ----------
    X : torch.Tensor of shape (n, d)
        Columns.
    gram : torch.Tensor of shape (d, d) or None
        X'X / n if it is stored.
    Z : torch.Tensor of shape (rows, d)
        Points of [0, 1]^d.
    diagonal : torch.Tensor of shape (rows, d)
        The positive numbers delta.
    curvature : float
        The factor c.
    """

    def __init__(
        self,
        X: torch.Tensor,
        gram: torch.Tensor | None,
        Z: torch.Tensor,
        diagonal: torch.Tensor,
        curvature: float,
    ) -> None:
        self._X = X
        self._root = Z.sqrt()
        self._diagonal = diagonal
        self._curvature = curvature
        used = most_used(Z)
        self.is_primal = used <= X.shape[0]
        if self.is_primal:
            self._columns = self._root.topk(used, dim=1).indices
            self._factor = self._factorise(self._bound(gram))
        else:
            self._factor = self._dual_factor()

    @property
    def n_columns(self) -> int:
        """The size k of the systems in the primal form."""
        return self._columns.shape[1]

    def reweight(self, weights: torch.Tensor) -> None:
        """Replace c G by X' diag(weights) X / n; in the primal form only.

        Parameters
        ----------
        weights : torch.Tensor of shape (n, rows, m)
            The weights of the observations, for each row and right hand side.
        """
        root = self._root.gather(1, self._columns)
        chosen = self._X.T[self._columns] * root[:, :, None]
        systems = [
            (chosen * weights[:, :, j].T[:, None, :]) @ chosen.mT
            for j in range(weights.shape[2])
        ]
        self._factor = self._factorise(torch.stack(systems, 1) / self._X.shape[0])

    def solve(self, right: torch.Tensor) -> torch.Tensor:
        """Solve the systems.

        Parameters
        ----------
        right : torch.Tensor of shape (rows, d, m)
            Right hand sides, zero wherever z is zero.

        Returns
        -------
        solution : torch.Tensor of shape (rows, d, m)
            Zero wherever z is zero.
        """
        if not self.is_primal:
            return self._dual_solve(right)
        index = self._columns[:, :, None].expand(-1, -1, right.shape[2])
        part = right.gather(1, index)
        if self._factor.ndim == 3:
            part = torch.cholesky_solve(part, self._factor)
        else:
            part = torch.cholesky_solve(part.mT[..., None], self._factor)[..., 0].mT
        return torch.zeros_like(right).scatter_(1, index, part)

    def _bound(self, gram: torch.Tensor | None) -> torch.Tensor:
        columns = self._columns
        if gram is None:
            chosen = self._X.T[columns]
            system = chosen @ chosen.mT / self._X.shape[0]
        else:
            system = gram[columns[:, :, None], columns[:, None, :]]
        root = self._root.gather(1, columns) * self._curvature**0.5
        return system * (root[:, :, None] * root[:, None, :])

    def _factorise(self, systems: torch.Tensor) -> torch.Tensor:
        """Add the diagonal to (rows, k, k) or (rows, m, k, k) systems and factorise."""
        diagonal = self._diagonal.gather(1, self._columns)
        if systems.ndim == 4:
            diagonal = diagonal[:, None]
        systems.diagonal(dim1=-2, dim2=-1).add_(diagonal)
        return torch.linalg.cholesky(systems)

    def _dual_factor(self) -> torch.Tensor:
        spread = self._root**2 / self._diagonal
        system = (self._X * spread[:, None, :]) @ self._X.T
        system *= self._curvature / self._X.shape[0]
        system.diagonal(dim1=1, dim2=2).add_(1.0)
        return torch.linalg.cholesky(system)

    def _dual_solve(self, right: torch.Tensor) -> torch.Tensor:
        """Woodbury's identity."""
        root, diagonal = self._root[:, :, None], self._diagonal[:, :, None]
        first = right / diagonal
        inner = torch.cholesky_solve(self._X @ (root * first), self._factor)
        back = root * (self._X.T @ inner) / diagonal
        return first - self._curvature / self._X.shape[0] * back


def most_used(Z: torch.Tensor) -> int:
    """Return the largest number of nonzero columns of a row, at least 1.

    Parameters
    ----------
    Z : torch.Tensor of shape (rows, d)
        Points of [0, 1]^d.

    Returns
    -------
    used : int
        The largest count.
    """
    return max(1, int((Z > 0).sum(1).max())) if len(Z) else 1
