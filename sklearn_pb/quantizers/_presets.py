"""Strings are shorthands for quantization methods; they are resolved here only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sklearn.base import clone

from ..utils import check_choice, resolve_preset
from ._activations import PACT, Activations, SmolActivations
from ._base import Quantization
from ._bsq import BSQ
from ._dorefa import DoReFa
from ._lsq import LSQ
from ._post_training import PostTraining
from ._smol import Smol

METHODS: dict[str, Callable[[], Quantization]] = {
    "bsq": BSQ,
    "dorefa": DoReFa,
    "lsq": LSQ,
    "pact": partial(DoReFa, activation_bits=4),
    "post-training": PostTraining,
    "smol": Smol,
}

ACTIVATIONS: dict[str, Callable[[], Activations]] = {
    "pact": PACT,
    "smol": SmolActivations,
}


def resolve_quantization(method: str | Quantization) -> Quantization:
    """Return a checked method of its own for a string or an object.

    Parameters
    ----------
    method : str or Quantization
        "smol", "bsq", "dorefa", "lsq", "pact" (weights as "dorefa", and activations of
        four bits by `PACT`), "post-training", or an object of `sklearn_pb.quantizers`.

    Returns
    -------
    method : Quantization
        A new object; the one given is not changed.

    Raises
    ------
    ValueError
        If the name is unknown or a hyperparameter is out of its range.
    TypeError
        If it is neither a string nor a method.

    Examples
    --------
    >>> from sklearn_pb.quantizers import resolve_quantization
    >>> resolve_quantization("pact")
    DoReFa(activation_bits=4)
    """
    return resolve_preset(
        method, "method", METHODS, Quantization, "sklearn_pb.quantizers"
    )


def resolve_activations(activations: str | Activations | None) -> Activations | None:
    """Return checked hyperparameters for activations, of one's own.

    Parameters
    ----------
    activations : str, Activations or None
        "pact", "smol", or an object of `sklearn_pb.quantizers`; None leaves activations
        alone.

    Returns
    -------
    activations : Activations or None
        A new object.

    Raises
    ------
    ValueError
        If the name is unknown or a hyperparameter is out of its range.
    TypeError
        If it is none of these.

    Examples
    --------
    >>> from sklearn_pb.quantizers import resolve_activations
    >>> resolve_activations("pact")
    PACT()
    """
    if activations is None:
        return None
    if isinstance(activations, str):
        check_choice(activations, "activations", ACTIVATIONS)
        resolved = ACTIVATIONS[activations]()
    elif isinstance(activations, Activations):
        resolved = clone(activations)
    else:
        raise TypeError(
            f"activations={activations!r} must be a string, None or an object of "
            "sklearn_pb.quantizers."
        )
    resolved.check()
    return resolved
