"""How the weights of one parameter follow the mask variables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Placement(ABC):
    """The variables that govern one parameter.

    Parameters
    ----------
    name : str
        Qualified name, as in ``module.named_parameters()``.
    shape : torch.Size
        Shape of the parameter.
    """

    name: str
    shape: torch.Size

    @abstractmethod
    def spread(self, variables: torch.Tensor) -> torch.Tensor:
        """Return the variable of each weight.

        Parameters
        ----------
        variables : torch.Tensor of shape (d,)
            One value a variable of the whole layout.

        Returns
        -------
        values : torch.Tensor
            Broadcasts to `shape`; 1 for weights that no variable governs.
        """

    @abstractmethod
    def add_sums_(self, values: torch.Tensor, totals: torch.Tensor) -> None:
        """Add up values of the weights by variable, in place.

        Parameters
        ----------
        values : torch.Tensor of shape `shape`
            One value a weight.
        totals : torch.Tensor of shape (d,)
            Changed: each variable gets the sum over its weights.
        """


@dataclass(frozen=True)
class Singles(Placement):
    """One variable a weight, in the order of memory.

    Parameters
    ----------
    name : str
        Name of the parameter.
    shape : torch.Size
        Its shape.
    start : int
        Its first variable.
    """

    start: int

    def view(self, variables: torch.Tensor) -> torch.Tensor:
        """Return the parameter's variables, as a view in its shape.

        Parameters
        ----------
        variables : torch.Tensor of shape (d,)
            One value a variable of the whole layout.

        Returns
        -------
        view : torch.Tensor of shape `shape`
            No copy.
        """
        end = self.start + self.shape.numel()
        return variables[self.start : end].view(self.shape)

    def spread(self, variables: torch.Tensor) -> torch.Tensor:
        """Return a view of the variables."""
        return self.view(variables)

    def add_sums_(self, values: torch.Tensor, totals: torch.Tensor) -> None:
        """Add the values themselves."""
        self.view(totals).add_(values)


@dataclass(frozen=True)
class Tiles(Placement):
    """One variable a block of the parameter, seen as a matrix (out, everything else).

    Parameters
    ----------
    name : str
        Name of the parameter.
    shape : torch.Size
        Its shape.
    start : int
        Its first variable.
    block : tuple of (int, int)
        Rows and columns of a block; those at the edges may be smaller.
    """

    start: int
    block: tuple[int, int]

    @property
    def grid(self) -> tuple[int, int]:
        """Number of blocks along rows and columns."""
        rows, columns = self._matrix
        return -(-rows // self.block[0]), -(-columns // self.block[1])

    @property
    def _matrix(self) -> tuple[int, int]:
        return self.shape[0], self.shape[1:].numel()

    def spread(self, variables: torch.Tensor) -> torch.Tensor:
        """Return each block's variable, repeated over it."""
        rows, columns = self._matrix
        n_rows, n_columns = self.grid
        part = variables[self.start : self.start + n_rows * n_columns]
        full = part.view(n_rows, 1, n_columns, 1).expand(-1, self.block[0], -1, -1)
        full = full.expand(-1, -1, -1, self.block[1])
        full = full.reshape(n_rows * self.block[0], n_columns * self.block[1])
        return full[:rows, :columns].reshape(self.shape)

    def add_sums_(self, values: torch.Tensor, totals: torch.Tensor) -> None:
        """Add the sum of each block."""
        rows, columns = self._matrix
        n_rows, n_columns = self.grid
        full = values.new_zeros(n_rows * self.block[0], n_columns * self.block[1])
        full[:rows, :columns] = values.reshape(rows, columns)
        cells = full.view(n_rows, self.block[0], n_columns, self.block[1])
        part = totals[self.start : self.start + n_rows * n_columns]
        part.add_(cells.sum((1, 3)).flatten())


@dataclass(frozen=True, eq=False)
class Slices(Placement):
    """One variable for each slice along an axis; slices may share a variable.

    Parameters
    ----------
    name : str
        Name of the parameter.
    shape : torch.Size
        Its shape.
    axis : int
        The axis.
    index : torch.Tensor of int64, shape (shape[axis],)
        The variable of each slice, in the whole layout; -1 where there is none.
    """

    axis: int
    index: torch.Tensor

    def spread(self, variables: torch.Tensor) -> torch.Tensor:
        """Return the variable of each slice, with axes of length 1 elsewhere."""
        index = self.index.to(variables.device)
        values = variables[index.clamp(min=0)]
        values = values.masked_fill(index < 0, 1)
        sides = [1] * len(self.shape)
        sides[self.axis] = len(index)
        return values.view(sides)

    def add_sums_(self, values: torch.Tensor, totals: torch.Tensor) -> None:
        """Add the sum of each slice."""
        index = self.index.to(totals.device)
        others = [a for a in range(len(self.shape)) if a != self.axis]
        sums = values.sum(others) if others else values
        governed = index >= 0
        totals.index_add_(0, index[governed], sums[governed].to(totals))
