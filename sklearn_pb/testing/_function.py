"""The conformance check of pseudo-Boolean functions."""

from __future__ import annotations

import numpy as np
import torch

from ..functions import PseudoBooleanFunction
from ..utils import RandomStream
from ._common import attempt, check_tensor, claim, untouched_global_generators
from ._flips import check_flips

_STEP = 1e-4  # of the central differences that gradients are compared with


def check_function(function: PseudoBooleanFunction, *, n_points: int = 8) -> None:
    """Check that a function keeps the contract of `PseudoBooleanFunction`.

    Parameters
    ----------
    function : PseudoBooleanFunction
        The function to check; it is evaluated at some hundred points.
    n_points : int, default=8
        Number of random points to evaluate at once.

    Raises
    ------
    AssertionError
        With a message that says what is wrong and what was expected.

    Examples
    --------
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.testing import check_function
    >>> check_function(QuadraticFunction([[1.0, -4.0], [0.0, 2.0]]))
    """
    claim(
        isinstance(function, PseudoBooleanFunction),
        f"{function!r} is not a PseudoBooleanFunction; subclass it, or wrap a callable "
        "in BlackBoxFunction.",
    )
    d = getattr(function, "n_variables", None)
    claim(
        isinstance(d, (int, np.integer)) and not isinstance(d, bool) and d >= 1,
        f"n_variables is {d!r}; it must be an integer, at least 1.",
    )
    assert d is not None
    generator = RandomStream(0).torch_generator()
    Z = torch.randint(2, (n_points, int(d)), generator=generator).double()
    _check_costs(function, Z)
    _check_columns(function, Z)
    _check_initial(function)
    if function.relaxable:
        _check_slope(function, Z, generator)
    if hasattr(function, "flip_deltas"):
        _check_flip_deltas(function, Z)
    if function.has_flips:
        check_flips(function)
    if hasattr(function, "to_quadratic") and getattr(function, "degree", 2) <= 2:
        _check_equal(function, "to_quadratic", Z)
    if hasattr(function, "to_polynomial"):
        _check_equal(function, "to_polynomial", Z)


def _check_costs(function: PseudoBooleanFunction, Z: torch.Tensor) -> None:
    before = Z.clone()
    for dtype in (torch.float32, torch.float64):
        points = Z.to(dtype)
        with untouched_global_generators("the function"):
            costs = attempt(
                lambda points=points: function(points),  # type: ignore[misc]
                f"the function failed at points of {dtype}",
            )
        check_tensor(costs, f"costs of points of {dtype}", (len(Z),), dtype)
    claim(torch.equal(Z, before), "the function changed the points it was given.")
    again = function(Z)
    claim(
        torch.equal(again, costs),
        f"the same points cost {costs.tolist()} and then {again.tolist()}; a function "
        "must not change between two calls.",
    )
    alone = torch.cat([function(row[None]) for row in Z])
    claim(
        torch.allclose(alone, costs, rtol=1e-5, atol=1e-6),
        f"rows evaluated one by one cost {alone.tolist()}, together {costs.tolist()}; "
        "the cost of a row must not depend on the other rows.",
    )


def _check_initial(function: PseudoBooleanFunction) -> None:
    theta = function.initial_probabilities
    claim(
        theta is None
        or (
            isinstance(theta, np.ndarray)
            and theta.shape == (function.n_variables,)
            and bool(((theta >= 0) & (theta <= 1)).all())
        ),
        f"initial_probabilities is {theta!r}; it must be None, or an array of shape "
        f"({function.n_variables},) with values in [0, 1].",
    )


def _check_columns(function: PseudoBooleanFunction, Z: torch.Tensor) -> None:
    too_wide = torch.cat([Z, Z[:, :1]], dim=1)
    try:
        function(too_wide)
    except ValueError:
        return
    raise AssertionError(
        f"points with {too_wide.shape[1]} columns were accepted, but n_variables is "
        f"{function.n_variables}; implement `_evaluate` and leave `__call__` as it is, "
        "which raises a ValueError."
    )


def _check_slope(
    function: PseudoBooleanFunction, Z: torch.Tensor, generator: torch.Generator
) -> None:
    """Compare the directional slope at relaxed points with central differences."""
    share = torch.rand(Z.shape, generator=generator, dtype=Z.dtype)
    points = (0.1 + 0.8 * share).requires_grad_()
    direction = torch.rand(Z.shape, generator=generator, dtype=Z.dtype) - 0.5
    with torch.enable_grad():
        costs = attempt(
            lambda: function(points), "relaxable is True, but points of [0, 1]^d failed"
        )
        claim(
            costs.requires_grad,
            "relaxable is True, but the costs carry no gradient; compute them with "
            "torch and do not detach them, or set relaxable = False.",
        )
        (slope,) = torch.autograd.grad(costs.sum(), points)
    with torch.no_grad():
        ahead = function(points + _STEP * direction)
        behind = function(points - _STEP * direction)
    expected = (ahead - behind) / (2 * _STEP)
    got = (slope * direction).sum(dim=1)
    # One kink between the two points is no fault: most rows have to agree.
    scale = 1e-3 * (expected.abs().max() + 1e-3)
    agree = (got - expected).abs() <= scale
    claim(
        agree.double().mean() > 0.5,
        f"the slopes of relaxed points are {got.tolist()}, but differences of costs "
        f"give {expected.tolist()}.",
    )


def _check_flip_deltas(function: PseudoBooleanFunction, Z: torch.Tensor) -> None:
    z = Z[0]
    deltas = function.flip_deltas(z)  # type: ignore[attr-defined]
    claim(
        tuple(deltas.shape) == tuple(z.shape),
        f"flip_deltas(z) has shape {tuple(deltas.shape)}; it must be {tuple(z.shape)}.",
    )
    some = range(min(len(z), 32))
    flipped = z.repeat(len(some), 1)
    for row, i in enumerate(some):
        flipped[row, i] = 1 - flipped[row, i]
    expected = function(flipped) - function(z[None])
    got = deltas[: len(some)].to(expected)
    claim(
        torch.allclose(got, expected, rtol=1e-4, atol=1e-5),
        f"flip_deltas(z) gives {got.tolist()}, but J(z with i flipped) - J(z) is "
        f"{expected.tolist()}.",
    )


def _check_equal(function: PseudoBooleanFunction, name: str, Z: torch.Tensor) -> None:
    converted = attempt(getattr(function, name), f"{name}() failed")
    expected, got = function(Z), converted(Z)
    claim(
        torch.allclose(got.to(expected), expected, rtol=1e-5, atol=1e-6),
        f"{name}() costs {got.tolist()} where the function costs {expected.tolist()}.",
    )
