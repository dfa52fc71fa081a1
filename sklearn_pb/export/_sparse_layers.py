"""Linear layers and convolutions whose weights are stored without their zeros."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.conv import _ConvNd

from ._sparse_matrix import SparseMatrix

HAVE_MKL = torch.backends.mkl.is_available()
WIDTH = 64  # columns at a time: their part of the input then stays in the cache
TABLE = 1 << 19  # numbers in a table of patches, for the same reason


class _SparseLayer(nn.Module):
    """What both kinds share: a matrix, a bias, and a line about them."""

    bias: torch.Tensor | None

    def __init__(self, matrix: SparseMatrix, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.matrix = matrix
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def extra_repr(self) -> str:
        """Return shape and zeros, and what was measured where that was done."""
        matrix = self.matrix
        size = max(self._n_weights(), 1)
        zeros = f"{100 * (1 - matrix.n_nonzeros / size):.4g} % zeros"
        choice = getattr(self, "layout_choice", None)
        return f"{self._shape()}, {zeros}" + ("" if choice is None else f", {choice}")

    def _n_weights(self) -> int:
        return self.matrix.n_rows * self.matrix.n_columns

    def _shape(self) -> str:
        raise NotImplementedError


class SparseLinear(_SparseLayer):
    """A linear layer of compressed sparse rows, for inference.

    Its weights are constants: buffers, no parameters. One vector is multiplied by MKL,
    several by sums of weighted rows of the transposed input.

    Parameters
    ----------
    linear : nn.Linear
        The layer whose weights and bias are taken over; exact zeros are left out.

    Attributes
    ----------
    matrix : nn.Module
        Its buffers `starts`, `columns` and `values` hold the rows; `to_dense()` gives
        the weights back, bit for bit.
    bias : torch.Tensor of shape (out_features,) or None
        The bias.

    See Also
    --------
    sparsify : Puts these into a network where they are faster.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import SparseLinear
    >>> linear = torch.nn.Linear(4, 2)
    >>> linear.weight.data[:, 1:] = 0.0
    >>> SparseLinear(linear)
    SparseLinear(
      in_features=4, out_features=2, bias=True, 75 % zeros
      (matrix): SparseMatrix()
    )
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(SparseMatrix(linear.weight), linear.bias)
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self._plan: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the outputs for inputs of shape (..., in_features)."""
        if input.numel() == self.in_features and HAVE_MKL and not input.requires_grad:
            return self._one(input)
        rows = input.reshape(-1, self.in_features)
        parts = [self._several(part) for part in rows.split(WIDTH)]
        flat = parts[0] if len(parts) == 1 else torch.cat(parts)
        return flat.view(*input.shape[:-1], self.out_features)

    def _one(self, input: torch.Tensor) -> torch.Tensor:
        matrix, bias = self._plan or self._make_plan()
        if input.ndim == 2:  # the usual shape, the quickest way
            return torch.addmv(bias, matrix, input[0])[None]
        product = torch.addmv(bias, matrix, input.reshape(-1))
        return product.view(*input.shape[:-1], self.out_features)

    def _make_plan(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Look up for good what one vector needs: small layers spend their time so."""
        matrix = self.matrix.as_tensor()
        bias = matrix.values().new_zeros(self.out_features)
        self._plan = (matrix, bias if self.bias is None else self.bias)
        return self._plan

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self._plan = None  # the buffers are about to move
        return super()._apply(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._plan = None
        super()._load_from_state_dict(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the plan out, so that copies make their own."""
        return {**self.__dict__, "_plan": None}

    def _several(self, rows: torch.Tensor) -> torch.Tensor:
        product = self.matrix.times(rows.t().contiguous()).t().contiguous()
        return product if self.bias is None else product.add_(self.bias)

    def _shape(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class SparseConv(_SparseLayer):
    """A convolution of compressed sparse rows, for inference.

    Patches of the input are laid out as a table of a row for each weight of a filter,
    a few lines of the image at a time, and each filter sums the rows of its non-zeros.
    A convolution of 1 x 1 needs no patches: its input is the table.

    Parameters
    ----------
    conv : nn.Conv1d, nn.Conv2d or nn.Conv3d
        The layer whose weights, bias and geometry are taken over, groups included.

    Attributes
    ----------
    matrix : nn.Module
        Its buffers `starts`, `columns` and `values` hold the filters as rows.
    bias : torch.Tensor of shape (out_channels,) or None
        The bias.

    See Also
    --------
    sparsify : Puts these into a network where they are faster.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import SparseConv
    >>> conv = torch.nn.Conv2d(8, 8, 3, padding=1)
    >>> conv.weight.data[:, 1:] = 0.0
    >>> SparseConv(conv)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    def __init__(self, conv: _ConvNd) -> None:
        weight = conv.weight.flatten(1)
        width = conv.in_channels * math.prod(conv.kernel_size)
        columns = _group_columns(weight, conv.groups)
        super().__init__(SparseMatrix(weight, columns, width), conv.bias)
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        self.kernel_size, self.groups = conv.kernel_size, conv.groups
        self.stride, self.dilation = conv.stride, conv.dilation
        self.padding, self.padding_mode = conv.padding, conv.padding_mode

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the outputs for inputs of shape (n, in_channels, ...)."""
        if input.ndim == len(self.kernel_size) + 1:
            return self(input[None])[0]
        windows = self._windows(self._pad(input))
        axes = 1 + len(self.kernel_size)
        n_samples, *sizes = windows.shape[axes:]
        blocks = list(self._blocks(n_samples, sizes))
        if n_samples == len(blocks) == 1:
            return self._filter(windows)
        output = input.new_empty(n_samples, self.out_channels, *sizes)
        for samples, lines in blocks:
            part = windows[(slice(None),) * axes + (samples, lines)]
            output[samples, :, lines] = self._filter(part)
        return output

    def _pad(self, input: torch.Tensor) -> torch.Tensor:
        if self.padding == "valid":
            return input
        pads: list[int] = []
        for axis in reversed(range(len(self.kernel_size))):
            if self.padding == "same":
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                pads += [total // 2, total - total // 2]
            else:
                pads += [int(self.padding[axis])] * 2
        if not any(pads):
            return input
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(input, pads, mode)

    def _windows(self, padded: torch.Tensor) -> torch.Tensor:
        """Return the patches as a view of shape (channels, *kernel, n, *output)."""
        n_samples, channels, *lengths = padded.shape
        to_sample, to_channel, *steps = padded.stride()
        geometry = list(
            zip(
                lengths,
                self.kernel_size,
                self.stride,
                self.dilation,
                steps,
                strict=True,
            )
        )
        sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d, _ in geometry]
        return padded.as_strided(
            (channels, *self.kernel_size, n_samples, *sizes),
            (
                to_channel,
                *(d * step for *_, d, step in geometry),
                to_sample,
                *(s * step for _, _, s, _, step in geometry),
            ),
            padded.storage_offset(),
        )

    def _blocks(
        self, n_samples: int, sizes: list[int]
    ) -> Iterator[tuple[slice, slice]]:
        """Yield samples and lines of the output to work on at a time."""
        line = math.prod(sizes[1:])
        n_lines = sizes[0]
        if self.matrix.n_columns > self.in_channels:  # patches are copied
            wanted = max(TABLE // self.matrix.n_columns, WIDTH) // line
            n_lines = min(max(wanted, 1), n_lines)
        together = max(WIDTH // (line * n_lines), 1)
        for sample in range(0, n_samples, together):
            for first in range(0, sizes[0], n_lines):
                yield slice(sample, sample + together), slice(first, first + n_lines)

    def _filter(self, windows: torch.Tensor) -> torch.Tensor:
        sizes = windows.shape[1 + len(self.kernel_size) :]
        product = self.matrix.times(windows.reshape(self.matrix.n_columns, -1))
        if self.bias is not None:
            product.add_(self.bias[:, None])
        return product.view(self.out_channels, *sizes).transpose(0, 1)

    def _n_weights(self) -> int:
        return self.matrix.n_rows * self.matrix.n_columns // self.groups

    def _shape(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, groups={self.groups}"
        )


def _group_columns(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Return which row of the table of patches each weight of each filter meets."""
    n_filters, width = weight.shape
    own = torch.arange(width, device=weight.device)
    group = torch.arange(n_filters, device=weight.device) // max(n_filters // groups, 1)
    return own + width * group[:, None]
