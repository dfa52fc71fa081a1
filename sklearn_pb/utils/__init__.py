"""Validation, random streams, state files, text, scikit-learn's private names."""

from ._checkpoint import Checkpoint, saved_label
from ._fingerprint import fingerprint
from ._memory import placed
from ._percent import percent
from ._presets import resolve_preset
from ._random import RandomStream
from ._text_table import text_table
from ._threads import torch_threads
from ._validation import check_choice, check_number

__all__ = [
    "Checkpoint",
    "RandomStream",
    "check_choice",
    "check_number",
    "fingerprint",
    "percent",
    "placed",
    "resolve_preset",
    "saved_label",
    "text_table",
    "torch_threads",
]
