"""A sparse matrix as buffers of a module, and its products on a CPU."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import nn

LARGEST = 2**31 - 1  # of the indices: 32 bits, which MKL and FBGEMM read directly


class SparseMatrix(nn.Module):
    """A constant matrix in compressed sparse rows.

    A product is a sum of weighted rows of the other matrix, for which `embedding_bag`
    has code made at run time for the width: where we measured, with 16 columns and
    more, up to four times as fast as MKL's product of a sparse matrix.

    Parameters
    ----------
    dense : torch.Tensor of shape (n_rows, n_columns)
        Its exact zeros are left out.
    columns : torch.Tensor of shape (n_rows, n_columns), default=None
        The column that each entry stands for; None means its own.
    n_columns : int, default=None
        How many columns there are then; None means those of `dense`.

    Attributes
    ----------
    starts : torch.Tensor of shape (n_rows + 1,)
        Where each row begins in `columns`, and the end.
    columns : torch.Tensor of shape (n_nonzeros,)
        Columns of the entries, row by row.
    values : torch.Tensor of shape (n_nonzeros,)
        The entries.
    n_nonzeros : int
        How many there are.
    """

    starts: torch.Tensor
    columns: torch.Tensor
    values: torch.Tensor

    def __init__(
        self,
        dense: torch.Tensor,
        columns: torch.Tensor | None = None,
        n_columns: int | None = None,
    ) -> None:
        super().__init__()
        kept = dense.detach() != 0
        self.n_rows, width = dense.shape
        self.n_columns = width if n_columns is None else n_columns
        if max(dense.numel(), self.n_columns) > LARGEST:
            raise ValueError(
                f"A matrix of shape {tuple(dense.shape)} has more than {LARGEST} "
                "entries, which 32-bit indices cannot count."
            )
        if columns is None:
            columns = torch.arange(width, device=dense.device).expand_as(dense)
        starts = F.pad(kept.sum(1).cumsum(0), (1, 0))
        self.register_buffer("starts", starts.int())
        self.register_buffer("columns", columns[kept].int())
        self.register_buffer("values", dense.detach()[kept].clone())
        self.n_nonzeros = self.values.numel()

    def to_dense(self) -> torch.Tensor:
        """Return the matrix of shape (n_rows, n_columns), exact zeros included."""
        counts = self.starts.diff().long()
        rows = torch.arange(self.n_rows, device=counts.device)
        dense = self.values.new_zeros(self.n_rows, self.n_columns)
        dense[rows.repeat_interleave(counts), self.columns.long()] = self.values
        return dense

    def times(self, table: torch.Tensor) -> torch.Tensor:
        """Return the product with a matrix of shape (n_columns, width)."""
        if not self.n_nonzeros or not table.numel():
            return table.new_zeros(self.n_rows, table.shape[1])
        return F.embedding_bag(
            self.columns,
            table,
            self.starts,
            mode="sum",
            per_sample_weights=self.values,
            include_last_offset=True,
        )

    def as_tensor(self) -> torch.Tensor:
        """Return torch's own sparse tensor of the same memory."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
            return torch.sparse_csr_tensor(
                self.starts,
                self.columns,
                self.values,
                (self.n_rows, self.n_columns),
                check_invariants=False,
            )
