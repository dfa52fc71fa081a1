"""Multilinear polynomials of any degree, kept as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse

from ._enumeration import check_n_variables
from ._literal_products import LiteralProducts
from ._product_function import ProductFunction
from ._quadratic import QuadraticFunction

Term = tuple[int, ...]

# Below this share of nonzero pairs a quadratic function is kept sparse.
_SPARSE_DENSITY = 0.3


class PolynomialFunction(ProductFunction):
    """J(z) = sum_t weight_t prod_{i in t} z_i.

    As z_i^2 = z_i, every polynomial equals a multilinear one on {0, 1}^d; that one is
    stored. On [0, 1]^d it is the expected cost of independent Bernoulli variables.

    Parameters
    ----------
    terms : mapping of tuple of int, or int, to float
        The weight of each monomial by its variables: ``{(): 1.0, 0: 2.0, (0, 3, 7):
        -1.5}``. A variable that is repeated in a monomial counts once, and monomials
        that become equal add up.
    n_variables : int, default=None
        The number d of variables; one more than the largest index if None.

    Attributes
    ----------
    n_variables : int
        The number d of binary variables.
    terms : dict of tuple of int to float
        The monomials with ascending variables, without zero weights.
    degree : int
        The number of variables of the longest monomial.

    Raises
    ------
    TypeError
        If `terms` is no mapping, an index no integer or a weight no number.
    ValueError
        If an index is negative or not below `n_variables`, or a weight not finite.

    Notes
    -----
    Nothing is expanded or quadratized, so evaluation and flips take time in proportion
    to the sum of the degrees of the monomials.

    References
    ----------
    Silva (2023), section 2.1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import PolynomialFunction
    >>> J = PolynomialFunction({(): 0.5, 0: 1.0, (0, 1, 2): -4.0, (2, 2): 1.0})
    >>> J.terms
    {(): 0.5, (0,): 1.0, (2,): 1.0, (0, 1, 2): -4.0}
    >>> J(torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
    tensor([ 2.5000, -1.5000])
    """

    def __init__(
        self, terms: Mapping[Any, Any], n_variables: int | None = None
    ) -> None:
        merged, largest = _merged(terms)
        if n_variables is None:
            if largest < 0:
                raise ValueError(
                    f"terms={terms!r} names no variable, so that n_variables must be "
                    "given."
                )
            n_variables = largest + 1
        d = check_n_variables(n_variables)
        if largest >= d:
            raise ValueError(
                f"terms names the variable {largest}, but with n_variables={d} indices "
                f"must be between 0 and {d - 1}."
            )
        constant = merged.pop((), 0.0)
        kept = {term: weight for term, weight in merged.items() if weight}
        products = LiteralProducts.from_lists(d, kept, list(kept.values()), constant)
        super().__init__(products)

    @property
    def terms(self) -> dict[Term, float]:
        """The weights by monomial, shorter monomials first."""
        products = self._products
        bounds = products.indptr.tolist()
        variables, weights = products.variables.tolist(), products.weights.tolist()
        found = {
            tuple(variables[bounds[t] : bounds[t + 1]]): weight
            for t, weight in enumerate(weights)
        }
        if products.constant:
            found[()] = products.constant
        return {t: found[t] for t in sorted(found, key=lambda t: (len(t), t))}

    @property
    def degree(self) -> int:
        """The number of variables of the longest monomial."""
        return int(self._products.lengths.max(initial=0))

    def by_degree(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return the monomials of each degree as arrays.

        Returns
        -------
        monomials : dict of int to tuple of numpy.ndarray
            For each degree k that occurs the variables (m, k), ascending in a row, and
            the weights (m,). The constant stands under 0 with m = 1.
        """
        products = self._products
        found = {0: (np.zeros((1, 0), np.int64), np.array([products.constant]))}
        for numbers, literals in products.by_length():
            monomials = products.variables[literals].T, products.weights[numbers]
            found[len(literals)] = monomials
        return found

    def to_polynomial(self) -> PolynomialFunction:
        """Return this function.

        Returns
        -------
        function : PolynomialFunction
            The function itself.
        """
        return self

    def to_quadratic(self) -> QuadraticFunction:
        """Return the equal quadratic function, if the degree is at most 2.

        Returns
        -------
        function : QuadraticFunction
            With the same variables; sparse if few pairs have a weight.

        Raises
        ------
        ValueError
            If the degree is higher: `quadratize` then adds variables.
        """
        if self.degree > 2:
            raise ValueError(
                f"a polynomial of degree {self.degree} equals no quadratic function of "
                "the same variables; quadratize(function) adds further ones."
            )
        d, monomials = self.n_variables, self.by_degree()
        variables, weights = monomials.get(1, (np.zeros((0, 1), int), np.zeros(0)))
        linear = np.zeros(d)
        linear[variables[:, 0]] = weights
        pairs, weights = monomials.get(2, (np.zeros((0, 2), int), np.zeros(0)))
        Q = sparse.coo_array((weights, (pairs[:, 0], pairs[:, 1])), shape=(d, d))
        dense = 2 * len(weights) >= _SPARSE_DENSITY * d * d
        constant = self._products.constant
        return QuadraticFunction(Q.toarray() if dense else Q, linear, constant)


def _merged(terms: Any) -> tuple[dict[Term, float], int]:
    """The terms with sorted distinct variables, and the largest index or -1."""
    if not isinstance(terms, Mapping):
        raise TypeError(
            "terms must be a mapping of tuples of variables to weights, got "
            f"{terms!r} of type {type(terms).__name__}."
        )
    merged: dict[Term, float] = {}
    largest = -1
    for key, weight in terms.items():
        term = _term(key)
        if not isinstance(weight, Real):
            raise TypeError(f"terms[{key!r}]={weight!r} must be a real number.")
        if not math.isfinite(weight):
            raise ValueError(f"terms[{key!r}]={weight!r} must be finite.")
        merged[term] = merged.get(term, 0.0) + float(weight)
        if term:
            largest = max(largest, term[-1])
    return merged, largest


def _term(key: Any) -> Term:
    indices = key if isinstance(key, Iterable) and not isinstance(key, str) else (key,)
    for i in indices:
        if isinstance(i, bool) or not isinstance(i, Integral):
            raise TypeError(
                f"terms has the key {key!r}; keys must be tuples of integers, the "
                "indices of variables, or one integer."
            )
        if i < 0:
            raise ValueError(
                f"terms has the key {key!r}; indices of variables must be at least 0."
            )
    return tuple(sorted({int(i) for i in indices}))


def add_expanded(
    terms: dict[Term, float],
    weight: float,
    factors: Iterable[tuple[int, float, float]],
) -> None:
    """Add a product of linear factors to the terms of a polynomial.

    Parameters
    ----------
    terms : dict of tuple of int to float
        What is added to.
    weight : float
        Multiplies the product.
    factors : iterable of (int, float, float)
        The factor a + b z_i as (i, a, b), with ascending i.
    """
    product: dict[Term, float] = {(): weight}
    for i, a, b in factors:
        longer = {(*term, i): b * w for term, w in product.items()}
        kept = {term: a * w for term, w in product.items()} if a else {}
        product = kept | longer
    for term, w in product.items():
        terms[term] = terms.get(term, 0.0) + w
