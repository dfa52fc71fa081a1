"""Methods made of methods: portfolios that share a budget, and polished results."""

import numpy as np
import pytest

from sklearn_pb import Budget, minimize
from sklearn_pb.budget import BudgetExhausted, Evaluator
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.solvers import LocalSearch, Polished, Portfolio, Start
from sklearn_pb.utils import RandomStream

BUDGET = Budget(evaluations=2000)


def quadratic(d=40, seed=0):
    return QuadraticFunction(np.random.default_rng(seed).normal(size=(d, d)))


def run_of(solver, J, budget=BUDGET):
    start = Start(J, RandomStream(0), budget)
    return solver.start(start), Evaluator(J, budget)


@pytest.mark.parametrize(
    "methods", [["tabu", "annealing"], ["loorf", "local-search", "arms"]]
)
def test_evaluations_are_shared_evenly(methods):
    run, evaluator = run_of(Portfolio(methods), quadratic())
    with pytest.raises(BudgetExhausted, match="evaluations"):
        while True:
            run.advance(evaluator)
    assert sum(run.used) == evaluator.n_evaluations == 2000
    # A turn is not divided: what a member may be ahead of the others.
    assert max(run.used) - min(run.used) < 1300


def test_all_members_see_the_end_of_the_budget():
    seen = []

    class Watching(LocalSearch):
        def start(self, start):
            run = super().start(start)
            advance = run.advance

            def watched(evaluator):
                seen.append(evaluator.progress)
                advance(evaluator)

            run.advance = watched
            return run

    J = BlackBoxFunction(lambda Z: Z.sum(1), 30)
    minimize(J, method=Portfolio([Watching(), "loorf"]), budget=BUDGET, random_state=0)
    assert max(seen) > 0.9


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_polished_method_has_its_share(share):
    run, evaluator = run_of(Polished("loorf", share=share), quadratic())
    begun = None
    with pytest.raises(BudgetExhausted):
        while True:
            run.advance(evaluator)
            if begun is None and run._polish is not None:
                begun = evaluator.n_evaluations
    assert begun == pytest.approx(share * 2000, abs=60)


def test_a_polished_result_is_a_local_minimum():
    J = quadratic(60)
    budget = Budget(evaluations=3000)
    plain = minimize(J, method="reinforce", budget=budget, random_state=0)
    polished = minimize(J, method=Polished("reinforce"), budget=budget, random_state=0)
    assert J.flip_deltas(plain.x).min() < 0
    assert J.flip_deltas(polished.x).min() >= 0
    assert polished.fun < plain.fun


def test_the_annealing_of_a_polished_run_ends_cold_at_its_share():
    run, evaluator = run_of(Polished("annealing", share=0.5), quadratic())
    temperatures = []
    with pytest.raises(BudgetExhausted):
        while True:
            run.advance(evaluator)
            if run._polish is None and run._first.hot is not None:
                temperatures.append(run._first.temperature())
    assert min(temperatures) < 0.3 * max(temperatures)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Portfolio([]), r"methods=\[\] must be a list of at least one method"),
        (Portfolio("tabu"), "methods='tabu' must be a list"),
        (Portfolio(["tabuu"]), "method='tabuu' is unknown"),
        (Portfolio(["tabu"], share="time"), "share='time' is unknown"),
        (Portfolio(["magnitude"]), "ranks the weights of a network"),
        (Polished("nothing"), "method='nothing' is unknown"),
        (Polished("tabu", share=1.0), "share=1.0 must be"),
    ],
)
def test_refused(method, message):
    with pytest.raises(ValueError, match=message):
        minimize(quadratic(), method=method, budget=BUDGET)


@pytest.mark.parametrize("method", [Portfolio(["loorf", "arms"]), Polished("arms")])
def test_composites_report_exactly(method):
    J = quadratic(8)
    for evaluations in (1, 30, 300):
        budget = Budget(evaluations=evaluations)
        result = minimize(J, method=method, budget=budget, random_state=0)
        assert result.fun == J(result.x[None].astype(float)).item()
        assert result.nfev == evaluations


@pytest.mark.parametrize(
    "method", [Portfolio(["tabu", "loorf", "annealing"]), Polished("arms", share=0.5)]
)
@pytest.mark.parametrize("steps", [4, 60])
def test_composites_go_on_as_if_they_had_not_stopped(method, steps):
    class Stop:
        left = steps

        def __call__(self, record):
            self.left -= 1
            if not self.left:
                raise StopIteration

    def run(**kwargs):
        return minimize(
            quadratic(), method=method, budget=BUDGET, random_state=0, **kwargs
        )

    whole = run()
    part = run(callback=Stop())
    rest = run(state=part.state)
    assert rest.fun == whole.fun
    assert rest.nfev == whole.nfev
    np.testing.assert_array_equal(rest.x, whole.x)
