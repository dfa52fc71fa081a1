"""Polynomials of any degree as quadratic functions of more variables."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import torch

from ..utils import check_number
from ._base import PseudoBooleanFunction
from ._polynomial import PolynomialFunction, Term
from ._quadratic import QuadraticFunction

Pair = tuple[int, int]


class Quadratization:
    """A quadratic function whose minimum over auxiliary variables is the original.

    Parameters
    ----------
    function : QuadraticFunction
        Of the original variables, then the auxiliary ones.
    n_original : int
        The number of original variables.
    pairs : list of tuple of (int, int)
        Auxiliary variable ``n_original + k`` stands for the product of this pair; a
        pair may hold earlier auxiliary variables.

    Attributes
    ----------
    function, n_original, pairs
        As given.
    """

    def __init__(
        self, function: QuadraticFunction, n_original: int, pairs: list[Pair]
    ) -> None:
        self.function = function
        self.n_original = n_original
        self.pairs = pairs

    def extend(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Add the auxiliary variables to points, each equal to its product.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (..., n_original)
            Points of the original function.

        Returns
        -------
        points : torch.Tensor of shape (..., function.n_variables)
            Points that cost the same in `function`.

        Raises
        ------
        ValueError
            If Z does not have `n_original` columns.
        """
        columns = list(self._checked(Z, self.n_original).unbind(-1))
        for i, j in self.pairs:
            columns.append(columns[i] * columns[j])
        return torch.stack(columns, -1)

    def restrict(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Drop the auxiliary variables of points.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (..., function.n_variables)
            Points of `function`.

        Returns
        -------
        points : torch.Tensor of shape (..., n_original)
            Points of the original function, which cost no more there.

        Raises
        ------
        ValueError
            If Z does not have as many columns as `function` has variables.
        """
        points = self._checked(Z, self.function.n_variables)
        return points[..., : self.n_original]

    def _checked(self, Z: torch.Tensor | np.ndarray, n: int) -> torch.Tensor:
        points = torch.as_tensor(Z)
        if points.ndim < 1 or points.shape[-1] != n:
            raise ValueError(
                f"Z has shape {tuple(points.shape)}, but must have {n} columns."
            )
        return points


def quadratize(
    function: PseudoBooleanFunction, penalty: float | None = None
) -> Quadratization:
    """Reduce the degree of a function to 2 by Rosenberg's substitution.

    The pair of variables that most monomials of degree above 2 share is replaced in
    them by a new variable y, at the price penalty (z_i z_j - 2 z_i y - 2 z_j y + 3 y),
    which is 0 where y = z_i z_j and at least `penalty` elsewhere; and so on.

    Parameters
    ----------
    function : PseudoBooleanFunction
        One with ``to_polynomial()``; or with ``to_quadratic()``, which needs no
        auxiliary variables.
    penalty : float, default=None
        The price of a wrong auxiliary variable. By default each has its own: the sum
        of the absolute weights of the monomials that it was put into.

    Returns
    -------
    result : Quadratization
        With the quadratic `function`, `extend` and `restrict`.

    Raises
    ------
    TypeError
        If the function cannot say its monomials, or `penalty` is no number.
    ValueError
        If `penalty` is not positive.

    Notes
    -----
    With the default the minimum over the auxiliary variables is J(z) for every z. A
    smaller `penalty` may lose that. Penalties make a function harder for local
    moves: where a method takes polynomials, give it the polynomial.

    References
    ----------
    Rosenberg (1975); Boros and Hammer (2002), section 4.4.

    Examples
    --------
    >>> from sklearn_pb.functions import PolynomialFunction, quadratize
    >>> result = quadratize(PolynomialFunction({(0, 1, 2): -1.0, (0, 1, 3): 2.0}))
    >>> result.pairs
    [(0, 1)]
    >>> result.extend([1.0, 1.0, 1.0, 0.0])
    tensor([1., 1., 1., 0., 1.])
    """
    if penalty is not None:
        check_number(penalty, "penalty", low=0, low_open=True)
    if not hasattr(function, "to_polynomial"):
        if not hasattr(function, "to_quadratic"):
            raise TypeError(
                f"function must have to_polynomial(), but {type(function).__name__} "
                "has not; small functions can be given as tabulate(function)."
            )
        return Quadratization(function.to_quadratic(), function.n_variables, [])
    polynomial = function.to_polynomial()
    reduction = _Reduction(polynomial)
    terms, n = reduction.run(penalty)
    quadratic = PolynomialFunction(terms, n).to_quadratic()
    return Quadratization(quadratic, polynomial.n_variables, reduction.pairs)


class _Reduction:
    """Monomials whose pairs are replaced one after another."""

    def __init__(self, polynomial: PolynomialFunction) -> None:
        self.pairs: list[Pair] = []
        self._n = polynomial.n_variables
        terms = polynomial.terms
        self._low = {t: w for t, w in terms.items() if len(t) <= 2}
        self._high = [(set(t), w) for t, w in terms.items() if len(t) > 2]
        self._users: dict[Pair, set[int]] = defaultdict(set)
        for number, (variables, _) in enumerate(self._high):
            self._enlist(number, combinations(sorted(variables), 2))
        self._heap = [(-len(users), pair) for pair, users in self._users.items()]
        heapq.heapify(self._heap)

    def _enlist(self, number: int, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            self._users[pair].add(number)

    def run(self, penalty: float | None) -> tuple[dict[Term, float], int]:
        """The terms of the quadratic function, and its number of variables."""
        while self._heap:
            count, pair = heapq.heappop(self._heap)
            users = self._users[pair]
            if -count != len(users):  # it has lost some since
                if users:
                    heapq.heappush(self._heap, (-len(users), pair))
                continue
            self._substitute(pair, sorted(users), penalty)
        return self._low, self._n

    def _substitute(self, pair: Pair, users: list[int], penalty: float | None) -> None:
        y, self._n = self._n, self._n + 1
        self.pairs.append(pair)
        price = penalty or sum(abs(self._high[number][1]) for number in users)
        i, j = pair
        for term, factor in ((pair, 1), ((i, y), -2), ((j, y), -2), ((y,), 3)):
            self._add(term, factor * price)
        fresh = set()
        for number in users:
            fresh |= self._shorten(number, pair, y)
        for new in fresh:
            heapq.heappush(self._heap, (-len(self._users[new]), new))

    def _shorten(self, number: int, pair: Pair, y: int) -> set[Pair]:
        """Put y in the place of the pair; return the pairs with y that this makes."""
        variables, weight = self._high[number]
        for old in combinations(sorted(variables), 2):
            self._users[old].discard(number)
        variables.difference_update(pair)
        others = sorted(variables)
        variables.add(y)
        if len(variables) == 2:
            self._add((others[0], y), weight)
            return set()
        self._enlist(number, combinations([*others, y], 2))
        return {(k, y) for k in others}

    def _add(self, term: Term, weight: float) -> None:
        self._low[term] = self._low.get(term, 0.0) + weight
