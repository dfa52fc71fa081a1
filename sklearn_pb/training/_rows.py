"""Rows of a batch, in whatever tuples and dicts a network takes and gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten


def count_rows(tree: Any) -> int:
    """Return the number of rows of a batch.

    Parameters
    ----------
    tree : object
        Tensors in tuples, lists and dicts.

    Returns
    -------
    n_rows : int
        Length of the first tensor that has an axis; 0 if there is none.
    """
    leaves = tree_flatten(tree)[0]
    return next((x.shape[0] for x in leaves if torch.is_tensor(x) and x.ndim), 0)


def take_rows(tree: Any, rows: slice, n_rows: int) -> Any:
    """Return some rows of every tensor that has so many.

    Parameters
    ----------
    tree : object
        Tensors in tuples, lists and dicts; what is no batch is left as it is.
    rows : slice
        The rows.
    n_rows : int
        The number of rows of the batch.

    Returns
    -------
    part : object
        Of the same structure, with views of the tensors.
    """

    def take(x: torch.Tensor) -> torch.Tensor:
        return x[rows] if x.ndim and x.shape[0] == n_rows else x

    return map_tensors(take, tree)


def map_tensors(function: Callable[[torch.Tensor], Any], tree: Any) -> Any:
    """Return a tree with a function applied to its tensors.

    Parameters
    ----------
    function : callable
        Maps a tensor to what stands in its place.
    tree : object
        Tensors in tuples, lists and dicts.

    Returns
    -------
    mapped : object
        Of the same structure.
    """
    if torch.is_tensor(tree):  # which is ten times faster than the general way
        return function(tree)
    if type(tree) is tuple:
        return tuple(map_tensors(function, x) for x in tree)
    if type(tree) is dict:
        return {key: map_tensors(function, x) for key, x in tree.items()}
    return tree_map(lambda x: function(x) if torch.is_tensor(x) else x, tree)


def by_channels(tree: Any) -> Any:
    """Return a batch with its images in memory pixel by pixel, channels together.

    Parameters
    ----------
    tree : object
        Tensors in tuples, lists and dicts; those of four axes, on the CPU, are images.

    Returns
    -------
    converted : object
        Of the same structure and values.
    """

    def convert(x: torch.Tensor) -> torch.Tensor:
        image = x.ndim == 4 and x.is_floating_point() and x.device.type == "cpu"
        return x.clone(memory_format=torch.channels_last) if image else x

    return map_tensors(convert, tree)


class JoinedRows:
    """Trees of tensors, one a slice of a batch, that are one tree for the whole batch.

    Parameters
    ----------
    parts : sequence of object
        What a network gave for each slice.
    slices : sequence of slice
        The rows of each.

    Attributes
    ----------
    leaves : list of list of torch.Tensor
        The tensors of each part.

    Raises
    ------
    ValueError
        If a tensor has not one row for each of its slice.
    """

    def __init__(self, parts: Sequence[Any], slices: Sequence[slice]) -> None:
        self._flat, self._structure = _flatten(parts[0])
        self._places = [i for i, x in enumerate(self._flat) if torch.is_tensor(x)]
        self.leaves = [self._tensors(part) for part in parts]
        for leaves, rows in zip(self.leaves, slices, strict=True):
            self._check(leaves, rows)

    def joined(self, tensors: Sequence[torch.Tensor]) -> Any:
        """Return the tree with these tensors.

        Parameters
        ----------
        tensors : sequence of torch.Tensor
            One in the place of each tensor of a part.

        Returns
        -------
        tree : object
            Other leaves are those of the first part.
        """
        flat = list(self._flat)
        for place, tensor in zip(self._places, tensors, strict=True):
            flat[place] = tensor
        return (
            flat[0]
            if self._structure is None
            else tree_unflatten(flat, self._structure)
        )

    def _tensors(self, part: Any) -> list[torch.Tensor]:
        flat = _flatten(part)[0]
        return [flat[place] for place in self._places]

    @staticmethod
    def _check(leaves: list[torch.Tensor], rows: slice) -> None:
        n_rows = rows.stop - rows.start
        for x in leaves:
            if not x.ndim or x.shape[0] != n_rows:
                raise ValueError(
                    f"the network returned a tensor of shape {tuple(x.shape)} for "
                    f"{n_rows} rows; evaluation='sliced' needs one that returns a row "
                    "for each row. Use evaluation='whole'."
                )


def _flatten(tree: Any) -> tuple[list[Any], TreeSpec | None]:
    """The leaves of a tree, and what they hang on if it is not just a tensor."""
    return ([tree], None) if torch.is_tensor(tree) else tree_flatten(tree)
