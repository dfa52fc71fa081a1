"""Validation, random streams, files of a run's state, scikit-learn's private names."""

from ._checkpoint import Checkpoint
from ._fingerprint import fingerprint
from ._random import RandomStream
from ._validation import check_choice, check_number

__all__ = [
    "Checkpoint",
    "RandomStream",
    "check_choice",
    "check_number",
    "fingerprint",
]
