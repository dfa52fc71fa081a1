"""One budget for every search, and the counter that keeps to it."""

from ._evaluator import Evaluator
from ._limits import Budget, BudgetExhausted

__all__ = ["Budget", "BudgetExhausted", "Evaluator"]
