"""Errors name the parameter, the value and what is allowed."""

import math
import re

import numpy as np
import pytest

from sklearn_pb.utils import check_choice, check_number


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.25), np.int64(1)])
def test_numbers_in_the_range_pass(value):
    check_number(value, "alpha", low=0, high=1)


@pytest.mark.parametrize(
    "value, options, error, allowed",
    [
        (2, {"low": 0, "high": 1}, ValueError, "a number in [0, 1]"),
        (0, {"low": 0, "low_open": True}, ValueError, "a number in (0, inf)"),
        (1, {"high": 1, "high_open": True}, ValueError, "a number in (-inf, 1)"),
        (math.nan, {}, ValueError, "a number in (-inf, inf)"),
        (math.inf, {}, ValueError, "a number in (-inf, inf)"),
        (0, {"low": 1, "integer": True}, ValueError, "an integer in [1, inf)"),
        (1.5, {"low": 1, "integer": True}, TypeError, "an integer in [1, inf)"),
        ("1", {"low": 1}, TypeError, "a number in [1, inf)"),
        (None, {"low": 1}, TypeError, "a number in [1, inf)"),
        (True, {"low": 0}, TypeError, "a number in [0, inf)"),
    ],
)
def test_other_values_are_named(value, options, error, allowed):
    with pytest.raises(error, match=re.escape(f"alpha={value!r} must be {allowed}.")):
        check_number(value, "alpha", **options)


def test_a_choice_passes():
    check_choice("b", "kind", {"a": 1, "b": 2})


@pytest.mark.parametrize("value", ["c", None, 1, ["a"]])
def test_another_choice_is_named(value):
    message = re.escape(f"kind={value!r} is unknown; it must be one of a, b.")
    with pytest.raises(ValueError, match=message):
        check_choice(value, "kind", ["b", "a"])
