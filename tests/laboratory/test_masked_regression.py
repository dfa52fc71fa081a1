"""Runs on a small network in place of the one with 8,050 weights."""

import pytest
from laboratory import masked_regression

from sklearn_pb.functions import MaskedNNRegression


@pytest.fixture(name="runs")
def make_runs(monkeypatch):
    monkeypatch.setattr(
        masked_regression,
        "MaskedNNRegression",
        lambda: MaskedNNRegression(
            1000, 200, hidden_layer_sizes=(8, 8), target_layer_sizes=(16, 16)
        ),
    )
    return masked_regression.MaskedRuns()


def run_of(method, **changes):
    run = {
        "method": method,
        "parametrization": "sigmoid",
        "n_samples": 4,
        "steps": 30,
        "seed": 0,
        "learning_rate": 0.1,
    }
    return run | changes


@pytest.mark.parametrize("method", ["loorf", "st", "cp", "rebar"])
def test_runs_are_reproducible(method, runs):
    rows = list(runs(run_of(method)))
    assert rows == list(runs(run_of(method)))
    assert [rows[0]["step"], rows[-1]["step"]] == [0, 30]
    assert rows != list(runs(run_of(method, seed=1)))


@pytest.mark.parametrize("preset", ["sigmoid", "direct", "cosine", "escort"])
def test_every_parametrization_starts_in_the_middle(preset, runs):
    start = next(iter(runs(run_of("loorf", parametrization=preset))))
    assert start == next(iter(runs(run_of("loorf"))))


def test_continuation_is_judged_by_its_hard_mask(runs):
    start = next(iter(runs(run_of("cp"))))
    # x = 0 removes every weight: the output is 0, the loss the mean of the targets.
    J = MaskedNNRegression(
        1000, 200, hidden_layer_sizes=(8, 8), target_layer_sizes=(16, 16)
    )
    nothing = J.validation(J.validation._data["y"].new_zeros(1, J.n_variables))
    assert start["loss"] == pytest.approx(nothing.item(), abs=1e-5)
