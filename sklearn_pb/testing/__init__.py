"""Conformance checks for parts of your own: each says what is wrong with yours."""

from ._function import check_function
from ._gradient import check_gradient_estimator
from ._method import check_method

__all__ = ["check_function", "check_gradient_estimator", "check_method"]
