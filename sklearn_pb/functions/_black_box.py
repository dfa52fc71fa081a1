"""Any callable as a pseudo-Boolean function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..exceptions import ObjectiveError
from ._base import PseudoBooleanFunction
from ._enumeration import check_n_variables

_INPUTS = ("torch", "numpy")


class BlackBoxFunction(PseudoBooleanFunction):
    """The function that a callable computes on batches of points.

    Parameters
    ----------
    function : callable
        Takes the points (n, n_variables) and returns their n costs: a tensor, an
        array or a list of numbers.
    n_variables : int
        The number d of binary variables.
    relaxable : bool, default=False
        Whether `function` also accepts points of [0, 1]^d and is differentiable by
        torch there.
    input : {"torch", "numpy"}, default="torch"
        What `function` is given. Arrays are read-only views of the points.
    dtype : torch.dtype, default=None
        The floating point dtype in which every search gives points; None means torch's
        default, or float64 for arrays.

    Raises
    ------
    TypeError
        If `function` is not callable, `n_variables` not an integer, or `dtype` not a
        floating point dtype.
    ValueError
        If `n_variables` is less than 1, `input` unknown, or a relaxable function
        asks for arrays, through which no gradient flows.

    Notes
    -----
    Costs are returned in the dtype of the points: a search compares and reports them in
    the precision of `dtype`. A direct call gives `function` its points as they are. A
    result that is not one finite number a row raises `ObjectiveError`; exceptions of
    `function` pass unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_pb.functions import BlackBoxFunction
    >>> weights = np.array([3.0, -2.0, 1.0])
    >>> J = BlackBoxFunction(lambda Z: Z @ weights, n_variables=3, input="numpy")
    >>> J(np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))
    tensor([-2.,  2.], dtype=torch.float64)
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        n_variables: int,
        *,
        relaxable: bool = False,
        input: str = "torch",
        dtype: torch.dtype | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(
                "function must be callable on a batch of points, got "
                f"{function!r} of type {type(function).__name__}."
            )
        if input not in _INPUTS:
            raise ValueError(f"input must be one of {_INPUTS}, got {input!r}.")
        if relaxable and input == "numpy":
            raise ValueError(
                "relaxable=True needs input='torch', got input='numpy': gradients do "
                "not flow through arrays."
            )
        if dtype is not None and not getattr(dtype, "is_floating_point", False):
            raise TypeError(
                f"dtype={dtype!r} must be a floating point dtype of torch, or None."
            )
        self.function = function
        self.n_variables = check_n_variables(n_variables)
        self.relaxable = relaxable
        self.input = input
        self.dtype = dtype

    @property
    def points_dtype(self) -> torch.dtype:
        """The dtype in which a search must give points."""
        if self.dtype is not None:
            return self.dtype
        return torch.float64 if self.input == "numpy" else torch.get_default_dtype()

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        result = self.function(Z if self.input == "torch" else _read_only_array(Z))
        costs = self._as_numbers(result).to(device=Z.device, dtype=Z.dtype)
        needs_gradient = self.relaxable and Z.requires_grad and torch.is_grad_enabled()
        if needs_gradient and not costs.requires_grad:
            raise ObjectiveError(
                f"{self._label} is declared relaxable=True but returned costs that "
                "carry no gradient; compute them with torch and do not detach them."
            )
        return costs

    def _as_numbers(self, result: Any) -> torch.Tensor:
        if not isinstance(result, torch.Tensor):
            try:
                result = torch.as_tensor(np.asarray(result))
            except (TypeError, ValueError) as error:
                raise self._not_numeric(result, type(result).__name__) from error
        if result.is_complex():
            raise self._not_numeric(result, f"{result.dtype} costs")
        return result

    def _not_numeric(self, result: Any, what: str) -> ObjectiveError:
        shown = repr(result)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        return ObjectiveError(
            f"{self._label} returned {shown} ({what}); it must return one real number "
            "a row, as a tensor, an array or a list."
        )

    @property
    def _label(self) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"BlackBoxFunction({name})"


def _read_only_array(Z: torch.Tensor) -> np.ndarray:
    array = Z.detach().cpu().numpy()
    view = array.view()
    view.flags.writeable = False
    return view
