"""A mask that is given: an architecture to train, or a random one like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ..constraints import Quota
from ..utils import check_choice
from ._base import Function, Method, Search, SearchSpace

SHUFFLES = ("layer", "global")


class FixedMask(Method):
    """Train with a given mask from the first step to the last.

    Only the architecture counts: the weights are those that the network starts with,
    so a class of networks, or a skorch net around one, starts from fresh ones.

    Parameters
    ----------
    masks : dict of str to torch.Tensor
        Boolean masks (True is kept) by parameter name, in the shapes of the
        parameters, as in `MaskPruner.masks_`. Parameters that are not named are kept
        whole; ``{}`` is the dense network.
    shuffle : {"layer", "global"}, default=None
        Draw a random mask in place of the given one: with as many ones in each layer,
        or only as many in all. A pattern such as 2:4 and the last channel of a layer
        are respected. None takes the masks as they are.
    strict : bool, default=True
        False also keeps a parameter whole where its mask has another shape, as the
        last layer has for another number of classes, and passes over masks of
        parameters that are not there.

    Notes
    -----
    It knows its own number of ones: the `sparsity` of `MaskPruner` must be None.
    Transfer of an architecture: Colombo and Gao (2021), section A.2; a random mask
    with the same layers: section 3.3.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_pb import MaskPruner
    >>> from sklearn_pb.methods import FixedMask
    >>> X, y = load_iris(return_X_y=True)
    >>> mask = torch.zeros(100, 4, dtype=torch.bool)
    >>> mask[:, 2:] = True  # hidden units see the last two columns
    >>> pruner = MaskPruner(method=FixedMask({"hidden.weight": mask}), random_state=0)
    >>> bool(pruner.fit(X, y).masks_["hidden.weight"][:, 0].any())
    False
    """

    needs_weights = True
    learns = False
    knows_count = True

    def __init__(
        self,
        masks: Mapping[str, torch.Tensor],
        *,
        shuffle: str | None = None,
        strict: bool = True,
    ) -> None:
        self.masks = masks
        self.shuffle = shuffle
        self.strict = strict

    def check(self) -> None:
        """Raise if there are no boolean masks, or `shuffle` is unknown."""
        if not isinstance(self.masks, Mapping):
            raise TypeError(
                f"masks={self.masks!r} must be a dict of parameter names to boolean "
                "tensors."
            )
        for name, mask in self.masks.items():
            if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
                kind = getattr(mask, "dtype", type(mask).__name__)
                raise TypeError(
                    f"masks[{name!r}] must be a tensor of torch.bool, not {kind}."
                )
        if self.shuffle is not None:
            check_choice(self.shuffle, "shuffle", SHUFFLES)

    def start(self, space: SearchSpace) -> FixedMaskSearch:
        """Begin a search."""
        return FixedMaskSearch(space, self)


class FixedMaskSearch(Search):
    """A run of `FixedMask`: nothing is searched for.

    Parameters
    ----------
    space : SearchSpace
        What is masked, with weights that have names.
    method : FixedMask
        The masks.
    """

    def __init__(self, space: SearchSpace, method: FixedMask) -> None:
        super().__init__(space)
        if space.weights is None or space.weights.given is None:
            raise ValueError(
                "FixedMask needs a network whose parameters have the names of its "
                "masks; it was given none."
            )
        kept, named = space.weights.given(method.masks, method.strict)
        if method.shuffle is not None:
            kept = _shuffled(kept, named, space, method.shuffle)
        _check_quota(kept, named, space.quota)
        self._kept = kept.to(device=space.device, dtype=space.dtype)

    def mask(self) -> torch.Tensor:
        """Return the given mask."""
        return self._kept

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Nothing is learned from the cost."""

    def scores(self) -> torch.Tensor:
        """Return 1 for the weights of the mask and -1 for the others."""
        return 2 * self._kept - 1

    def harden(self) -> torch.Tensor:
        """Return the given mask."""
        return self._kept > 0


def redrawn(
    mask: torch.Tensor,
    sizes: Sequence[int],
    generator: torch.Generator,
    *,
    held: torch.Tensor | None = None,
    at_least_one: Sequence[int] = (),
) -> torch.Tensor:
    """Return a random mask with as many ones in each group as a given one.

    Parameters
    ----------
    mask : torch.Tensor of bool, shape (d,)
        The given mask, on the CPU.
    sizes : sequence of int
        Sizes of consecutive groups of variables.
    generator : torch.Generator
        Where it is drawn from.
    held : torch.Tensor of bool, shape (d,), default=None
        Ones of `mask` that stay where they are.
    at_least_one : sequence of int, default=()
        Sizes of consecutive groups that keep a one.

    Returns
    -------
    mask : torch.Tensor of bool, shape (d,)
        All masks with these counts are equally likely.
    """
    counts = [int(part.sum()) for part in mask.split(list(sizes))]
    scores = torch.rand(len(mask), generator=generator)
    if held is not None:
        scores[held] = 2.0
    return Quota(sizes, counts, at_least_one=at_least_one).select(scores)


def _shuffled(
    kept: torch.Tensor, named: torch.Tensor, space: SearchSpace, shuffle: str
) -> torch.Tensor:
    """A random mask of the named variables; the others stay whole."""
    generator, quota = space.stream.torch_generator(), space.quota
    if quota.counts is not None:  # a pattern in which any mask must lie
        return quota.select(torch.rand(len(kept), generator=generator)) | ~named
    assert space.weights is not None
    sizes = space.weights.layers if shuffle == "layer" else [len(kept)]
    return redrawn(kept, sizes, generator, held=~named, at_least_one=quota.at_least_one)


def _check_quota(kept: torch.Tensor, named: torch.Tensor, quota: Quota) -> None:
    """Raise if named variables are not as a pattern or a sparsity wants them."""
    if quota.counts is None:
        return
    wanted = quota.select(kept.float())
    if not torch.equal(wanted[named], kept[named]):
        raise ValueError(
            "the masks of FixedMask do not keep what the granularity or the sparsity "
            "asks for."
        )
