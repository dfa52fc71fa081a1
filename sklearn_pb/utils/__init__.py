"""Validation, random streams, and the one door to scikit-learn's private names."""

from ._random import RandomStream
from ._validation import check_choice, check_number

__all__ = ["RandomStream", "check_choice", "check_number"]
