"""What a method is there for: masks that cost little, and as sparse as asked for."""

from __future__ import annotations

import torch

from ..constraints import L0Penalty
from ..methods import CRITERIA, Method
from ._common import claim
from ._method_trial import Trial

_PRICE = 5.0  # of a one, where none is worth more than _GAINS[1]
_GAINS = 0.5, 1.5
_SPARSITY = 0.75
_HINT = (
    "Does the price of a one reach update()? LogitSearch has it as self._price(...); "
    "another search asks space.constraint.start(quota, density) for it."
)


def check_goal(trial: Trial) -> None:
    """Claim that the method solves problems whose solution is plain to see."""
    method = trial.method
    if method.learns:
        _check_lowers_cost(trial)
        _check_steered(trial)
    if method.learns and not method.needs_sparsity:
        _check_priced(trial)
    if method.needs_weights and _ranks_by_size(method):
        _check_keeps_largest(trial)


def _ranks_by_size(method: Method) -> bool:
    """Whether larger weights are to be kept; a criterion may say otherwise."""
    criterion = getattr(method, "criterion", None)
    kind = CRITERIA.get(criterion) if isinstance(criterion, str) else criterion
    return getattr(kind, "monotone", True)


def _check_lowers_cost(trial: Trial) -> None:
    search = trial.start(trial.space())
    trial.masks(search, 0, trial.n_steps)
    search.advance(1.0)
    random = float(trial.weights.sum()) / 2
    least = float(trial.weights.clamp(max=0).sum())
    cost, wanted = float(trial.weights[search.harden()].sum()), (random + least) / 2
    claim(
        cost <= wanted,
        f"after {trial.n_steps} steps on the linear J(z) = sum_i w_i z_i with w = "
        f"{trial.weights.tolist()} the hardened mask costs {cost:g}; the least is "
        f"{least:g}, a random mask costs {random:g}, and at most {wanted:g} was "
        "expected. Is the sign of the step right, and the learning rate large enough?",
    )


def _check_keeps_largest(trial: Trial) -> None:
    sizes = 1.0 + (torch.arange(trial.d) * 5) % trial.d
    # A linear cost that each weight lowers by its size: its slope ranks alike.
    trial = Trial(trial.method, trial.d, trial.n_steps, weights=-sizes)
    search = trial.start(trial.space())
    trial.masks(search, 0, trial.n_steps)
    search.advance(1.0)
    kept = sizes[search.harden()].sort().values
    largest = sizes.sort().values[-len(kept) :]
    claim(
        torch.equal(kept, largest),
        f"the hardened mask keeps weights of size {kept.tolist()}; the "
        f"{len(kept)} largest are {largest.tolist()}.",
    )


def _gainful(trial: Trial, n_steps: int) -> Trial:
    """The same method where every one lowers the cost."""
    gains = torch.linspace(*_GAINS, trial.d)
    return Trial(trial.method, trial.d, n_steps, weights=-gains)


def _check_priced(trial: Trial) -> None:
    trial = _gainful(trial, trial.n_steps)
    search = trial.start(trial.space(constraint=L0Penalty(strength=_PRICE)))
    trial.masks(search, 0, trial.n_steps)
    search.advance(1.0)
    kept = int(search.harden().sum())
    claim(
        kept <= trial.d / 4,
        f"after {trial.n_steps} steps on a linear J that each one lowers by "
        f"{_GAINS[0]:g} to {_GAINS[1]:g}, at a price of {_PRICE:g} for a one "
        f"(L0Penalty), the hardened mask keeps {kept} of {trial.d} variables; at most "
        f"a quarter was expected. {_HINT}",
    )


def _check_steered(trial: Trial) -> None:
    trial = _gainful(trial, 2 * trial.n_steps)
    space = trial.space(sparsity=_SPARSITY, constraint=L0Penalty())
    search = trial.start(space)
    trial.masks(search, 0, trial.n_steps)
    search.advance(1.0)
    assert space.quota.counts is not None
    wanted = space.quota.counts[0] / trial.d
    density = search.density()
    claim(
        abs(density - wanted) <= max(wanted / 2, 1 / trial.d),
        f"after {trial.n_steps} steps towards sparsity={_SPARSITY} with L0Penalty(), "
        f"on a linear J that each one lowers, the mask's own density is {density:.2g}; "
        f"about {wanted:g} was expected, so that the cut to exactly that many changes "
        f"little. {_HINT}",
    )
