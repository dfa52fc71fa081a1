"""Readers and writers of instance files: one file a format."""

from ._files import load_instance, save_instance

__all__ = ["load_instance", "save_instance"]
