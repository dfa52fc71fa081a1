"""All quantization methods on one data set and network: tuned alike, run on seeds.

Every method is tuned by GridSearchCV over four candidates at one mean of bits, on a
part of the training data. Then the best candidate is run for each number of bits and
seed, for the same number of epochs, and scored on the test part. The control comes
last: magnitude pruning and training with uniform bits, in a chain, at the real bytes
that the reference has at each of its numbers of bits. A row is written when a run ends,
so a killed contest goes on where it was; several processes may share the methods.

    python contest.py --data fashion_mnist --data-home DIR --work-dir RUNS
    python summary.py --work-dir RUNS
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from contenders import (
    CONTENDERS,
    CONTROL_BITS,
    CONTROL_GRID,
    DENSE_GRID,
    N_CANDIDATES,
    Grid,
)
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedShuffleSplit

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import NETWORKS, Part, Records, fresh_net, load_images

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer
from sklearn_pb.exceptions import SparsityWarning

CLOSE = 0.02  # bytes of the control may differ by this fraction
MOST_TRIES = 4
Row = dict[str, Any]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="fashion_mnist")
    add("--data-home", default=None)
    add("--work-dir", type=Path, required=True)
    add("--network", choices=NETWORKS, default="strided-conv")
    add("--methods", nargs="+", default=["dense", *CONTENDERS, "control"])
    add("--bits", nargs="+", type=float, default=[1.0, 1.5, 2.0, 3.0, 4.0])
    add("--reference", default="smol-channel", help="whose bytes the control gets")
    add("--seeds", type=int, default=3)
    add("--epochs", type=int, default=16)
    add("--tuning-epochs", type=int, default=8)
    add("--tuning-rows", type=int, default=8000)
    add("--tuning-bits", type=float, default=2.0)
    add("--rows", type=int, default=20_000)
    add("--batch-size", type=int, default=128)
    add("--device", default="cpu")
    return parser.parse_args()


def main() -> None:
    """Run what is not yet done."""
    options = parse_arguments()
    warnings.simplefilter("ignore", SparsityWarning)  # the table tells
    train, test = load_images(options)
    special = {"dense": Dense, "control": Control}
    for name in options.methods:
        contest = special.get(name, Contest)(name, options, train, test)
        contest.tune()
        contest.run()


class Contest:
    """One method's runs on one network, with a file of what is done.

    Parameters
    ----------
    name : str
        A key of `CONTENDERS`.
    options : argparse.Namespace
        The command line.
    train, test : tuple of arrays
        Rows to train and to test on.
    """

    def __init__(
        self, name: str, options: argparse.Namespace, train: Part, test: Part
    ) -> None:
        self.name = name
        self.options = options
        self.train, self.test = train, test
        self.folder = options.work_dir / options.data / options.network
        self.records = Records(self.folder / f"{name}.jsonl")
        self.best: dict[str, Any] = {}

    @property
    def grid(self) -> Grid:
        """The candidates of the tuning."""
        return CONTENDERS[self.name].grid

    def build(self, bits: float, seed: int, epochs: int) -> Any:
        """Return the method around a fresh net, with its own defaults."""
        return MixedPrecisionQuantizer(
            fresh_net(self.options, epochs),
            random_state=seed,
            **CONTENDERS[self.name].settings(bits),
        )

    def tune(self) -> None:
        """Choose the best of the candidates, unless that is done."""
        assert len(ParameterGrid(self.grid)) == N_CANDIDATES, self.name
        tuned = self.records.find(kind="tuning")
        if not tuned:
            search = GridSearchCV(
                self.build(self.options.tuning_bits, 0, self.options.tuning_epochs),
                self.grid,
                cv=StratifiedShuffleSplit(1, test_size=0.2, random_state=0),
                refit=False,
                error_score="raise",
            ).fit(*(part[: self.options.tuning_rows] for part in self.train))
            scores = search.cv_results_["mean_test_score"].round(4).tolist()
            row = {"kind": "tuning", "best": search.best_params_, "scores": scores}
            row["candidates"] = search.cv_results_["params"]
            tuned = [self.records.add(row)]
        self.best = tuned[0]["best"]

    def run(self) -> None:
        """Run all bits and seeds that are not done."""
        for bits in self.options.bits:
            if CONTENDERS[self.name].can_have(bits):
                for seed in range(self.options.seeds):
                    if not self.records.find(kind="run", bits=bits, seed=seed):
                        self.fit(
                            self.build(bits, seed, self.options.epochs), bits, seed
                        )

    def fit(
        self, estimator: Any, bits: float, seed: int, **more: Any
    ) -> dict[str, Any]:
        """Fit, score and write a row."""
        estimator.set_params(**self.best)
        start = time.perf_counter()
        estimator.fit(*self.train)
        seconds = time.perf_counter() - start
        row = {"kind": "run", "bits": bits, "seed": seed, **more}
        row["accuracy"] = round(estimator.score(*self.test), 4)
        row |= {"seconds": round(seconds, 1), "epochs": self.options.epochs}
        row |= {"rows": len(self.train[0]), **measured(estimator)}
        return self.records.add(row)


class Dense(Contest):
    """The network in full precision."""

    grid = DENSE_GRID

    def build(self, bits: float, seed: int, epochs: int) -> Any:
        """Return a pruner that prunes nothing."""
        net = fresh_net(self.options, epochs)
        return MaskPruner(net, method="magnitude", sparsity=0.0, random_state=seed)

    def run(self) -> None:
        """Run the seeds that are not done."""
        for seed in range(self.options.seeds):
            if not self.records.find(kind="run", seed=seed):
                self.fit(self.build(32.0, seed, self.options.epochs), 32.0, seed)


class Control(Contest):
    """Magnitude pruning, then uniform bits, at the real bytes of the reference.

    Half of the epochs go to the pruner and half to the quantizer, so that the chain
    trains as long as a method in one piece.
    """

    grid = CONTROL_GRID

    def build(
        self,
        bits: float,
        seed: int,
        epochs: int,
        sparsity: float = 0.9,
        uniform_bits: int = 3,
    ) -> Any:
        """Return the chain."""
        pruner = MaskPruner(
            fresh_net(self.options, epochs // 2), method="gmp", sparsity=sparsity
        )
        return MixedPrecisionQuantizer(
            pruner, method="lsq", initial_bits=uniform_bits, random_state=seed
        )

    def run(self) -> None:
        """For each size of the reference find the sparsity, then run the seeds."""
        reference = Records(self.folder / f"{self.options.reference}.jsonl")
        for bits in self.options.bits:
            sizes = [row["file_bytes"] for row in reference.find(kind="run", bits=bits)]
            if not sizes:
                continue
            for uniform_bits in CONTROL_BITS:
                self._match(bits, mean(sizes), uniform_bits)

    def _match(self, bits: float, wanted: float, uniform_bits: int) -> None:
        """Run until the bytes are those wanted, then run the other seeds there."""
        which = {"kind": "run", "bits": bits, "uniform_bits": uniform_bits}
        n_weights = self._n_weights()
        extra = uniform_bits  # bits of a weight that is left, its place aside
        for _ in range(MOST_TRIES):
            sparsity = sparsity_for(8 * wanted / n_weights, extra)
            row = self._once(which, sparsity, 0)
            if abs(row["file_bytes"] / wanted - 1) < CLOSE or sparsity == 0:
                break
            found = 8 * row["file_bytes"] / n_weights - place_bits(sparsity)
            extra = found / (1 - sparsity)
        for seed in range(1, self.options.seeds):
            self._once(which, sparsity, seed)

    def _once(
        self, which: dict[str, Any], sparsity: float, seed: int
    ) -> dict[str, Any]:
        sparsity = round(sparsity, 4)
        done = self.records.find(**which, seed=seed, sparsity=sparsity)
        if done:
            return done[0]
        uniform_bits = which["uniform_bits"]
        chain = self.build(
            which["bits"], seed, self.options.epochs, sparsity, uniform_bits
        )
        more = {"uniform_bits": uniform_bits, "sparsity": sparsity}
        return self.fit(chain, which["bits"], seed, **more)

    def _n_weights(self) -> int:
        module = NETWORKS[self.options.network]()
        return sum(p.numel() for p in module.parameters() if p.ndim >= 2)


def measured(estimator: Any) -> dict[str, Any]:
    """What a fitted quantizer takes; nothing for a pruner."""
    if not hasattr(estimator, "sizes_"):
        return {}
    sizes = estimator.sizes_
    return {
        "mean_bits": round(estimator.mean_bits_, 4),
        "entropy_bits": round(sizes.entropy_bits / sizes.weights, 4),
        "file_bits": round(sizes.file_bits / sizes.weights, 4),
        "file_bytes": sizes.file_bytes,
        "zeros": round(estimator.sparsity_, 4),
        "energy": round(estimator.energy_.energy, 4),
    }


def place_bits(sparsity: float) -> float:
    """Bits a weight that say which are zero."""
    if sparsity <= 0 or sparsity >= 1:
        return 0.0
    kept = 1 - sparsity
    return float(-sparsity * np.log2(sparsity) - kept * np.log2(kept))


def sparsity_for(bits: float, each: float) -> float:
    """The least sparsity at which so many bits a weight are enough.

    Parameters
    ----------
    bits : float
        What there is for a weight, zeros included.
    each : float
        What a weight takes that is left, beside the bits that say where it is.
    """
    for sparsity in np.linspace(0, 0.9999, 10_000):
        if place_bits(sparsity) + (1 - sparsity) * each <= bits:
            return float(sparsity)
    return 0.9999


if __name__ == "__main__":
    main()
