"""Searches as objects: hyperparameters, runs, and what they do without a network."""

import re

import pytest
import torch
from sklearn.base import clone

from sklearn_pb.constraints import L0Penalty, Quota
from sklearn_pb.methods import Continuation, OneShot, SearchSpace, StraightThrough
from sklearn_pb.tickets import (
    SEARCHES,
    Continuous,
    IterativeMagnitude,
    RandomPruning,
    RoundEnd,
    Sequential,
    Stochastic,
    TicketSearch,
    resolve_search,
)
from sklearn_pb.utils import RandomStream

INF = torch.inf


def end(*logits, progress=1.0):
    logits = torch.tensor(logits)
    return RoundEnd(logits >= 0, logits, progress)


class TestPresets:
    def test_names(self):
        assert {name: make().name for name, make in SEARCHES.items()} == {
            name: name for name in SEARCHES
        }

    @pytest.mark.parametrize("name", SEARCHES)
    def test_a_name_is_a_new_checked_object(self, name):
        first, second = resolve_search(name), resolve_search(name)
        assert isinstance(first, TicketSearch)
        assert first is not second
        assert repr(clone(first)) == repr(second)

    def test_an_object_is_copied(self):
        given = Continuous(s_init=0.2)
        found = resolve_search(given)
        assert found is not given
        assert found.s_init == 0.2

    def test_rewinding(self):
        rewinds = {name: make().rewinds for name, make in SEARCHES.items()}
        assert [name for name in rewinds if rewinds[name]] == ["imp", "random"]

    @pytest.mark.parametrize(
        "search, message",
        [
            (
                "lottery",
                "search='lottery' is unknown; it must be one of continuous, im",
            ),
            (Continuous(s_init=[]), "s_init=[] must have at least one value"),
            (Continuous(s_init=float("nan")), "s_init=nan must be a number"),
            (Continuous(s_init=[0.0, INF]), "s_init=inf must be a number"),
            (Continuous(s_init=[0.1, 0, 0.1]), "s_init=[0.1, 0, 0.1] has a value twi"),
            (Continuous(beta_final=0), "beta_final=0 must be a number in (0"),
            (Continuous(learning_rate=0), "learning_rate=0 must be a number in (0"),
            (Continuous(penalty=-1), "penalty=-1 must be a number in [0"),
            (Continuous(optimizer="adam"), "optimizer='adam' is unknown; it must be"),
            (Sequential(reset="some"), "reset='some' is unknown; it must be one of al"),
            (Sequential(s_init=-INF), "s_init=-inf must be a number"),
            (Stochastic(learning_rate=-1), "learning_rate=-1 must be a number in (0"),
            (Stochastic(s_init=INF), "s_init=inf must be a number"),
            (IterativeMagnitude("l7"), "criterion='l7' is unknown"),
        ],
        ids=repr,
    )
    def test_bad_values(self, search, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            resolve_search(search)

    @pytest.mark.parametrize(
        "search, message",
        [
            (None, "search=None must be a string or an object of sklearn_pb.tickets"),
            (Continuous, "must be a string or an object"),
            (Continuous(s_init="low"), "s_init='low' must be a number"),
            (Continuous(rewinds=1), "rewinds=1 must be True or False"),
            (Continuous(penalty=None), "penalty=None must be a number"),
            (IterativeMagnitude(rewinds=None), "rewinds=None must be True or False"),
            (Stochastic(derivative="yes"), "derivative='yes' must be True or False"),
        ],
        ids=repr,
    )
    def test_bad_kinds(self, search, message):
        with pytest.raises(TypeError, match=re.escape(message)):
            resolve_search(search)


class TestRuns:
    def test_several_starts_are_several_runs(self):
        runs = Continuous(s_init=[-0.1, 0, 0.2], beta_final=100).runs()
        assert [label for label, _ in runs] == [
            "continuous s_init=-0.1",
            "continuous s_init=0",
            "continuous s_init=0.2",
        ]
        assert [run.s_init for _, run in runs] == [-0.1, 0, 0.2]
        assert {run.beta_final for _, run in runs} == {100}

    @pytest.mark.parametrize("search", [Continuous(s_init=0.1), RandomPruning()])
    def test_others_are_one(self, search):
        ((label, run),) = search.runs()
        assert label == search.name
        assert repr(run) == repr(search)


class TestRounds:
    """What goes into a round, and what comes out."""

    def test_methods(self):
        method = Continuous(beta_final=150, s_init=-0.1, learning_rate=0.2).method()
        assert isinstance(method, Continuation)
        assert method.saturation is None
        assert (method.beta_final, method.learning_rate) == (150, 0.2)
        assert isinstance(IterativeMagnitude().method(), OneShot)
        assert IterativeMagnitude().method().at == 1.0
        stochastic = Stochastic().method()
        assert isinstance(stochastic, StraightThrough)
        assert (stochastic.optimizer, stochastic.hardening) == ("sgd", "sample")
        assert RandomPruning().method() is None

    def test_penalties(self):
        assert Continuous(penalty=1e-7).constraint().strength == 1e-7
        assert isinstance(Stochastic().constraint(), L0Penalty)
        assert IterativeMagnitude().constraint() is None

    def test_first_logits(self):
        assert Continuous(s_init=-0.5).first_logits(2).tolist() == [-0.5, -0.5]
        assert Sequential(s_init=0.25).first_logits(1).tolist() == [0.25]
        assert Stochastic().first_logits(2).tolist() == [1.0, 1.0]
        assert IterativeMagnitude().first_logits(2) is None

    def test_continuous_reset(self):
        """min(beta s, s_init), by hand."""
        search = Continuous(s_init=0.5, beta_final=100.0)
        last = end(-0.25, -0.001, 0.0, 0.004, 0.25)
        found = search.next_logits(last, search.ticket(last, Quota([5]), None))
        assert found.tolist() == pytest.approx([-25.0, -0.1, 0.0, 0.4, 0.5])
        halfway = search.next_logits(end(-1.0, 1.0, progress=0.5), torch.ones(2))
        assert halfway.tolist() == pytest.approx([-10.0, 0.5])

    def test_sequential_keeps_the_highest(self):
        search = Sequential(s_init=0.0, beta_final=10.0, reset="lower")
        last = end(-0.3, 0.2, -0.1, -0.2, -INF)
        ticket = search.ticket(last, Quota([5], [3]), None)
        assert ticket.tolist() == [False, True, True, True, False]
        lowered = search.next_logits(last, ticket)
        assert lowered.tolist() == pytest.approx([-INF, 0.0, -1.0, -2.0, -INF])
        search.reset = "all"
        assert search.next_logits(last, ticket).tolist() == [-INF, 0.0, 0.0, 0.0, -INF]

    def test_stochastic_removal(self):
        search = Stochastic(s_init=0.5)
        last = end(0.4999, 0.5, 2.0, -INF)
        found = search.next_logits(last, torch.zeros(4).bool())
        assert found.tolist() == [-INF, 0.5, 2.0, -INF]

    @pytest.mark.parametrize("search", [IterativeMagnitude(), RandomPruning()])
    def test_what_is_cut_is_removed_for_good(self, search):
        ticket = torch.tensor([True, False, True])
        found = search.next_logits(end(0.0, 0.0, 0.0), ticket)
        assert found.tolist() == [0.0, -INF, 0.0]

    def test_random_tickets_lie_in_what_is_left(self):
        alive = torch.arange(100) < 60
        before = RoundEnd(alive, None, 1.0)
        tickets = [
            RandomPruning().ticket(before, Quota([100], [30]), RandomStream(seed))
            for seed in range(40)
        ]
        for ticket in tickets:
            assert int(ticket.sum()) == 30
            assert not ticket[60:].any()
        often = torch.stack(tickets).float().mean(0)[:60]
        assert often.min() > 0.15
        assert often.max() < 0.85


class TestWarmStarts:
    """Methods start from given logits, and keep what is gone."""

    def space(self, logits, **settings):
        settings = {"constraint": L0Penalty(0.1), **settings}
        return SearchSpace(
            len(logits), RandomStream(0), logits=torch.tensor(logits), **settings
        )

    @pytest.mark.parametrize(
        "method",
        [
            Continuation(saturation=None),
            Continuation(saturation=8.0),
            Continuation(saturation=None, optimizer="sgd", learning_rate=1.0),
            Continuation(saturation=None, soft_step="algebraic"),
            StraightThrough(),
            StraightThrough(optimizer="sgd", hardening="sample", derivative=True),
        ],
        ids=repr,
    )
    def test_a_zero_for_good(self, method):
        search = method.start(self.space([0.25, -INF, -0.5, -INF]))
        assert search.logits.tolist() == [0.25, -INF, -0.5, -INF]
        for step in range(20):
            search.advance(step / 19)
            mask = search.mask()
            assert not mask[[1, 3]].any()
            search.update(None, torch.tensor([-1.0, -1.0, -1.0, 1.0]))
        assert (search.logits[[1, 3]] == -INF).all()
        assert search.logits[[0, 2]].isfinite().all()
        if getattr(method, "saturation", None) is None:
            assert (search.logits[[0, 2]] > torch.tensor([0.25, -0.5])).all()
        assert not search.harden()[[1, 3]].any()

    def test_plain_descent(self):
        """s moves by the learning rate times beta m (1 - m) times the slope."""
        method = Continuation(saturation=None, optimizer="sgd", learning_rate=2.0)
        search = method.start(self.space([0.0, 1.0], constraint=None))
        search.advance(0.0)
        mask = search.mask().clone()
        search.update(None, torch.tensor([0.5, -0.25]))
        moved = 2.0 * torch.tensor([-0.5, 0.25]) * mask * (1 - mask)
        assert torch.allclose(search.logits, torch.tensor([0.0, 1.0]) + moved)

    def test_settled_values_are_not_thrown_about(self):
        """Slopes that are smaller than their own rounding do not move s far."""
        method = Continuation(saturation=None)
        search = method.start(self.space([-60.0, -45.0], constraint=None))
        for _ in range(50):
            search.advance(0.0)
            search.mask()
            search.update(None, torch.tensor([-1e-2, -1e-2]))
        assert search.logits.tolist() == pytest.approx([-60.0, -45.0], abs=1e-3)

    def test_rankings_begin_without_what_is_gone(self):
        method = OneShot("random")
        space = self.space(
            [0.0, -INF, 0.0, -INF, 0.0], quota=Quota([5], [2]), constraint=None
        )
        search = method.start(space)
        assert search.mask().tolist() == [1, 0, 1, 0, 1]
        kept = search.harden()
        assert int(kept.sum()) == 2
        assert not kept[[1, 3]].any()

    def test_a_last_sample(self):
        method = StraightThrough(hardening="sample")
        logits = [0.0] * 400 + [-INF] * 10 + [INF] * 10
        search = method.start(self.space(logits))
        kept = search.harden()
        assert 150 < int(kept[:400].sum()) < 250
        assert not kept[400:410].any()
        assert kept[410:].all()
        assert torch.equal(kept, search.harden())
        lost = self.space([-INF, -60.0, -INF], quota=Quota([3], at_least_one=[3]))
        assert method.start(lost).harden().tolist() == [False, True, False]
        counted = method.start(self.space(logits, quota=Quota([420], [50])))
        assert int(counted.harden().sum()) == 50
        assert not (counted.harden() & ~kept).any()
