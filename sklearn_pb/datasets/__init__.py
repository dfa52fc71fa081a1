"""Data sets: from files of arrays, and scikit-learn's embedded ones."""

from ._arrays import Dataset, load_arrays

__all__ = ["Dataset", "load_arrays"]
