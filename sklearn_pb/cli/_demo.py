"""The demo: compare methods on real data, choose, test, quantize, and show."""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from typing import Any

from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from ..exceptions import SparsityWarning
from ..inspection import format_sparsity_table, sparsity_table
from ._demo_data import DemoData, load_demo_data
from ._demo_files import (
    prepare_folder,
    save_bits,
    save_layers,
    save_table,
    save_tradeoff,
)
from ._demo_search import (
    N_HIDDEN,
    TOLERANCE,
    build_pipeline,
    build_search,
    choose,
    count_fits,
    count_weights,
)
from ._demo_stages import BITS_LEFT, quantize_and_save
from ._progress import progress


def run_demo(options: Namespace) -> None:
    """Run the demo.

    Parameters
    ----------
    options : Namespace
        The options of the command line.

    Raises
    ------
    UsageError
        Before any work, if they cannot be met.
    """
    start = time.monotonic()
    data = load_demo_data(options)
    folder = prepare_folder(options.out)
    pipeline = build_pipeline(data, options)
    _introduce(data, options)
    search = _fit_search(build_search(pipeline, options), data, options)
    rows = _table(search, data)
    print(f"\n{format_sparsity_table(rows, score_name='accuracy')}\n")
    paths = [save_table(rows, folder), save_tradeoff(search, data.name, folder)]
    chosen, dense, title = _test_choice(rows, pipeline, data)
    paths.append(save_layers(chosen, title, folder))
    print(f"\nThen {BITS_LEFT} bits for each weight that is left:\n", flush=True)
    quantized, path = quantize_and_save(dense, chosen, data, options, folder)
    paths += [save_bits(quantized, data.name, folder), path]
    print("\nSaved:")
    print("\n".join(f"  {path}" for path in paths))
    print(f"Done in {time.monotonic() - start:.0f} s.")


def _introduce(data: DemoData, options: Namespace) -> None:
    print(
        f"Data: {data.name}, {len(data.y):,} rows to train on and "
        f"{len(data.y_test):,} put aside, {data.n_features:,} features, "
        f"{data.n_classes} classes.\n"
        f"Network: one hidden layer of {N_HIDDEN} units, {count_weights(data):,} "
        f"weights that can be pruned, {options.epochs} epochs a fit.\n"
        f"Search: the dense network, and {len(set(options.methods))} methods at "
        f"{len(set(options.sparsities))} sparsities, on {options.folds} folds: "
        f"{count_fits(options)} fits, {options.n_jobs} at a time.",
        flush=True,
    )


def _fit_search(
    search: GridSearchCV, data: DemoData, options: Namespace
) -> GridSearchCV:
    with (
        # Small networks: more threads than one a fit would only wait for each other.
        parallel_config("loky", inner_max_num_threads=1),
        warnings.catch_warnings(),
        progress(search, count_fits(options)),
    ):
        # A table of scores follows; the choice is trained again and may warn then.
        warnings.simplefilter("ignore", SparsityWarning)
        return search.fit(data.X, data.y)


def _table(search: GridSearchCV, data: DemoData) -> list[dict[str, Any]]:
    """Rows by sparsity, the best of each first."""
    rows = sparsity_table(search, n_weights=count_weights(data))
    for row in rows:
        if row["sparsity"] == 0:
            row["method"] = "dense"
    return sorted(rows, key=lambda row: (row["sparsity"], -row["mean"]))


def _test_choice(
    rows: list[dict[str, Any]], pipeline: Pipeline, data: DemoData
) -> tuple[Pipeline, Pipeline, str]:
    """Choose a sparse network and train it on all rows; score it and the dense one."""
    dense, *sparse = rows
    choice, good = choose(sparse, dense["mean"])
    title = f"{choice['method']} at {100 * choice['sparsity']:g} % zeros"
    reason = "the sparsest" if good else "the most accurate, as none is"
    print(
        f"Choice: {title}, {reason} within {100 * TOLERANCE:g} points of dense "
        f"({_percent(choice['mean'])} against {_percent(dense['mean'])}).",
        flush=True,
    )
    chosen = _refit(pipeline, data, choice["method"], choice["sparsity"])
    full = _refit(pipeline, data, "magnitude", 0.0)
    score, full_score = (_score(pipeline, data) for pipeline in (chosen, full))
    print(
        f"Test: trained again on all {len(data.y):,} rows, it is right on {score} of "
        f"the {len(data.y_test):,} put aside, with {choice['nonzeros']:,} weights;\n"
        f"      dense, with {dense['nonzeros']:,} weights, on {full_score}."
    )
    return chosen, full, f"{data.name}: {title}"


def _refit(
    pipeline: Pipeline, data: DemoData, method: str, sparsity: float
) -> Pipeline:
    parameters = {"prune__method": method, "prune__sparsity": sparsity}
    return clone(pipeline).set_params(**parameters).fit(data.X, data.y)


def _score(pipeline: Pipeline, data: DemoData) -> str:
    return _percent(pipeline.score(data.X_test, data.y_test))


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"
