"""The conformance check of methods."""

from __future__ import annotations

import gc
import pickle
import weakref
from functools import partial
from typing import Any

import torch
from sklearn.base import clone

from ..constraints import L0Penalty
from ..methods import Method, Search
from ._common import attempt, check_tensor, claim, untouched_global_generators
from ._method_goals import check_goal
from ._method_trial import FEW, Trial, take_step

_SPARSITIES = (0.0, 0.25, 0.5, 0.9)


def check_method(method: Method, *, n_variables: int = 8, n_steps: int = 200) -> None:
    """Check that a method and its searches keep the contract of `Method`.

    Parameters
    ----------
    method : Method
        The method to check, with hyperparameters for some hundred steps.
    n_variables : int, default=8
        Number of variables of the easy problems that it has to solve.
    n_steps : int, default=200
        Number of steps that it is given to solve one, and twice as many to be
        steered to a sparsity.

    Raises
    ------
    AssertionError
        With a message that says what is wrong and what was expected.

    Examples
    --------
    >>> from sklearn_pb.methods import MonteCarlo
    >>> from sklearn_pb.testing import check_method
    >>> check_method(MonteCarlo(gradient="arms", n_samples=4))
    """
    if not isinstance(method, Method):  # the repr of a broken method may fail
        raise AssertionError(
            f"{method!r} is not a method; subclass sklearn_pb.methods.Method."
        )
    _check_parameters(method)
    trial = Trial(method, n_variables, n_steps)
    for check in (
        _check_start,
        _check_mask,
        _check_borrowed,
        _check_needs,
        _check_scores,
        _check_random_draws,
        _check_resume,
        _check_harden,
        _check_released,
        check_goal,
    ):
        check(trial)


def _check_parameters(method: Method) -> None:
    name = type(method).__name__
    parameters = attempt(
        method.get_params,
        f"{name}.get_params() failed; the constructor must store every parameter "
        "under its own name",
    )
    copy = attempt(
        lambda: clone(method),
        f"{name} cannot be cloned; the constructor must store its parameters as they "
        "are, without checking, converting or copying them",
    )
    fresh = set(vars(copy)) - set(copy.get_params(deep=False))
    claim(
        not fresh,
        f"the constructor of {name} sets {sorted(fresh)} besides its parameters; it "
        "must store them and do nothing more (compute in start()).",
    )
    answer = attempt(copy.check, f"check() of {name} rejects its hyperparameters")
    claim(
        answer is None, f"check() returned {answer!r}; it must raise or return nothing."
    )
    claim(
        str(copy.get_params()) == str(parameters),
        f"check() changed the hyperparameters {parameters} to {copy.get_params()}.",
    )
    attempt(
        lambda: pickle.loads(pickle.dumps(method)),
        f"{name} cannot be pickled, which GridSearchCV(n_jobs=...) needs",
    )


def _check_start(trial: Trial) -> None:
    space = trial.space()
    search = trial.start(space)
    claim(
        isinstance(search, Search),
        f"start() returned a {type(search).__name__}; it must return a Search.",
    )
    claim(
        getattr(search, "space", None) is space,
        "the search does not keep its space; call super().__init__(space).",
    )
    claim(
        search.step == 0 and search.progress == 0.0,
        f"a new search is at step {search.step}, progress {search.progress}; both must "
        "be 0.",
    )


def _check_mask(trial: Trial) -> None:
    for dtype in (torch.float32, torch.float64):
        search = trial.start(trial.space(dtype=dtype))
        for progress in (0.0, 0.5, 1.0):
            search.advance(progress)
            mask = attempt(search.mask, "mask() failed")
            shape = tuple(getattr(mask, "shape", ()))
            claim(
                shape == (trial.d,),
                f"mask() returned shape {shape} for a space of {trial.d} variables.",
            )
            check_tensor(mask, "mask()", (trial.d,), dtype)
            claim(
                ((mask >= 0) & (mask <= 1)).all(),
                f"mask() returned values outside [0, 1]: {mask.tolist()}.",
            )
            claim(
                not mask.requires_grad,
                "mask() carries a gradient of its own; detach it: the trainer asks for "
                "the slope by the mask and gives it to update().",
            )
            take_step(search, trial.function, mask.clone())


def _check_borrowed(trial: Trial) -> None:
    method, penalty = clone(trial.method), L0Penalty(strength=0.01)
    space = trial.space(sparsity=0.5, constraint=penalty, groups=(trial.d - 3, 3))

    def contents() -> dict[str, Any]:
        return {
            "hyperparameters": str(method.get_params()),
            "quota": str(vars(space.quota)),
            "constraint": str(penalty),
            "space": dict(vars(space)),
        }

    before = contents()
    search = attempt(lambda: method.start(space), "start(space) failed")
    trial.masks(search)
    claim(
        search.step == FEW and search.progress == (FEW - 1) / trial.n_steps,
        f"after {FEW} steps the search is at step {search.step} and progress "
        f"{search.progress}; advance() must call super().advance(progress).",
    )
    after = contents()
    for what, old in before.items():
        claim(
            old == after[what],
            f"a search changed its {what} from {old} to {after[what]}; they belong to "
            "the caller, who may start another search with them.",
        )


