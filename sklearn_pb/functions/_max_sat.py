"""Maximum satisfiability, weighted and partial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ._enumeration import check_n_variables
from ._literal_products import LiteralProducts
from ._polynomial import PolynomialFunction, Term, add_expanded
from ._product_function import ProductFunction

# A clause with more positive literals has more monomials than one would want.
_MOST_EXPANDED = 20


class MaxSAT(ProductFunction):
    """The weight of the soft clauses that a point violates, hard clauses first.

    A clause is a list of literals as in DIMACS files: i stands for variable i = 1, ...,
    d, which is column i - 1 of the points, and -i for its negation. It is violated
    where all of its literals are false. The cost is the sum of the weights of the
    violated soft clauses, plus a price for each violated hard clause that exceeds the
    weight of all soft clauses together. So a point costs less than `hard_weight` if
    and only if it satisfies every hard clause.

    Parameters
    ----------
    clauses : sequence of sequences of int
        The soft clauses.
    weights : array-like of shape (len(clauses),), default=None
        Their weights, at least 0; ones if None.
    hard : sequence of sequences of int, default=None
        Clauses that must hold.
    n_variables : int, default=None
        The number d of variables; the largest one that is named if None.

    Attributes
    ----------
    n_variables : int
        The number d of binary variables.
    clauses, hard : list of tuple of int
        The clauses as given.
    weights : numpy.ndarray of float64
        The weights of the soft clauses.
    hard_weight : float
        The sum of the weights of the soft clauses, plus 1; or plus 2^-30 of it,
        rounded up, where that is more, as sums of large numbers are not exact.

    Raises
    ------
    TypeError
        If a clause is no sequence of integers.
    ValueError
        If a literal is 0 or beyond `n_variables`, or `weights` has the wrong length, a
        weight that is negative or not finite, or a sum that is not.

    Notes
    -----
    A clause is the product of its negated literals. On [0, 1]^d this product form is
    the expected cost of independent Bernoulli variables; it is not expanded. Literals
    that are repeated count once, a clause with a literal and its negation is never
    violated, and an empty clause always is.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import MaxSAT
    >>> J = MaxSAT([[1, -2], [2, 3]], weights=[1.0, 4.0], hard=[[-1, -3]])
    >>> J(torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    tensor([1., 6., 4.])
    >>> J.n_violated(torch.tensor([[1.0, 0.0, 1.0]]))
    tensor([1])
    """

    def __init__(
        self,
        clauses: Sequence[Sequence[int]],
        weights: Any = None,
        hard: Sequence[Sequence[int]] | None = None,
        n_variables: int | None = None,
    ) -> None:
        self.clauses = _as_clauses(clauses, "clauses")
        self.hard = _as_clauses(() if hard is None else hard, "hard")
        self.weights = _as_weights(weights, len(self.clauses))
        self.hard_weight = _above(self.weights)
        d = _n_variables([*self.clauses, *self.hard], n_variables)
        super().__init__(
            _products(
                d,
                [*self.clauses, *self.hard],
                [*self.weights.tolist(), *[self.hard_weight] * len(self.hard)],
            )
        )

    def n_violated(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Count the clauses, soft and hard, that binary points violate.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (n, n_variables)
            Points of {0, 1}^d.

        Returns
        -------
        counts : torch.Tensor of int64, shape (n,)
            One count a row.
        """
        return self._count([*self.clauses, *self.hard], Z)

    def n_hard_violated(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Count the hard clauses that binary points violate.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (n, n_variables)
            Points of {0, 1}^d.

        Returns
        -------
        counts : torch.Tensor of int64, shape (n,)
            One count a row; 0 where the point is feasible.
        """
        return self._count(self.hard, Z)

    def _count(self, clauses: list[Term], Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        ones = [1.0] * len(clauses)
        count = ProductFunction(_products(self.n_variables, clauses, ones))
        with torch.no_grad():
            return count(torch.as_tensor(Z).double()).round().long()

    def to_polynomial(self) -> PolynomialFunction:
        """Return the equal polynomial in the variables themselves.

        Returns
        -------
        function : PolynomialFunction
            A clause with k positive literals has become up to 2^k monomials.

        Raises
        ------
        ValueError
            If a clause has more than 20 positive literals.
        """
        products = self._products
        terms: dict[Term, float] = {(): products.constant}
        for t, weight in enumerate(products.weights.tolist()):
            here = slice(products.indptr[t], products.indptr[t + 1])
            negated = products.negated[here]
            if negated.sum() > _MOST_EXPANDED:
                raise ValueError(
                    f"a clause has {int(negated.sum())} positive literals, and so "
                    f"2^{int(negated.sum())} monomials; to_polynomial() expands at "
                    f"most {_MOST_EXPANDED}."
                )
            pairs = zip(products.variables[here].tolist(), negated, strict=True)
            factors = [(i, 1.0, -1.0) if n else (i, 0.0, 1.0) for i, n in pairs]
            add_expanded(terms, weight, factors)
        return PolynomialFunction(terms, self.n_variables)


def _as_clauses(clauses: Any, name: str) -> list[Term]:
    if sparse.issparse(clauses):
        raise TypeError(
            f"{name} is a sparse matrix; a clause is a sequence of literals: for rows "
            "of -1, 0, 1 give [list((row.indices + 1) * row.data) for row in matrix]."
        )
    if isinstance(clauses, str) or not isinstance(clauses, Iterable):
        raise TypeError(
            f"{name} must be a sequence of clauses, got {clauses!r} of type "
            f"{type(clauses).__name__}."
        )
    return [_as_clause(clause, f"{name}[{k}]") for k, clause in enumerate(clauses)]


def _as_clause(clause: Any, name: str) -> Term:
    whole = isinstance(clause, Iterable) and not isinstance(clause, str)
    literals = tuple(clause) if whole else (None,)
    for literal in literals:
        if isinstance(literal, bool) or not isinstance(literal, Integral):
            raise TypeError(
                f"{name}={clause!r} must be a sequence of integers, positive for a "
                "variable and negative for its negation."
            )
        if literal == 0:
            raise ValueError(
                f"{name}={clause!r} holds the literal 0; variables are numbered from 1."
            )
    return tuple(map(int, literals))


def _as_weights(weights: Any, n: int) -> np.ndarray:
    if weights is None:
        return np.ones(n)
    array = np.asarray(weights)
    if array.dtype.kind not in "biuf" and array.size:
        raise TypeError(f"weights must hold real numbers, got dtype {array.dtype}.")
    if array.shape != (n,):
        raise ValueError(
            f"weights has shape {array.shape}, but there are {n} soft clauses: it must "
            f"have shape ({n},)."
        )
    array = array.astype(np.float64)
    if not (np.isfinite(array) & (array >= 0)).all():
        bad = int(np.flatnonzero(~(np.isfinite(array) & (array >= 0)))[0])
        raise ValueError(
            f"weights[{bad}]={array[bad]} must be finite and at least 0; a clause that "
            "is to be violated is stated by its negated literals."
        )
    return array


def _above(weights: np.ndarray) -> float:
    """A number that no sum of the weights comes up to, whatever its order."""
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not np.isfinite(total):
        raise ValueError(
            "weights must have a finite sum; divide them by their largest."
        )
    return total + max(1.0, math.ceil(total * 2.0**-30))


def _n_variables(clauses: list[Term], n_variables: int | None) -> int:
    largest = max((abs(literal) for clause in clauses for literal in clause), default=0)
    if n_variables is None:
        if largest == 0:
            raise ValueError("the clauses name no variable: n_variables must be given.")
        return largest
    d = check_n_variables(n_variables)
    if largest > d:
        raise ValueError(
            f"a clause names the variable {largest}, but n_variables={d}: literals "
            f"must be between 1 and {d} in size."
        )
    return d


def _products(d: int, clauses: list[Term], weights: list[float]) -> LiteralProducts:
    """One product of negated literals for each clause that can be violated."""
    constant, kept, kept_weights = 0.0, [], []
    for clause, weight in zip(clauses, weights, strict=True):
        literals = set(clause)
        if any(-literal in literals for literal in literals):
            continue
        if not literals:
            constant += weight
            continue
        ordered = sorted(literals, key=abs)
        # The positive literal of variable i is true where 1 - z_i is zero.
        kept.append([~(lit - 1) if lit > 0 else -lit - 1 for lit in ordered])
        kept_weights.append(weight)
    return LiteralProducts.from_lists(d, kept, kept_weights, constant)
