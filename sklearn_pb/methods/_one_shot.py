"""One-shot pruning: cut once, before, during or after training."""

from __future__ import annotations

from ..utils import check_number
from ._base import SearchSpace
from ._criteria import Criterion
from ._ranking import RankingMethod, RankingSearch


class OneShot(RankingMethod):
    """Cut a network once, by a criterion.

    Parameters
    ----------
    criterion : str or Criterion, default="l2"
        What is kept: "random", "l1", "l2", "lamp", "taylor", "snip", "fisher",
        "movement", or an object such as ``Taylor(power=2)``.
    at : float, default=1.0
        When to cut, as the fraction of the search done, in [0, 1]. 1 is at its end,
        when the mask is hardened: train, cut, train on in the fine-tuning part. 0 is
        before any training; a criterion that looks at slopes then sees its `n_batches`
        batches first, one step of training each, during which everything is kept.

    Notes
    -----
    Needs a sparsity. SNIP (Lee et al., 2019): ``OneShot("snip", at=0.0)``; LAMP (Lee et
    al., 2021): ``OneShot("lamp")``. With the magnitudes of the weights it is
    `Magnitude`.

    Criteria that look at slopes average them over all batches up to the cut, which
    makes a step somewhat dearer until then.

    Examples
    --------
    >>> from sklearn_pb.methods import OneShot
    >>> OneShot("snip", at=0.0)
    OneShot(at=0.0, criterion='snip')
    """

    def __init__(self, criterion: str | Criterion = "l2", *, at: float = 1.0) -> None:
        self.criterion = criterion
        self.at = at

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        super().check()
        check_number(self.at, "at", low=0, high=1)

    def start(self, space: SearchSpace) -> OneShotSearch:
        """Begin a search."""
        return OneShotSearch(space, self)


class OneShotSearch(RankingSearch):
    """A run of `OneShot`.

    Parameters
    ----------
    space : SearchSpace
        What is masked, with a sparsity, and weights if the criterion needs them.
    method : OneShot
        The hyperparameters.
    """

    def __init__(self, space: SearchSpace, method: OneShot) -> None:
        super().__init__(space, method)
        self._at = method.at

    def advance(self, progress: float) -> None:
        """Begin a step, with the cut if it is due."""
        super().advance(progress)
        if self._at <= progress and self._at < 1 and self._ready():
            self._cut(1.0, final=True)
