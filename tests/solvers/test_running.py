"""What every search can do: restart, start warm, stop, be killed and go on."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb import Budget, minimize
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.functions import (
    BlackBoxFunction,
    PolynomialFunction,
    QuadraticFunction,
    tabulate,
)
from sklearn_pb.utils import Checkpoint

RESUMABLE = ["loorf", "arms", "continuous", "straight-through", "annealing", "tabu"]
RESUMABLE += ["local-search", "genetic"]


def quadratic(d=24, seed=0):
    rng = np.random.default_rng(seed)
    return QuadraticFunction(rng.normal(size=(d, d)), rng.normal(size=d))


def run(method, evaluations=2000, **kwargs):
    J = kwargs.pop("J", None) or quadratic()
    return minimize(
        J,
        method=method,
        budget=Budget(evaluations=evaluations),
        random_state=0,
        **kwargs,
    )


def same(first, second):
    assert first.fun == second.fun
    assert first.nfev == second.nfev
    np.testing.assert_array_equal(first.x, second.x)


class StopAfter:
    """A callback that ends the search at some step."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, record):
        self.steps -= 1
        if self.steps == 0:
            raise StopIteration


@pytest.mark.parametrize("method", RESUMABLE)
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(method):
    part = run(method, callback=StopAfter(3))
    assert part.stop_reason == "callback"
    assert part.nfev < 2000
    same(run(method, state=part.state), run(method))


@pytest.mark.parametrize("price", [None, 0.1])
@pytest.mark.parametrize("kind", ["dense", "sparse", "products"])
@pytest.mark.parametrize("method", ["tabu", "annealing", "local-search"])
def test_a_stopped_run_keeps_what_rounding_has_left(method, kind, price):
    J = quadratic(40)
    if kind == "sparse":
        Q = J.Q.numpy()
        J = QuadraticFunction(sparse.csr_array(np.where(np.abs(Q) > 1.2, Q, 0.0)))
    if kind == "products":
        rng = np.random.default_rng(0)
        terms = {tuple(rng.choice(40, 3)): rng.normal() for _ in range(150)}
        J = PolynomialFunction(terms, 40)
    kwargs = {"J": J, "evaluations": 60_000}
    kwargs["constraint"] = None if price is None else L0Penalty(price)
    part = run(method, callback=StopAfter(15), **kwargs)
    assert part.stop_reason == "callback"
    whole, rest = run(method, **kwargs), run(method, state=part.state, **kwargs)
    same(rest, whole)
    assert [record["mean_cost"] for record in rest.history[-5:]] == [
        record["mean_cost"] for record in whole.history[-5:]
    ]


@pytest.mark.parametrize("method", ["loorf", "annealing"])
def test_a_larger_budget_goes_on_from_a_finished_run(method):
    part = run(method, evaluations=300)
    whole = run(method, evaluations=900, state=part.state)
    assert part.nfev == 300
    assert whole.nfev == 900
    assert whole.fun <= part.fun


def test_the_state_of_another_run_is_refused():
    part = run("loorf", callback=StopAfter(3))
    with pytest.raises(ValueError, match="state is of MonteCarlo"):
        run("tabu", state=part.state)


def test_a_checkpoint_is_gone_on_from(tmp_path):
    path = tmp_path / "run.pt"
    run("loorf", callback=StopAfter(5), checkpoint=path)
    same(run("loorf", checkpoint=path), run("loorf"))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    run("loorf", checkpoint=path)
    with pytest.raises(ValueError, match="of another run"):
        run("arms", checkpoint=path)
    with pytest.raises(ValueError, match="of another run"):
        run("loorf", checkpoint=path, constraint=L0Penalty(1.0))


def test_a_broken_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="not a checkpoint"):
        run("loorf", checkpoint=path)


def test_a_checkpoint_in_no_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder that does not exist"):
        run("loorf", checkpoint=tmp_path / "none" / "run.pt")


def _search_for_long(path):
    import sklearn_pb.utils._checkpoint as module

    module.EVERY = 0.0
    J = quadratic()
    slow = BlackBoxFunction(lambda Z: (time.sleep(0.002), J(Z))[1], 24)
    run("annealing", J=slow, checkpoint=path)


def test_a_killed_run_goes_on_bit_for_bit(tmp_path):
    path = tmp_path / "run.pt"
    process = multiprocessing.get_context("spawn").Process(
        target=_search_for_long, args=(path,)
    )
    process.start()
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    J = quadratic()
    same_cost = BlackBoxFunction(lambda Z: J(Z), 24)
    assert Checkpoint(path, "").path.exists()
    same(
        run("annealing", J=same_cost, checkpoint=path),
        run("annealing", J=same_cost),
    )


@pytest.mark.parametrize("method", ["loorf", "tabu"])
def test_restarts_are_the_same_for_every_number_of_jobs(method):
    serial = run(method, n_restarts=3)
    assert len(serial.runs) == 3
    assert serial.nfev == sum(part.nfev for part in serial.runs) == 2000
    assert serial.fun == min(part.fun for part in serial.runs)
    same(run(method, n_restarts=3, n_jobs=2), serial)


def test_restarts_end_at_the_first_that_meets_the_target():
    J = quadratic()
    budget = Budget(evaluations=900, target=0.0)  # the point 0 has this cost
    serial = minimize(J, budget=budget, n_restarts=3, random_state=0)
    parallel = minimize(J, budget=budget, n_restarts=3, random_state=0, n_jobs=2)
    assert serial.stop_reason == "target"
    same(parallel, serial)


@pytest.mark.parametrize("method", RESUMABLE)
def test_a_warm_start_is_never_left_worse(method):
    best = run("tabu", evaluations=5000)
    again = run(method, evaluations=30, initial=best.x)
    assert again.fun <= best.fun


@pytest.mark.parametrize("method", ["loorf", "continuous"])
def test_probabilities_are_where_a_search_starts(method):
    theta = np.linspace(0.1, 0.9, 24)
    result = run(method, evaluations=20, initial=theta)
    assert np.corrcoef(result.probabilities, theta)[0, 1] > 0.5


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (np.zeros(3), r"initial has shape \(3,\)"),
        (np.full(24, 1.5), "initial must hold"),
    ],
)
def test_a_warm_start_that_makes_no_sense_is_refused(initial, message):
    with pytest.raises(ValueError, match=message):
        run("loorf", initial=initial)


@pytest.mark.parametrize("method", ["annealing", "tabu", "exhaustive", "genetic"])
def test_solvers_minimise_the_cost_with_the_price_of_ones(method):
    J = quadratic(d=8)
    price = 0.7
    table = tabulate(J).values
    points = torch.tensor([[int(c) for c in f"{k:08b}"] for k in range(256)])
    ones = points.sum(1)
    least = min(table + price * ones)  # the number of ones does not hang on bit order
    result = minimize(
        J,
        method=method,
        budget=Budget(evaluations=3000),
        constraint=L0Penalty(price),
        random_state=0,
    )
    assert result.fun == pytest.approx(float(least))


def test_verbose_prints_lines(capsys):
    run("annealing", verbose=1)
    assert "[minimize] step 1," in capsys.readouterr().out
