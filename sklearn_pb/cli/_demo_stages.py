"""The end of the demo: a pruned network is quantized, saved and loaded again."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..estimators import MixedPrecisionQuantizer
from ..export import save_quantized
from ..utils import percent, text_table
from ._demo_data import DemoData

BITS_LEFT = 3  # mean bits of a weight that the pruner has left
_TITLES = ("stage", "weights", "zeros", "bits", "file", "accuracy")


@dataclass(frozen=True)
class Stage:
    """What the network is after one more step.

    Parameters
    ----------
    name : str
        The step.
    weights, left : int
        Weights that can be pruned, and those that are not zero.
    bits : float
        Mean bits of a weight, zeros included.
    file_bytes : int
        The whole network in a file.
    accuracy : float
        On the rows that were put aside.
    """

    name: str
    weights: int
    left: int
    bits: float
    file_bytes: int
    accuracy: float

    def cells(self) -> tuple[str, ...]:
        """Return a row of the table."""
        return (
            self.name,
            f"{self.left:,}",
            percent(1 - self.left / self.weights, 1),
            f"{self.bits:.2f}",
            f"{self.file_bytes:,} bytes",
            percent(self.accuracy, 1),
        )


def quantize_and_save(
    dense: Pipeline,
    pruned: Pipeline,
    data: DemoData,
    options: Namespace,
    folder: Path,
) -> tuple[Pipeline, Path]:
    """Quantize a pruned network, save it, load it, and print a row for each stage.

    Parameters
    ----------
    dense, pruned : Pipeline
        Fitted, a pruner at the end of each.
    data : DemoData
        What they were trained on, and the rows to test on.
    options : Namespace
        With seed.
    folder : Path
        Where files go.

    Returns
    -------
    quantized : Pipeline
        Fitted, the quantizer at its end.
    path : Path
        The file.
    """
    scaler, pruner = clone(pruned)["scale"], pruned["prune"]
    # Of the bits of a full network the zeros need none.
    target = BITS_LEFT * (1 - pruner.sparsity_)
    quantizer = MixedPrecisionQuantizer(
        FrozenEstimator(pruner), target_bits=target, random_state=options.seed
    )
    quantized = Pipeline([("scale", scaler), ("quantize", quantizer)])
    quantized.fit(data.X, data.y)
    path = folder / "network.skpb"
    quantizer.save(path)
    loaded = Pipeline(
        [("scale", quantized["scale"]), ("quantize", quantizer.load(path))]
    )
    stages = [
        _float_stage("dense", dense, data, folder),
        _float_stage("pruned", pruned, data, folder),
        _quantized_stage("quantized", quantized, data, path),
        _quantized_stage("loaded again", loaded, data, path),
    ]
    print(text_table(_TITLES, [stage.cells() for stage in stages], left={"stage"}))
    print(_promise(stages, quantized, loaded, data), flush=True)
    return quantized, path


def _float_stage(name: str, pipeline: Pipeline, data: DemoData, folder: Path) -> Stage:
    pruner = pipeline[-1]
    path = folder / f".{name}"
    save_quantized(path, pruner.estimator_.module_, {})
    n_bytes = os.path.getsize(path)
    path.unlink()
    return _stage(name, pipeline, data, 32 * (1 - pruner.sparsity_), n_bytes)


def _quantized_stage(
    name: str, pipeline: Pipeline, data: DemoData, path: Path
) -> Stage:
    bits = pipeline[-1].mean_bits_
    return _stage(name, pipeline, data, bits, os.path.getsize(path))


def _stage(
    name: str, pipeline: Pipeline, data: DemoData, bits: float, n_bytes: int
) -> Stage:
    masks: dict[str, Any] = pipeline[-1].masks_
    return Stage(
        name,
        weights=sum(mask.numel() for mask in masks.values()),
        left=sum(int(mask.sum()) for mask in masks.values()),
        bits=bits,
        file_bytes=n_bytes,
        accuracy=pipeline.score(data.X_test, data.y_test),
    )


def _promise(
    stages: list[Stage], quantized: Pipeline, loaded: Pipeline, data: DemoData
) -> str:
    """Say how much smaller the file is, and whether it predicts the same."""
    before, after = (p.predict_proba(data.X_test) for p in (quantized, loaded))
    same = "the same" if np.array_equal(before, after) else "NOT the same"
    times = stages[0].file_bytes / stages[-1].file_bytes
    return (
        f"\nThe file is {times:.0f} times smaller than that of the dense network. What "
        f"was loaded from it predicts {same}, bit for bit."
    )
