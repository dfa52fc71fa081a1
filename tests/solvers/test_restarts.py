"""Restarts: how they share a budget, report from workers, stop and go on."""

import time

import numpy as np
import pytest
from joblib import parallel_config

from sklearn_pb import Budget, minimize
from sklearn_pb.functions import QuadraticFunction
from sklearn_pb.solvers import Run, Solver
from sklearn_pb.utils import Checkpoint

BUDGET = Budget(evaluations=1500)


def quadratic(d=24, seed=0):
    return QuadraticFunction(np.random.default_rng(seed).normal(size=(d, d)))


def run(budget=BUDGET, **kwargs):
    settings = {"method": "tabu", "n_restarts": 3, "random_state": 0, **kwargs}
    return minimize(quadratic(), budget=budget, **settings)


def key(result):
    return result.fun, result.nfev, result.nit, result.x.tolist(), len(result.runs)


class StopAfter:
    """Remembers records, and ends the search after some."""

    def __init__(self, steps):
        self.steps = steps
        self.records = []

    def __call__(self, record):
        self.records.append(record)
        if len(self.records) == self.steps:
            raise StopIteration


class Planned(Solver):
    """Takes half of the time that it is given, and remembers how much that was."""

    given: list = []

    def check(self):
        pass

    def start(self, start):
        self.given.append(start.budget.seconds)
        return PlannedRun(start)


class PlannedRun(Run):
    def __init__(self, start):
        self._seconds = start.budget.seconds

    def advance(self, evaluator):
        time.sleep(self._seconds / 2)
        evaluator(np.zeros((1, evaluator.n_variables)))

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


@pytest.mark.parametrize(("n", "n_jobs", "rounds"), [(3, 2, 2), (4, 2, 2), (3, 1, 3)])
def test_seconds_are_shared_by_rounds(n, n_jobs, rounds):
    Planned.given = []
    with parallel_config("threading"):
        result = minimize(
            quadratic(),
            method=Planned(),
            budget=Budget(seconds=0.6),
            n_restarts=n,
            n_jobs=n_jobs,
        )
    assert len(result.runs) == n
    assert all(seconds <= 0.6 / rounds for seconds in Planned.given[:n_jobs])
    ends = [run.seconds for run in result.runs]
    assert result.seconds >= sum(ends[::n_jobs]) - 1e-6


def test_no_run_begins_after_the_time_is_over():
    result = run(Budget(seconds=1e-9))
    assert len(result.runs) == 1 and result.nfev == 1
    assert result.stop_reason == "seconds"
    again = run(Budget(seconds=1e-9), state=result.state)
    assert again.nfev == 1


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_callback_sees_every_step_of_every_run(n_jobs):
    watch = StopAfter(None)
    result = run(n_jobs=n_jobs, callback=watch)
    assert key(result) == key(run())
    assert len(watch.records) >= result.nit - 3  # but for those that a limit cut off
    for i, part in enumerate(result.runs):
        steps = [r["step"] for r in watch.records if r["restart"] == i]
        assert steps == list(range(1, len(steps) + 1)) and len(steps) >= part.nit - 1


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_callback_stops_all_runs_and_they_go_on(n_jobs):
    part = run(n_jobs=n_jobs, callback=StopAfter(4))
    assert part.stop_reason == "callback" and part.nfev < 1500
    assert f"after {part.nfev} evaluations" in repr(part.state)
    for jobs in (1, n_jobs):
        assert key(run(n_jobs=jobs, state=part.state)) == key(run())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_error_of_a_callback_is_raised(n_jobs):
    def fail(record):
        raise ZeroDivisionError("by the user")

    with pytest.raises(ZeroDivisionError, match="by the user"):
        run(n_jobs=n_jobs, callback=fail)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_checkpoint_is_gone_on_from_with_a_larger_budget(n_jobs, tmp_path):
    path = tmp_path / "runs.pt"
    first = run(n_jobs=n_jobs, checkpoint=path)
    assert key(run(n_jobs=n_jobs, checkpoint=path)) == key(first)
    larger = Budget(evaluations=3000)
    second = run(larger, n_jobs=n_jobs, checkpoint=path)
    assert [part.nfev for part in second.runs] == [1000, 1000, 1000]
    assert second.fun <= first.fun
    assert key(second) == key(run(larger, state=first.state))


def test_states_are_written_while_runs_go(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_pb.utils._checkpoint.EVERY", 0.0)
    path, seen = tmp_path / "runs.pt", []

    def look(record):
        if path.exists():
            kept = Checkpoint(path, label).load()["runs"]
            seen.append([part is not None for part in kept])

    label = run().state.label
    run(n_jobs=2, checkpoint=path, callback=look)
    assert [True, True, False] in seen or [False, True, False] in seen


@pytest.mark.parametrize("kwargs", [{"n_restarts": 2}, {"n_restarts": 1}])
def test_the_state_of_other_restarts_is_refused(kwargs):
    with pytest.raises(ValueError, match="state is of 3 restarts of TabuSearch"):
        run(state=run().state, **kwargs)


def test_one_of_the_runs_goes_on_alone():
    part = run().runs[1]
    rest = run(n_restarts=1, state=part.state)
    assert rest.nfev == 1500 and rest.fun <= part.fun


def test_lines_name_the_restart(capsys):
    run(n_jobs=2, verbose=1)
    out = capsys.readouterr().out
    for i in range(3):
        assert f"[minimize] restart {i}, step 1, " in out
