"""Ticket search with continuous sparsification, and its sequential form."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import torch
from sklearn.base import clone

from ..constraints import L0Penalty, Quota
from ..methods import Continuation
from ..schedules import ExponentialSharpness
from ..utils import RandomStream, check_choice, check_number
from ._base import RoundEnd, TicketSearch, check_common

RESETS = ("lower", "all")


class _Annealed(TicketSearch):
    """What both forms share: rounds of continuation, with a sharpness that starts anew.

    A subclass stores `beta_final`, `learning_rate`, `optimizer`, `penalty`, `rewinds`
    and has one `_start` for all soft mask parameters.
    """

    beta_final: float
    learning_rate: float
    optimizer: str
    penalty: float | str

    @property
    def _start(self) -> float:
        raise NotImplementedError

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_common(self, self.penalty)
        for _, run in self.runs():
            run.method().check()  # type: ignore[union-attr]

    def method(self) -> Continuation:
        """Return the continuation of a round, to the letter of the source."""
        return Continuation(
            beta_final=self.beta_final,
            s_init=self._start,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,
            saturation=None,
        )

    def constraint(self) -> L0Penalty:
        """Return the penalty."""
        return L0Penalty(self.penalty)

    def first_logits(self, n_variables: int) -> torch.Tensor:
        """Return `s_init` for every variable."""
        return torch.full((n_variables,), float(self._start))

    def _lowered(self, end: RoundEnd) -> torch.Tensor:
        """min(beta s, s_init), with beta as it was at the end."""
        assert end.logits is not None
        beta = ExponentialSharpness(float(self.beta_final))(end.progress)
        return (end.logits * beta).clamp(max=float(self._start))


class Continuous(_Annealed):
    """Ticket search with continuous sparsification.

    Each round anneals soft masks sigma(beta s) and trains the weights beside them; the
    ticket is 1[s >= 0]. Between rounds s becomes min(beta s, s_init), so that what was
    suppressed stays so and the rest is open again, and beta goes back to 1. Weights go
    on. How sparse tickets are is a matter of `s_init`: several values are several
    independent runs, which find tickets of several sparsities at the same time.

    Parameters
    ----------
    s_init : float or sequence of float, default=0.0
        Start of every soft mask parameter; of a sequence, one run a value. Lower gives
        sparser tickets.
    beta_final : float, default=200.0
        Sharpness at the end of each round; it grows exponentially from 1.
    learning_rate : float, default=0.01
        Size of a step of s.
    optimizer : {"rmsprop", "sgd"}, default="rmsprop"
        How s steps, see `sklearn_pb.methods.Continuation`.
    penalty : float or "auto", default="auto"
        Price of a kept weight, in units of the cost; "auto" takes a tenth of the mean
        slope of the cost by the mask at the first step of each round.
    rewinds : bool, default=False
        Whether weights go back to the stored ones between rounds.

    Notes
    -----
    Savarese (2025), algorithm 2; with ``rewinds=True`` as in section 4.5.4. The thesis
    takes a penalty of 1e-8 and starts from -0.3 to 0.3.

    Examples
    --------
    >>> from sklearn_pb.tickets import Continuous
    >>> [label for label, _ in Continuous(s_init=[-0.1, 0.1]).runs()]
    ['continuous s_init=-0.1', 'continuous s_init=0.1']
    """

    def __init__(
        self,
        *,
        s_init: float | Sequence[float] = 0.0,
        beta_final: float = 200.0,
        learning_rate: float = 0.01,
        optimizer: str = "rmsprop",
        penalty: float | str = "auto",
        rewinds: bool = False,
    ) -> None:
        self.s_init = s_init
        self.beta_final = beta_final
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.penalty = penalty
        self.rewinds = rewinds

    @property
    def name(self) -> str:
        """ "continuous"."""
        return "continuous"

    @property
    def _start(self) -> float:
        assert isinstance(self.s_init, Real)
        return float(self.s_init)

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        several = _is_several(self.s_init)
        starts = list(self.s_init) if several else [self.s_init]  # type: ignore[arg-type]
        if not starts:
            raise ValueError(f"s_init={self.s_init!r} must have at least one value.")
        for start in starts:
            check_number(start, "s_init")
        if len({label for label, _ in self.runs()}) < len(starts):
            raise ValueError(
                f"s_init={self.s_init!r} has a value twice (to six digits), which "
                "would be the same run twice; n_seeds repeats a search."
            )
        super().check()

    def runs(self) -> list[tuple[str, TicketSearch]]:
        """Return one run a value of `s_init`."""
        if not _is_several(self.s_init):
            return super().runs()
        return [
            (f"{self.name} s_init={start:g}", clone(self).set_params(s_init=start))
            for start in self.s_init  # type: ignore[union-attr]
        ]

    def next_logits(self, end: RoundEnd, ticket: torch.Tensor) -> torch.Tensor:
        """Return min(beta s, s_init)."""
        return self._lowered(end)


class Sequential(_Annealed):
    """Continuous sparsification that removes a share of the weights each round.

    As `Continuous`, but the ticket of a round is without the lowest s, exactly as many
    as the pruning rate says, and these are removed for good. One run gives tickets of
    all sparsities, as with iterative magnitude pruning.

    Parameters
    ----------
    s_init : float, default=0.0
        Start of every soft mask parameter.
    beta_final : float, default=200.0
        Sharpness at the end of each round; it grows exponentially from 1.
    learning_rate : float, default=0.01
        Size of a step of s.
    optimizer : {"rmsprop", "sgd"}, default="rmsprop"
        How s steps, see `sklearn_pb.methods.Continuation`.
    penalty : float or "auto", default="auto"
        Price of a kept weight, as for `Continuous`.
    reset : {"lower", "all"}, default="lower"
        Where the s that are left start the next round: "lower" at min(beta s, s_init),
        so that what was suppressed and yet not removed stays so and goes next; "all"
        at `s_init`.
    rewinds : bool, default=False
        Whether weights go back to the stored ones between rounds.

    Notes
    -----
    Savarese (2025), section 4.5.5, which does not say how s is reset: "lower" is as in
    algorithm 2. We saw little difference between the two.

    Examples
    --------
    >>> from sklearn_pb.tickets import Sequential
    >>> Sequential(beta_final=100)
    Sequential(beta_final=100)
    """

    goes_by_rate = True

    def __init__(
        self,
        *,
        s_init: float = 0.0,
        beta_final: float = 200.0,
        learning_rate: float = 0.01,
        optimizer: str = "rmsprop",
        penalty: float | str = "auto",
        reset: str = "lower",
        rewinds: bool = False,
    ) -> None:
        self.s_init = s_init
        self.beta_final = beta_final
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.penalty = penalty
        self.reset = reset
        self.rewinds = rewinds

    @property
    def name(self) -> str:
        """ "sequential"."""
        return "sequential"

    @property
    def _start(self) -> float:
        return self.s_init

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_choice(self.reset, "reset", RESETS)
        super().check()

    def ticket(self, end: RoundEnd, quota: Quota, stream: RandomStream) -> torch.Tensor:
        """Return the highest s, as many as the pruning rate leaves."""
        assert end.logits is not None
        return quota.select(end.logits)

    def next_logits(self, end: RoundEnd, ticket: torch.Tensor) -> torch.Tensor:
        """Return the starts of those that are left."""
        if self.reset == "lower":
            logits = self._lowered(end)
        else:
            logits = self.first_logits(len(ticket))
        return logits.masked_fill_(~ticket, -torch.inf)


def _is_several(s_init: object) -> bool:
    return not isinstance(s_init, (Real, str)) and hasattr(s_init, "__iter__")
