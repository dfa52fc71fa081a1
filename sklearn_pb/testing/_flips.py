"""The conformance check of changes of cost by flips."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..functions import PseudoBooleanFunction
from ._common import attempt, claim

_REPLICAS = 3
_ROUNDS = 6
_MOST = 16  # variables, or classes, that are looked at in a round


def check_flips(function: PseudoBooleanFunction) -> None:
    """Check that the neighbourhood and the sweep agree with evaluations.

    Parameters
    ----------
    function : PseudoBooleanFunction
        A function whose evaluations have passed.

    Raises
    ------
    AssertionError
        With a message that says what is wrong and what was expected.
    """
    generator = np.random.default_rng(0)
    _check_neighbourhood(function, generator)
    _check_sweep(function, generator)


def _check_neighbourhood(
    function: PseudoBooleanFunction, generator: np.random.Generator
) -> None:
    d = function.n_variables
    start = generator.integers(0, 2, (_REPLICAS, d))
    replicas = attempt(lambda: function.neighbourhood(start), "neighbourhood() failed")
    here = start.copy()
    for _ in range(_ROUNDS):
        _check_replicas("neighbourhood", function, replicas.points, replicas, here)
        some = generator.choice(d, min(d, _MOST), replace=False)
        _check_shape("neighbourhood.deltas", replicas.deltas, (_REPLICAS, d))
        got = np.asarray(replicas.deltas)[:, some]
        _check_changes("neighbourhood.deltas", function, here, some, got)
        rows = np.flatnonzero(generator.random(_REPLICAS) < 0.7)
        variables = generator.integers(0, d, len(rows))
        replicas.flip(rows, variables)
        here[rows, variables] ^= 1
        if generator.random() < 0.5:
            row, point = (
                generator.integers(0, _REPLICAS, 1),
                _random_point(generator, d),
            )
            replicas.place(row, point)
            here[row] = point


def _check_sweep(
    function: PseudoBooleanFunction, generator: np.random.Generator
) -> None:
    d = function.n_variables
    start = generator.integers(0, 2, (_REPLICAS, d))
    sweep = attempt(lambda: function.sweep(start), "sweep() failed")
    variables = np.sort(np.concatenate([np.zeros(0, int), *sweep.classes]))
    claim(
        np.array_equal(variables, np.arange(d)),
        f"the classes of the sweep are {sweep.classes}; each of the {d} variables must "
        "be in exactly one.",
    )
    here = start.copy()
    for _ in range(_ROUNDS):
        for k in generator.permutation(len(sweep.classes))[:_MOST].tolist():
            _check_class(function, sweep, k, here, generator)
        column, point = generator.integers(0, _REPLICAS, 1), _random_point(generator, d)
        sweep.place(column, point)
        here[column] = point
        _check_replicas("sweep", function, sweep.points.T, sweep, here)


def _check_class(
    function: PseudoBooleanFunction,
    sweep: Any,
    k: int,
    here: np.ndarray,
    generator: np.random.Generator,
) -> None:
    variables = sweep.classes[k]
    deltas = sweep.deltas(k)
    _check_shape(f"sweep.deltas({k})", deltas, (len(variables), _REPLICAS))
    some = generator.permutation(len(variables))[:_MOST]
    got = np.array(deltas)[some].T
    _check_changes(f"sweep.deltas({k})", function, here, variables[some], got)
    deltas[...] = 0  # as the contract allows
    chosen = generator.random(deltas.shape) < 0.5
    sweep.flip(k, chosen)
    here[:, variables] ^= chosen.T
    # If two variables of the class interact, the costs are wrong now.
    _check_replicas(f"sweep, class {k},", function, sweep.points.T, sweep, here)


def _random_point(generator: np.random.Generator, d: int) -> np.ndarray:
    return generator.integers(0, 2, (1, d)).astype(np.uint8)


def _costs(function: PseudoBooleanFunction, points: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return function(torch.from_numpy(points.astype(np.float64))).cpu().numpy()


def _check_replicas(
    what: str,
    function: PseudoBooleanFunction,
    points: np.ndarray,
    replicas: Any,
    here: np.ndarray,
) -> None:
    claim(
        np.array_equal(points, here),
        f"the points of the {what} are {points.tolist()} after flips that lead to "
        f"{here.tolist()}.",
    )
    expected = _costs(function, here)
    claim(
        _close(replicas.costs, expected),
        f"the costs of the {what} are {np.asarray(replicas.costs).tolist()}, but its "
        f"points cost {expected.tolist()}.",
    )


def _check_shape(what: str, deltas: Any, shape: tuple[int, int]) -> None:
    claim(
        np.shape(deltas) == shape,
        f"{what} has shape {np.shape(deltas)}; it must be {shape}.",
    )


def _check_changes(
    what: str,
    function: PseudoBooleanFunction,
    here: np.ndarray,
    variables: np.ndarray,
    got: np.ndarray,
) -> None:
    flipped = np.repeat(here[:, None], len(variables), axis=1)
    flipped[:, np.arange(len(variables)), variables] ^= 1
    after = _costs(function, flipped.reshape(-1, here.shape[1]))
    before = _costs(function, here)[:, None]
    expected = after.reshape(len(here), -1) - before
    claim(
        _close(got, expected, np.abs(before).max()),
        f"{what} of the variables {variables.tolist()} gives {got.tolist()}, but "
        f"J(point with the variable flipped) - J(point) is {expected.tolist()}.",
    )


def _close(got: Any, expected: np.ndarray, size: float = 0.0) -> bool:
    """Equal but for what single precision loses."""
    scale = np.abs(expected).max(initial=1.0) + size
    return bool(np.allclose(got, expected, rtol=0.0, atol=1e-5 * scale))
