"""What estimators offer around a network with zeros: smaller forms of it, a report."""

from __future__ import annotations

import copy
import os
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..export import (
    Report,
    compact,
    report,
    save_packed,
    sparsify,
    to_onnx,
    to_semi_structured,
)
from ..export._onnx import check_folder
from ..utils import check_choice

FILES = ("onnx", "safetensors")
MODULES = ("compact", "semi-structured", "sparse")
N_EXAMPLES = 64  # rows that are kept to trace, compare and time networks with


class ExportedNetwork:
    """Base of estimators whose network has zeros in it; it stands behind all others.

    A subclass sets `estimator_`, `masks_`, `_examples` and `_report` (None) in `fit`,
    and has `_structured`.
    """

    estimator_: Any
    masks_: dict[str, torch.Tensor]
    _examples: np.ndarray
    _report: Report | None
    _made_when_asked_for: ClassVar[dict[str, str]] = {"report_": "_report"}

    @property
    def _structured(self) -> bool:
        """Whether whole channels or heads may be zero."""
        raise NotImplementedError

    def export(
        self, format: str = "compact", path: str | os.PathLike[str] | None = None
    ) -> Any:
        """Return a smaller or faster form of the network, or write one to a file.

        Parameters
        ----------
        format : str, default="compact"
            A module: "compact" is without dead channels and heads, "sparse" has sparse
            layers where they are measured to be faster, "semi-structured" has layers
            for sparse tensor cores (2:4 on CUDA). A file: "safetensors" with packed
            masks, for `sklearn_pb.export.load_packed`, or "onnx", compact where
            channels or heads are masked.
        path : str or path-like, default=None
            The file.

        Returns
        -------
        exported : torch.nn.Module, str or path-like
            The module, in evaluation mode, or the path.

        Raises
        ------
        ValueError
            If the format is unknown, or there is a path too many or too few.
        FileNotFoundError
            If the folder of the file does not exist.
        ExportError
            If the outcome would not compute the same.
        ImportError
            If the extra ``export`` is not installed.
        """
        check_is_fitted(self)
        check_choice(format, "format", (*MODULES, *FILES))
        if (path is None) == (format in FILES):
            needed = "the name of a file" if format in FILES else "None"
            raise ValueError(f"path={path!r} must be {needed} with format={format!r}.")
        if path is None:
            return self._exported_module(format).eval()
        check_folder(path)
        self._write(format, path)
        return path

    def _write(self, format: str, path: str | os.PathLike[str]) -> None:
        if format == "safetensors":
            save_packed(path, self.estimator_.module_, self.masks_)
        else:
            form = "compact" if self._structured else None
            to_onnx(self._exported_module(form).cpu(), self._inputs("cpu"), path)

    def _exported_module(self, form: str | None) -> nn.Module:
        module = copy.deepcopy(self.estimator_.module_).eval()
        if form == "compact":
            return compact(module, self._inputs(self.estimator_.device))
        if form == "sparse":
            return sparsify(module.cpu(), self._inputs("cpu"))
        return to_semi_structured(module) if form == "semi-structured" else module

    def _inputs(self, device: Any) -> torch.Tensor:
        return torch.as_tensor(self._examples).to(device or "cpu")

    def __dir__(self) -> list[str]:
        """List the attributes; the report and its like once they are made.

        Whoever reads all that is listed, as scikit-learn does for its own `__dir__` and
        its HTML, would wait for latencies to be measured.
        """
        waiting = {
            name
            for name, kept in self._made_when_asked_for.items()
            if getattr(self, kept, None) is None
        }
        return [name for name in super().__dir__() if name not in waiting]

    @property
    def report_(self) -> Report:
        """What each layer has left, and what the network takes to store and run.

        Made, and its latency measured on a batch of up to 64 rows of `fit`, when it is
        asked for first.
        """
        check_is_fitted(self)
        if self._report is None:
            self._report = self._reported(None)
        return self._report

    def _reported(self, example_inputs: Any, *, latency: bool = True) -> Report:
        """Return a report on inputs as the network takes them, or on kept rows."""
        if example_inputs is None:
            example_inputs = self._inputs(self.estimator_.device)
        return report(
            self.estimator_.module_,
            self.masks_,
            example_inputs,
            latency=latency,
            compacted=self._exported_module("compact") if self._structured else None,
        )
