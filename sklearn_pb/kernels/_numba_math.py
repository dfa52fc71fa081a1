"""Compiled: exponential and logarithm in operations that exist for whole vectors.

Loops over the functions of a mathematics library are not vectorised; loops over these
are. The polynomials are those of Cephes (Moshier, 1989), good to the last bit or two.
"""

from __future__ import annotations

import numpy as np

from ._compiled import compiled

_LOG2_E, _HALF = 1.4426950408889634, 0.5
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6
_LOWEST = -708.0  # below, the result would lose bits
_BIAS, _MANTISSA = 1023.0, 2.0**52
_ROOT_HALF = 0.7071067811865476
_FRACTION, _ONE_HALF = np.int64(0x000FFFFFFFFFFFFF), np.int64(0x3FE0000000000000)
_52, _1022 = np.int64(52), np.int64(1022)


@compiled
def exponential(x):
    """e^x of a double, for x from -708 (less gives the same) to 708."""
    y = max(x, _LOWEST)
    whole = np.floor(y * _LOG2_E + _HALF)
    r = y - whole * _LN2_HIGH - whole * _LN2_LOW
    z = r * r
    odd = r * (
        (1.26177193074810590878e-4 * z + 3.02994407707441961300e-2) * z
        + 9.99999999999999999910e-1
    )
    even = (
        (3.00198505138664455042e-6 * z + 2.52448340349684104192e-3) * z
        + 2.27265548208155028766e-1
    ) * z + 2.0
    # 2^whole, by its exponent bits.
    power = np.int64((whole + _BIAS) * _MANTISSA).view(np.float64)
    return (1.0 + 2.0 * odd / (even - odd)) * power


@compiled
def logarithm(x):
    """The natural logarithm of a normal positive double."""
    bits = np.float64(x).view(np.int64)
    fraction = np.int64((bits & _FRACTION) | _ONE_HALF).view(np.float64)
    exponent = np.float64((bits >> _52) - _1022)
    low = fraction < _ROOT_HALF
    y = (fraction + fraction if low else fraction) - 1.0
    exponent -= 1.0 if low else 0.0
    z = y * y
    p = (
        (
            (
                (1.01875663804580931796e-4 * y + 4.97494994976747001425e-1) * y
                + 4.70579119878881725854
            )
            * y
            + 1.44989225341610930846e1
        )
        * y
        + 1.79368678507819816313e1
    ) * y + 7.70838733755885391666
    q = (
        (
            ((y + 1.12873587189167450590e1) * y + 4.52279145837532221105e1) * y
            + 8.29875266912776603211e1
        )
        * y
        + 7.11544750618563894466e1
    ) * y + 2.31251620126765340583e1
    rest = y * (z * p / q) - exponent * 2.121944400546905827679e-4 - 0.5 * z
    return y + rest + exponent * 0.693359375
