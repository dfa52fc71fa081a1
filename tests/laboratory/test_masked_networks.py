"""Figures 7.3 to 7.5: what is run, what is looked at, and the fronts."""

import argparse

import numpy as np
import pytest
from laboratory.figure_7_5 import LayerRuns, by_epoch
from laboratory.masked_networks import (
    KEYS,
    NetworkRuns,
    label_of,
    pareto_front,
    points_of,
    runs_of,
)

ARGUMENTS = argparse.Namespace(
    data="made", network="strided-conv", epochs=2, rows=64, seeds=2, slow_seeds=1
)
ARGUMENTS.device = "cpu"


@pytest.fixture(name="images")
def make_images(monkeypatch):
    """Two classes, which the sign of the mean tells apart."""
    y = np.arange(64) % 2
    noise = np.random.default_rng(0).normal(size=(64, 1, 28, 28))
    X = (noise + 2 * y[:, None, None, None] - 1).astype(np.float32)
    monkeypatch.setattr(NetworkRuns, "_load", lambda self: ((X, y), (X, y)))


def run_of(method, amount, n_samples=0):
    sweep = {(method, n_samples): (amount,)}
    return next(runs_of(sweep, ARGUMENTS))


def test_a_front_is_what_nothing_beats_in_both():
    points = [(5, 80), (1, 50), (2, 50), (2, 70), (10, 80), (20, 75), (1, 40), (40, 90)]
    assert pareto_front(points) == [(1, 50), (2, 70), (5, 80), (40, 90)]
    for left, accuracy in points:  # by definition
        beaten = any(
            x <= left and y >= accuracy and (x, y) != (left, accuracy)
            for x, y in points
        )
        assert ((left, accuracy) in pareto_front(points)) == (not beaten)


def test_points_are_means_over_seeds_in_percent():
    seen = [(0.1, 0.5), (0.3, 0.7), (0.2, 0.9)]
    rows = [
        {
            "method": "mc",
            "n_samples": 2,
            "amount": amount,
            "weights_left": left,
            "accuracy": accuracy,
        }
        for amount, (left, accuracy) in zip([1e-3, 1e-3, 1e-2], seen, strict=True)
    ]
    (points,) = points_of(rows).values()
    assert points == [pytest.approx((20, 60)), pytest.approx((20, 90))]


def test_many_samples_have_fewer_seeds():
    sweep = {("mc", 100): (1e-3, 1e-2), ("mc", 2): (1e-3,)}
    runs = list(runs_of(sweep, ARGUMENTS))
    assert [(r["n_samples"], r["amount"], r["seed"]) for r in runs] == [
        (100, 1e-3, 0),
        (100, 1e-2, 0),
        (2, 1e-3, 0),
        (2, 1e-3, 1),
    ]
    assert {tuple(run) for run in runs} == {KEYS}
    assert [label_of(*setting) for setting in sweep] == ["MC, n = 100", "MC, n = 2"]


@pytest.mark.parametrize("method", ["gmp", "mp"])
def test_magnitudes_leave_what_they_are_told(method, images):
    (seen,) = NetworkRuns(ARGUMENTS, train_weights=True)(run_of(method, 0.25))
    assert seen["weights_left"] == pytest.approx(0.25, abs=1e-5)
    assert 0 <= seen["accuracy"] <= 1


@pytest.mark.parametrize("method, n_samples", [("cp", 0), ("mc", 2)])
def test_a_higher_price_leaves_less(method, n_samples, images):
    runs = NetworkRuns(ARGUMENTS, train_weights=True)
    left = [
        next(runs(run_of(method, price, n_samples)))["weights_left"]
        for price in (1e-6, 1.0)
    ]
    assert left[1] < left[0]


def test_supermasks_do_not_move_weights(images):
    pruner = NetworkRuns(ARGUMENTS, train_weights=False).fitted(run_of("cp", 1e-6))
    again = NetworkRuns(ARGUMENTS, train_weights=False).fitted(run_of("cp", 1e-4))
    first, second = (p.estimator_.module_.state_dict() for p in (pruner, again))
    both = pruner.masks_["7.weight"] & again.masks_["7.weight"]
    ratio = (first["7.weight"] / second["7.weight"])[both]
    assert both.any()
    assert ratio.std() < 1e-5 * ratio.mean().abs()  # but for the rescaling


def test_layers_are_told_by_epoch(images):
    rows = list(LayerRuns(ARGUMENTS, train_weights=True)(run_of("gmp", 0.25)))
    layers = {row["layer"]: row["weights"] for row in rows}
    assert layers == {
        "0.weight": 144,
        "3.weight": 4608,
        "7.weight": 100352,
        "9.weight": 640,
    }
    assert [row["epoch"] for row in rows] == [1] * 4 + [2] * 4
    last = {name: by_epoch(rows, name)[-1] for name in layers}
    kept = sum(size * last[name] for name, size in layers.items())
    assert kept == pytest.approx(0.25 * sum(layers.values()), abs=1)
