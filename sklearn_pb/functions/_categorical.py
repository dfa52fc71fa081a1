"""Functions of categorical variables, by binary codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..utils import check_number
from ._black_box import BlackBoxFunction

# Codes are signed 64-bit integers.
_MOST_BITS = 62


class CategoricalFunction(BlackBoxFunction):
    """A function of categorical variables, each written in binary.

    A variable with K categories 0, ..., K - 1 takes b = ceil(log2 K) bits. Bits
    z_1, ..., z_b are the code h = sum_i z_i 2^(i-1), lowest bit first, and stand for
    the category h if h < K, else for h - K. So every point of {0, 1}^d is feasible
    and every category has a code; if K is not a power of two, the first 2^b - K
    categories have two codes, h and h + K.

    Parameters
    ----------
    function : callable
        Takes a batch of categories (n, n_categorical), integers, and returns their n
        costs: a tensor, an array or a list of numbers.
    n_categories : sequence of int
        The number K of categories of each variable, at least 1. A variable with one
        category takes no bit.
    input : {"torch", "numpy"}, default="torch"
        What `function` is given: a tensor or an array of int64.

    Attributes
    ----------
    n_variables : int
        The number d of bits of all variables together.
    n_categories : tuple of int
        The number of categories of each variable.
    n_bits : tuple of int
        The number of bits of each variable; they follow one another in z.

    Raises
    ------
    TypeError
        If `function` is not callable or `n_categories` does not hold integers.
    ValueError
        If a number of categories is less than 1 or beyond 2^62, no variable has two,
        or `input` is unknown.

    Notes
    -----
    That J has the same minimum over {0, 1}^d as `function` has over the categories
    needs no more than a code for each category. Categories with two codes are drawn
    twice as often from uniform bits.

    References
    ----------
    Silva (2023), section 2.1: the mapping Cat, here onto 0, ..., K - 1, is a bijection
    for K = 2^b and onto, but not one-to-one, for K < 2^b.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import CategoricalFunction
    >>> J = CategoricalFunction(lambda C: (C[:, 0] - 2) ** 2 + C[:, 1], [5, 2])
    >>> J.n_variables, J.n_bits
    (4, (3, 1))
    >>> J.encode([[2, 0], [4, 1]])
    tensor([[0., 1., 0., 0.],
            [0., 0., 1., 1.]])
    >>> J.decode(torch.tensor([[1.0, 1.0, 1.0, 0.0]]))  # code 7 stands for 7 - 5
    tensor([[2, 0]])
    >>> J(torch.tensor([[1.0, 1.0, 1.0, 0.0]]))
    tensor([0.])
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        n_categories: Sequence[int],
        *,
        input: str = "torch",
    ) -> None:
        self.n_categories = _checked(n_categories)
        self.n_bits = tuple((K - 1).bit_length() for K in self.n_categories)
        if sum(self.n_bits) == 0:
            raise ValueError(
                f"n_categories={n_categories!r} leaves nothing to choose: at least one "
                "variable must have 2 categories."
            )
        super().__init__(function, sum(self.n_bits), input=input)

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        categories = self._decode(Z)
        given = categories if self.input == "torch" else categories.cpu().numpy()
        return self._as_numbers(self.function(given)).to(Z.device, Z.dtype)

    def decode(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Return the categories that binary points stand for.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (n, n_variables)
            Points of {0, 1}^d.

        Returns
        -------
        categories : torch.Tensor of int64, shape (n, n_categorical)
            Categories from 0 to K - 1, on the device of Z.

        Raises
        ------
        ValueError
            If Z does not have `n_variables` columns, or other entries than 0 and 1.
        """
        Z = torch.as_tensor(Z)
        if Z.ndim != 2 or Z.shape[1] != self.n_variables:
            raise ValueError(
                f"Z has shape {tuple(Z.shape)}, but {self._label} takes "
                f"(n, {self.n_variables})."
            )
        return self._decode(Z)

    def _decode(self, Z: torch.Tensor) -> torch.Tensor:
        if not bool(((Z == 0) | (Z == 1)).all()):
            raise ValueError(f"Z must hold zeros and ones only, got {Z}.")
        columns = []
        for bits, K in zip(
            Z.long().split(list(self.n_bits), 1), self.n_categories, strict=True
        ):
            code = (bits << torch.arange(bits.shape[1], device=Z.device)).sum(1)
            # There are fewer than K spare codes, so that one subtraction is enough.
            columns.append(torch.where(code < K, code, code - K))
        return torch.stack(columns, 1)

    def encode(self, categories: Any, *, spare: bool = False) -> torch.Tensor:
        """Return binary points that stand for categories.

        Parameters
        ----------
        categories : array-like of int, shape (n, n_categorical)
            Categories from 0 to K - 1.
        spare : bool, default=False
            Whether to use the second code, category + K, where there is one.

        Returns
        -------
        Z : torch.Tensor of shape (n, n_variables)
            Points of {0, 1}^d in torch's default dtype.

        Raises
        ------
        ValueError
            If `categories` is not of that shape, or a category out of its range.
        """
        given = np.asarray(categories)
        K = np.asarray(self.n_categories)
        if given.ndim != 2 or given.shape[1] != len(K):
            raise ValueError(
                f"categories have shape {given.shape}, but {self._label} takes "
                f"(n, {len(K)})."
            )
        if given.dtype.kind not in "iu" or (given < 0).any() or (given >= K).any():
            raise ValueError(
                f"categories must be integers from 0 to n_categories - 1 = "
                f"{(K - 1).tolist()}, got {given.tolist()}."
            )
        return self._encode(torch.as_tensor(given.astype(np.int64)), spare)

    def _encode(self, categories: torch.Tensor, spare: bool) -> torch.Tensor:
        parts = []
        for code, K, n_bits in zip(
            categories.unbind(1), self.n_categories, self.n_bits, strict=True
        ):
            if spare:
                code = torch.where(code + K < 2**n_bits, code + K, code)
            parts.append((code[:, None] >> torch.arange(n_bits)) & 1)
        return torch.cat(parts, 1).to(torch.get_default_dtype())

    @property
    def _label(self) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"CategoricalFunction({name})"


def _checked(n_categories: Any) -> tuple[int, ...]:
    if isinstance(n_categories, str) or not np.iterable(n_categories):
        raise TypeError(
            f"n_categories must be a sequence of integers, got {n_categories!r}."
        )
    counts = list(n_categories)
    for i, K in enumerate(counts):
        check_number(K, f"n_categories[{i}]", low=1, high=2**_MOST_BITS, integer=True)
    return tuple(int(K) for K in counts)
