"""Random masks with the counts of a given one: what is in where the ones lie?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..methods import redrawn
from ..utils import RandomStream, check_choice


def reshuffled(
    masks: Mapping[str, torch.Tensor],
    random_state: int | np.random.RandomState | None = None,
    *,
    by: str = "layer",
) -> dict[str, torch.Tensor]:
    """Return random masks with as many ones as the given ones.

    The control of an architecture: by layer it keeps how dense each layer is and
    forgets which weights those are; over all it keeps the sparsity alone.

    Parameters
    ----------
    masks : dict of str to torch.Tensor
        Boolean masks of single weights, by parameter name. ``FixedMask(shuffle=...)``
        does the same for masks of blocks, channels or patterns.
    random_state : int, numpy.random.RandomState or None, default=None
        Seed of the draw.
    by : {"layer", "global"}, default="layer"
        Whether each parameter keeps its number of ones, or only all of them together.

    Returns
    -------
    masks : dict of str to torch.Tensor
        New boolean masks on the CPU; those given are not changed.

    Raises
    ------
    ValueError
        If `by` is unknown.

    Notes
    -----
    Colombo and Gao (2021), section 3.3 and table 1; Frankle et al. (2020).

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.masks import reshuffled
    >>> masks = {"a": torch.eye(3) > 0, "b": torch.ones(2, 2) > 0}
    >>> {name: int(m.sum()) for name, m in reshuffled(masks, 0).items()}
    {'a': 3, 'b': 4}
    """
    check_choice(by, "by", ("global", "layer"))
    if not masks:
        return {}
    flat = torch.cat([mask.bool().cpu().flatten() for mask in masks.values()])
    layers = [mask.numel() for mask in masks.values()]
    generator = RandomStream.from_random_state(random_state).torch_generator()
    drawn = redrawn(flat, layers if by == "layer" else [len(flat)], generator)
    parts = zip(masks.items(), drawn.split(layers), strict=True)
    return {name: part.view(mask.shape).clone() for (name, mask), part in parts}
