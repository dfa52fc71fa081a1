"""Searching a pseudo-Boolean function for its least cost."""

from ._minimize import minimize

__all__ = ["minimize"]
