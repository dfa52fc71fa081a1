"""What objectives read from their targets: numbers or classes."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import type_of_target

# Numbers in floating point with more distinct values than this are measurements.
_MOST_FLOAT_CLASSES = 50


def is_continuous(y: np.ndarray) -> bool:
    """Whether y holds floats that are not whole, and so cannot be class labels."""
    return type_of_target(y, input_name="y") == "continuous"


def is_regression(y: np.ndarray) -> bool:
    """Whether y is taken for measurements where nobody says so."""
    many = y.dtype.kind == "f" and len(np.unique(y)) > _MOST_FLOAT_CLASSES
    return many or is_continuous(y)


def as_numbers(y: np.ndarray, choice: str) -> np.ndarray:
    """Return y as float64, or raise an error that names the `choice` behind it."""
    try:
        numbers = np.asarray(y, dtype=np.float64)
    except ValueError as error:
        raise ValueError(
            f"{choice} needs a y of numbers, got labels such as {y[0]!r}."
        ) from error
    if numbers.max() == numbers.min():
        raise ValueError(
            f"y is constant (every value is {numbers[0]}): there is nothing to explain."
        )
    return numbers


def as_classes(y: np.ndarray, choice: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of y and their numbers, or raise an error."""
    if is_continuous(y):
        raise ValueError(
            f"{choice} needs a y of class labels, got {y[:3]}..., which are "
            "continuous targets."
        )
    encoder = LabelEncoder()
    codes = encoder.fit_transform(y)
    if len(encoder.classes_) < 2:
        raise ValueError(
            f"y has one class only ({encoder.classes_[0]!r}); {choice} needs at least "
            "2 classes."
        )
    return encoder.classes_, codes
