"""Parameters of parts, which only objects have: what to give in place of a string."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from sklearn.base import BaseEstimator


class NestedParameters(BaseEstimator):
    """Base of estimators whose parts may be named by strings.

    A subclass says in `_shorthands` which parameters those are, and what each string
    stands for.
    """

    _shorthands: ClassVar[Mapping[str, Mapping[str, Callable[[], Any]]]] = {}

    def set_params(self, **params: Any) -> Any:
        """Set the parameters of this estimator, and of the objects among them.

        Parameters
        ----------
        **params : object
            By name; ``method__beta_final`` is `beta_final` of the object `method`.

        Returns
        -------
        self : estimator
            This estimator.

        Raises
        ------
        ValueError
            If there is no such parameter, or it is one of a part that is no object
            but a string or None.
        """
        own = self.get_params(deep=False)
        for name, value in params.items():
            part, nested, _ = name.partition("__")
            held = params.get(part, own.get(part, self))
            if nested and (held is None or isinstance(held, str)):
                raise ValueError(
                    f"{name}={value!r} is for an object, but {part}={held!r}; set "
                    f"{part} to {self._instead(part, held)} first."
                )
        return super().set_params(**params)

    def _instead(self, part: str, held: str | None) -> str:
        """The object that a string stands for, as one writes it."""
        make = None if held is None else self._shorthands.get(part, {}).get(held)
        return "an object that has it" if make is None else f"{make()!r}"