def _check_needs(trial: Trial) -> None:
    method, search = trial.method, trial.start(trial.space())
    claim(
        method.needs_relaxable or not search.needs_slope,
        f"{type(search).__name__}.needs_slope is True, so that J must be "
        f"differentiable; {type(method).__name__}.needs_relaxable must be True too.",
    )
    claim(
        not (method.learns and method.needs_weights),
        "learns and needs_weights are both True; a method is driven by the cost or by "
        "the weights.",
    )
    if search.needs_slope:
        return
    seen = []

    def recorded(Z: torch.Tensor) -> torch.Tensor:
        seen.append(Z.detach().clone())
        return trial.function(Z)

    search.advance(0.0)
    search.mask()
    answer = search.update(recorded, None)
    claim(answer is None, f"update() returned {answer!r}; it must return nothing.")
    claim(
        seen or not method.learns,
        "learns is True, but update() neither wants the slope (needs_slope is False) "
        "nor calls the function.",
    )
    kind = "relaxed" if method.needs_relaxable else "binary"
    for Z in seen:
        allowed = (Z >= 0) & (Z <= 1) if method.needs_relaxable else (Z == 0) | (Z == 1)
        claim(
            Z.ndim == 2 and Z.shape[1] == trial.d and bool(allowed.all()),
            f"update() called the function with points of shape {tuple(Z.shape)}; it "
            f"takes {kind} points of shape (m, {trial.d}).",
        )


def _check_scores(trial: Trial) -> None:
    search = trial.start(trial.space())
    trial.masks(search)
    scores = attempt(search.scores, "scores() failed")
    check_tensor(scores, "scores()", (trial.d,), trial.space().dtype)
    density = attempt(search.density, "density() failed")
    claim(
        isinstance(density, float) and 0 <= density <= 1,
        f"density() returned {density!r}; it must be a float in [0, 1].",
    )


def _check_random_draws(trial: Trial) -> None:
    def run() -> tuple[torch.Tensor, torch.Tensor]:
        search = trial.start(trial.space(seed=3))
        return trial.masks(search), search.harden()

    with untouched_global_generators("the search"):
        masks, hard = run()
    masks_again, hard_again = run()
    claim(
        torch.equal(masks, masks_again) and torch.equal(hard, hard_again),
        "two searches with the same stream gave different masks; every draw must be "
        "made from space.stream, at an address that depends on the step alone.",
    )


def _check_resume(trial: Trial) -> None:
    search = trial.start(trial.space(sparsity=0.5, constraint=L0Penalty()))
    trial.masks(search)
    state = attempt(search.state_dict, "state_dict() failed")
    claim(
        isinstance(state, dict),
        f"state_dict() returned a {type(state).__name__}; it must be a dict.",
    )
    kept = attempt(
        lambda: pickle.dumps(state),
        "state_dict() cannot be pickled; it must hold numbers and tensors",
    )
    expected = trial.masks(search, FEW, 2 * FEW)
    for source, what in (
        (pickle.loads(kept), "a pickled copy of its state"),
        (state, "its state, after the first search went on"),
        (state, "its state, a second time"),
    ):
        resumed = trial.start(trial.space(sparsity=0.5, constraint=L0Penalty()))
        attempt(
            partial(resumed.load_state_dict, source),
            "load_state_dict() failed",
        )
        masks = trial.masks(resumed, FEW, 2 * FEW)
        claim(
            torch.equal(masks, expected) and resumed.step == search.step,
            f"a search resumed from {what} did not go on as the first one did; "
            "state_dict() must hold copies of everything that changes, and "
            "load_state_dict() must copy them back.",
        )


def _check_harden(trial: Trial) -> None:
    for sparsity in _SPARSITIES:
        for groups in (None, (1, trial.d - 3, 2)):
            space = trial.space(
                sparsity=sparsity, groups=groups, constraint=L0Penalty()
            )
            search = trial.start(space)
            trial.masks(search)
            asked = f"sparsity={sparsity} of {trial.d} variables, groups={groups}"
            mask = attempt(search.harden, f"harden() failed with {asked}")
            check_tensor(mask, "harden()", (trial.d,), torch.bool)
            assert space.quota.counts is not None
            wanted = list(space.quota.counts)
            parts = mask.split(space.quota.sizes)
            counts = [int(part.sum()) for part in parts]
            claim(
                counts == wanted,
                f"harden() kept {counts} ones with {asked}; it must keep exactly "
                f"{wanted}.",
            )


def _check_released(trial: Trial) -> None:
    enabled = gc.isenabled()
    gc.disable()
    try:
        search = trial.start(trial.space())
        trial.masks(search)
        reference = weakref.ref(search)
        del search
        claim(
            reference() is None,
            "a search that nobody holds any more stays in memory because of a "
            "reference cycle; it must not be referred to by what it owns.",
        )
    finally:
        if enabled:
            gc.enable()
