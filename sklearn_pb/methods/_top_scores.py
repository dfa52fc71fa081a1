"""Edge-popup: the mask is the top of learned scores, as many as are wanted."""

from __future__ import annotations

import torch

from ..utils import RandomStream, check_number
from ._base import Method, SearchSpace
from ._shared_scale import SharedScale
from ._thresholded import ThresholdedSearch

_INIT = 0  # address of the start below the search's stream


class TopScores(Method):
    """Edge-popup: keep the best scores; scores learn as if the mask were the scores.

    Parameters
    ----------
    initial_scale : float, default=0.1
        The scores start uniformly in [0, initial_scale].
    learning_rate : float, default=0.01
        Root mean square of a step of the scores, over all of them: the scale of steps
        is shared, so that scores add up slopes as they are, and not only their signs.
    smoothing : float, default=0.999
        Memory of the mean square that steps are divided by, in [0, 1).
    momentum : float, default=0.9
        Memory of the mean of the slopes, in [0, 1).

    Notes
    -----
    Ramanujan et al. (2020). The mask has its final number of ones from the first step:
    a sparsity is needed, and no price. They leave the weights as they are drawn
    (``train_weights=False``), scale these by the density (``rescale=True``), let each
    layer compete alone (``scope="layer"``) and compare the absolute scores; their steps
    are those of gradient descent with momentum.

    Examples
    --------
    >>> from sklearn_pb.methods import TopScores
    >>> TopScores(learning_rate=0.003)
    TopScores(learning_rate=0.003)
    """

    needs_relaxable = True
    needs_sparsity = True

    def __init__(
        self,
        *,
        initial_scale: float = 0.1,
        learning_rate: float = 0.01,
        smoothing: float = 0.999,
        momentum: float = 0.9,
    ) -> None:
        self.initial_scale = initial_scale
        self.learning_rate = learning_rate
        self.smoothing = smoothing
        self.momentum = momentum

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.initial_scale, "initial_scale", low=0, low_open=True)
        check_number(self.learning_rate, "learning_rate", low=0, low_open=True)
        check_number(self.smoothing, "smoothing", low=0, high=1, high_open=True)
        check_number(self.momentum, "momentum", low=0, high=1, high_open=True)

    def default_constraint(self) -> None:
        """Return None: the number of ones is exact at every step."""

    def _begin_(self, scores: torch.Tensor, stream: RandomStream) -> None:
        generator = stream.child(_INIT).torch_generator(scores.device)
        scores.uniform_(0, self.initial_scale, generator=generator)

    def start(self, space: SearchSpace) -> TopScoresSearch:
        """Begin a search.

        Parameters
        ----------
        space : SearchSpace
            What is masked, towards which sparsity, with which random draws.

        Returns
        -------
        search : TopScoresSearch
            The state of the run.

        Raises
        ------
        ValueError
            If the number of ones is open.
        """
        if space.quota.counts is None:
            raise ValueError(
                "TopScores (edge-popup) keeps as many of the best scores as a sparsity "
                f"asks for; it was given sparsity={space.sparsity!r}."
            )
        return TopScoresSearch(space, self)


class TopScoresSearch(ThresholdedSearch):
    """A run of `TopScores`: the threshold is where the quota puts it.

    Parameters
    ----------
    space : SearchSpace
        What is masked, with a sparsity.
    method : TopScores
        The hyperparameters.
    """

    def __init__(self, space: SearchSpace, method: TopScores) -> None:
        super().__init__(space, method)
        self._optimizer = SharedScale(
            [self.logits], method.learning_rate, method.momentum, method.smoothing
        )

    def mask(self) -> torch.Tensor:
        """Return ones for the best scores, as many as are wanted."""
        return self.space.quota.select(self.logits).to(self.logits.dtype)

    def kept(self) -> torch.Tensor:
        """Return the mask."""
        return self.mask()
