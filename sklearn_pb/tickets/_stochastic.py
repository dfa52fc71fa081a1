"""Iterative stochastic sparsification."""

from __future__ import annotations

import torch

from ..constraints import L0Penalty
from ..methods import StraightThrough
from ..utils import check_number
from ._base import RoundEnd, TicketSearch, check_common


class Stochastic(TicketSearch):
    """Iterative stochastic sparsification (ISS): sampled masks, straight through.

    Each round trains weights under masks m ~ Bernoulli(sigma(s)), and s by the slope of
    the cost at these masks; the ticket is a last sample. Between rounds every weight
    whose s is below `s_init` is removed for good.

    Parameters
    ----------
    s_init : float, default=1.0
        Start of every s, the log-odds of keeping a weight.
    learning_rate : float, default=20.0
        Size of a step of s; of plain SGD, which needs a very large one.
    optimizer : {"sgd", "rmsprop"}, default="sgd"
        How s steps; "rmsprop" divides by the root mean square of the gradients, for
        which 0.1 is a good learning rate.
    derivative : bool, default=True
        Whether the slope by the mask is multiplied by the derivative of the sigmoid on
        its way to s.
    penalty : float or "auto", default="auto"
        Price of a kept weight, as for `Continuous`.
    rewinds : bool, default=False
        Whether weights go back to the stored ones between rounds.

    Notes
    -----
    Savarese (2025), algorithm 4, after Zhou et al. (2019), with `s_init` and learning
    rate of section 4.5.4. Its penalty is 1e-8, which removes little more than the noise
    of the gradients does.

    Where channels are masked, a layer that would lose its last one keeps the highest s,
    which starts again at `s_init`.

    Examples
    --------
    >>> from sklearn_pb.tickets import Stochastic
    >>> Stochastic(learning_rate=100)
    Stochastic(learning_rate=100)
    """

    def __init__(
        self,
        *,
        s_init: float = 1.0,
        learning_rate: float = 20.0,
        optimizer: str = "sgd",
        derivative: bool = True,
        penalty: float | str = "auto",
        rewinds: bool = False,
    ) -> None:
        self.s_init = s_init
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.derivative = derivative
        self.penalty = penalty
        self.rewinds = rewinds

    @property
    def name(self) -> str:
        """ "stochastic"."""
        return "stochastic"

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.s_init, "s_init")
        self.method().check()
        check_common(self, self.penalty)
        if not isinstance(self.derivative, bool):
            raise TypeError(f"derivative={self.derivative!r} must be True or False.")

    def method(self) -> StraightThrough:
        """Return the sampling of a round."""
        return StraightThrough(
            derivative=self.derivative,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,
            hardening="sample",
        )

    def constraint(self) -> L0Penalty:
        """Return the penalty."""
        return L0Penalty(self.penalty)

    def first_logits(self, n_variables: int) -> torch.Tensor:
        """Return `s_init` for every variable."""
        return torch.full((n_variables,), float(self.s_init))

    def next_logits(self, end: RoundEnd, ticket: torch.Tensor) -> torch.Tensor:
        """Remove for good what is below `s_init`; leave the others where they are."""
        assert end.logits is not None
        below = end.logits < self.s_init
        return end.logits.masked_fill(below, -torch.inf)
