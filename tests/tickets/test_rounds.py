"""What happens in and between rounds, weight by weight, on a tiny network."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from sklearn_pb.masks import SingleWeights
from sklearn_pb.tickets import (
    SEARCHES,
    Continuous,
    IterativeMagnitude,
    Sequential,
    Stochastic,
    TicketTask,
    load_masked,
)
from sklearn_pb.tickets._retraining import retrain, train_control, train_dense
from sklearn_pb.tickets._rounds import search_rounds
from sklearn_pb.training import build_net, copied_state, initialize_net
from sklearn_pb.utils import RandomStream

pytestmark = pytest.mark.filterwarnings(
    "ignore:the mask keeps nothing"  # of few weights, in the last rounds
)

NAMES = ("hidden.weight", "output.weight")
D = 6 * 5 + 3 * 6
SEED = 2


class Tiny(nn.Module):
    """Six hidden units with running statistics and dropout."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(5, 6)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.3)
        self.output = nn.Linear(6, 3)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.norm(self.hidden(X)))))


class Watch(Callback):
    """Note the state of the network before each step of any training."""

    seen = None  # one list a training, of the class, as it is no setting of a run

    def on_train_begin(self, net, **kwargs):
        if Watch.seen is not None:
            Watch.seen.append([])

    def on_batch_begin(self, net, training=False, **kwargs):
        if training and Watch.seen is not None:
            module = net.module_
            Watch.seen[-1].append(copied_state(getattr(module, "module", module)))


@pytest.fixture
def watched():
    Watch.seen = []
    yield Watch.seen
    Watch.seen = None


def net(**changes):
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "optimizer__weight_decay": 0.1,
        "lr": 0.1,
        "max_epochs": 2,
        "batch_size": 20,
        "train_split": None,
        "iterator_train__shuffle": True,
        "callbacks": [("watch", Watch())],
    }
    return NeuralNetClassifier(Tiny, **{**settings, **changes})


def biases(trained):
    """A score that depends on all of the training."""
    return float(trained.module_.output.bias.detach().sum())


def make_task(estimator=None, **changes):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 5)).astype(np.float32)
    estimator = net() if estimator is None else estimator
    module = Tiny()
    settings = {
        "estimator": estimator,
        "device": "cpu",
        "n_threads": 1,
        "X": X,
        "y": (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0),
        "sample_weight": None,
        "n_outputs": 3,
        "layout": SingleWeights().layout(module, NAMES),
        "structured": False,
        "scope": "global",
        "n_rounds": 4,
        "prune_rate": 0.2,
        "rewind_epoch": 0,
        "rewind_step": 0,
        "score": biases,
        "stream": RandomStream(0),
        "files": None,
        "verbose": 0,
    }
    return TicketTask(**{**settings, **changes})


def rounds(search, task=None):
    return search_rounds(task or make_task(), search, search.name, SEED, 0)


def flat(state):
    return torch.cat([state[name].flatten() for name in NAMES])


def spy(monkeypatch):
    """The logits that each training starts from, and how it ends."""
    calls, train = [], TicketTask.train

    def spying(self, *args, **kwargs):
        fit = train(self, *args, **kwargs)
        calls.append((kwargs["logits"], fit))
        return fit

    monkeypatch.setattr(TicketTask, "train", spying)
    return calls


class TestMasks:
    """Which weights are left after each round."""

    @pytest.mark.parametrize("name", ["imp", "imp-continued", "sequential", "random"])
    def test_are_nested_with_exact_counts(self, name):
        variables = rounds(SEARCHES[name]())["variables"]
        assert [int(v.sum()) for v in variables] == [
            round(D * 0.8**r) for r in range(1, 5)
        ]
        for before, after in itertools.pairwise(variables):
            assert not (after & ~before).any()

    @pytest.mark.parametrize("rate", [0.07, 1 / 3, 0.5, 0.83])
    @pytest.mark.parametrize("name", ["imp", "sequential", "random"])
    def test_counts_of_awkward_rates(self, name, rate):
        task = make_task(net(max_epochs=1), prune_rate=rate, n_rounds=2)
        counts = [int(v.sum()) for v in rounds(SEARCHES[name](), task)["variables"]]
        assert counts == [round(D * (1 - rate)), round(D * (1 - rate) ** 2)]

    def test_counts_by_layer(self):
        task = make_task(scope="layer", prune_rate=0.15, n_rounds=3)
        for r, v in enumerate(rounds(SEARCHES["imp"](), task)["variables"], start=1):
            layers = [int(part.sum()) for part in v.split([30, 18])]
            assert layers == [round(30 * 0.85**r), round(18 * 0.85**r)]

    def test_random_tickets_of_seeds_differ(self):
        search = SEARCHES["random"]()
        one, other = (
            search_rounds(make_task(), search, "random", seed, 0)["variables"]
            for seed in (0, 1)
        )
        assert all(not torch.equal(a, b) for a, b in zip(one, other, strict=True))

    def test_ties_change_no_count(self, monkeypatch):
        """All weights as large as each other: none too many goes."""
        task = make_task(net(lr=0.0), n_rounds=3)
        same = {n: torch.ones_like(w) for n, w in task.initial_weights(SEED).items()}
        monkeypatch.setattr(TicketTask, "initial_weights", lambda self, seed: same)
        variables = rounds(SEARCHES["imp"](), task)["variables"]
        assert [int(v.sum()) for v in variables] == [
            round(D * 0.8**r) for r in (1, 2, 3)
        ]

    def test_the_smallest_weights_go(self, monkeypatch):
        calls = spy(monkeypatch)
        variables = rounds(SEARCHES["imp-continued"]())["variables"]
        alive = torch.ones(D, dtype=torch.bool)
        for ticket, (_, fit) in zip(variables, calls, strict=True):
            sizes = flat(fit.end.weights).abs()
            assert sizes[alive & ~ticket].max() < sizes[ticket].min()
            alive = ticket

    def test_the_lowest_s_go_in_sequential_search(self, monkeypatch):
        calls = spy(monkeypatch)
        variables = rounds(Sequential())["variables"]
        for ticket, (_, fit) in zip(variables, calls, strict=True):
            assert fit.end.logits[~ticket].max() <= fit.end.logits[ticket].min()

    def test_a_ticket_of_continuous_search_has_no_negative_s(self, monkeypatch):
        calls = spy(monkeypatch)
        variables = rounds(Continuous(learning_rate=0.1, penalty=0))["variables"]
        for ticket, (_, fit) in zip(variables, calls, strict=True):
            assert torch.equal(ticket, fit.end.logits >= 0)
        assert 0 < int(variables[-1].sum()) < D

    def test_stochastic_search_never_revives(self, monkeypatch):
        calls = spy(monkeypatch)
        variables = rounds(Stochastic(s_init=0.5))["variables"]
        alive = torch.ones(D, dtype=torch.bool)
        n_alive = []
        for ticket, (logits, fit) in zip(variables, calls, strict=True):
            assert torch.equal(logits > -torch.inf, alive)
            assert not (ticket & ~alive).any()
            assert torch.equal(fit.end.logits > -torch.inf, alive)
            alive &= fit.end.logits >= 0.5
            n_alive.append(int(alive.sum()))
        assert n_alive[0] < D
        assert n_alive == sorted(n_alive, reverse=True)
        assert n_alive[-1] > 0

    def test_a_layer_of_channels_never_loses_its_last_one(self, monkeypatch):
        """However much s falls: what is left of a layer was never removed."""
        calls = spy(monkeypatch)
        task = make_task(net(max_epochs=1), structured=True, n_rounds=3)
        variables = rounds(Stochastic(s_init=0.5, penalty=10.0), task)["variables"]
        for ticket, (logits, _) in zip(variables, calls, strict=True):
            assert not (ticket & (logits == -torch.inf)).any()
            assert all(part.any() for part in ticket.split([30, 18]))
        assert calls[-1][0].sort().values[-3:].tolist() == [-torch.inf, 0.5, 0.5]

    def test_a_stochastic_ticket_is_a_sample(self):
        """With s = 0 and no learning, half of the weights are kept, at random."""
        search = Stochastic(s_init=0.0, learning_rate=1e-12)
        first, second, *_ = rounds(search)["variables"]
        assert 10 < int(first.sum()) < 38
        assert not torch.equal(first, second)


class TestWeights:
    """Where each round starts from."""

    @pytest.mark.parametrize(
        "search",
        [
            IterativeMagnitude(),
            Continuous(rewinds=True),
            Sequential(rewinds=True),
            Stochastic(s_init=0.3, penalty=0.01, rewinds=True),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("rewind", [(0, 0), (1, 0), (0, 2)], ids=str)
    def test_rewinding_searches_start_at_mask_times_stored(
        self, monkeypatch, watched, search, rewind
    ):
        calls = spy(monkeypatch)
        task = make_task(rewind_epoch=rewind[0], rewind_step=rewind[1])
        found = rounds(search, task)
        stored = found["stored"] or task.initial_weights(SEED)
        steps = 3 * rewind[0] + rewind[1]
        for name, value in watched[0][steps].items():
            assert torch.equal(stored[name], value), name
        for (logits, _), seen in zip(calls[1:], watched[1:], strict=True):
            masks = task.layout.masks(logits > -torch.inf)
            assert len(seen) == 6
            for name, value in seen[0].items():
                mask = masks.get(name, torch.ones(()))
                assert torch.equal(value, mask * stored[name]), name

    @pytest.mark.parametrize(
        "name", ["continuous", "imp-continued", "sequential", "stochastic"]
    )
    def test_other_searches_go_on(self, monkeypatch, watched, name):
        calls = spy(monkeypatch)
        task = make_task()
        rounds(SEARCHES[name](), task)
        ends = [(None, None)] + [(fit.end.weights, fit) for _, fit in calls[:-1]]
        for (logits, _), seen, (end, _) in zip(calls, watched, ends, strict=True):
            start = task.initial_weights(SEED) if end is None else end
            masks = {}
            if logits is not None:
                masks = task.layout.masks(logits > -torch.inf)
            for part, value in seen[0].items():
                assert torch.equal(value, masks.get(part, torch.ones(())) * start[part])

    @pytest.mark.parametrize("rewind", [(1, 0), (0, 3), (0, 5)], ids=str)
    def test_stored_weights_are_those_of_a_plain_training(self, rewind):
        """An independent skorch run, stopped at that step."""
        estimator = net(optimizer__weight_decay=0.01)
        # The dropout of masked training has draws of its own.
        estimator.set_params(module=NoDropout)
        task = make_task(estimator, rewind_epoch=rewind[0], rewind_step=rewind[1])
        stored = rounds(IterativeMagnitude(), task)["stored"]
        plain = build_net(estimator, n_inputs=5, n_outputs=3, device="auto")
        initialize_net(plain, task.X, RandomStream(0, (SEED, 1, 0)))
        plain.module_.load_state_dict(task.initial_weights(SEED))
        n_steps, states = 3 * rewind[0] + rewind[1], []
        batches = [
            batch
            for _ in range(2)
            for batch in plain.get_iterator(
                plain.get_dataset(task.X, task.y), training=True
            )
        ]
        for batch in batches[:n_steps]:
            plain.train_step(batch)
            states.append(copied_state(plain.module_))
        for name, value in states[-1].items():
            assert torch.equal(stored[name], value), name
        before = flat(states[-2])
        assert not torch.equal(flat(stored), before)

    def test_the_dense_network_stores_its_own(self):
        dense = train_dense(make_task(rewind_step=2), SEED)
        first = train_dense(make_task(), SEED)
        initial = make_task().initial_weights(SEED)
        assert torch.equal(flat(first["stored"]), flat(initial))
        assert not torch.equal(flat(dense["stored"]), flat(initial))
        assert dense["score"] == first["score"]

    @pytest.mark.parametrize("name", ["imp", "imp-continued"])
    def test_momentum_and_decay_do_not_move_what_is_masked(self, watched, name):
        task = make_task(net(optimizer__weight_decay=0.3, lr=0.3))
        variables = rounds(SEARCHES[name](), task)["variables"]
        for ticket, seen in zip(variables, watched[1:], strict=False):
            for state in seen:
                assert not flat(state)[~ticket].any()
                assert flat(state)[ticket].all()

    def test_a_run_that_ends_before_the_stored_step_is_an_error(self):
        task = make_task(net(max_epochs=1), rewind_step=5)
        with pytest.raises(ValueError, match="rewind_step=5 were not reached"):
            rounds(IterativeMagnitude(), task)

    def test_batches_differ_between_rounds_and_weights_between_seeds(self, watched):
        task = make_task(net(callbacks=[("watch", Watch()), ("order", Order())]))
        Order.seen = []
        rounds(IterativeMagnitude(), task)
        orders = ["".join(order) for order in Order.seen]
        assert len(set(orders)) == 4
        one, other = (flat(task.initial_weights(seed)) for seed in (0, 1))
        assert not torch.equal(one, other)


class NoDropout(Tiny):
    """The same without its random layer."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Identity()


class Order(Callback):
    """Note the batches of each training."""

    seen = None

    def on_train_begin(self, net, **kwargs):
        Order.seen.append([])

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            Order.seen[-1].append(f"{float(batch[0].sum()):.5f} ")


class TestReset:
    """Where the soft masks of a round start from."""

    @pytest.mark.parametrize("s_init", [0.0, -0.02, 0.02])
    def test_continuous_search_follows_algorithm_2(self, monkeypatch, s_init):
        calls = spy(monkeypatch)
        rounds(Continuous(s_init=s_init, penalty=0, beta_final=150.0))
        assert torch.equal(calls[0][0], torch.full((D,), s_init))
        for (_, before), (logits, _) in itertools.pairwise(calls):
            assert before.end.progress == 1.0
            lowered = torch.minimum(before.end.logits * 150.0, torch.tensor(s_init))
            assert torch.equal(logits, lowered)
            assert (logits < s_init).any()
            assert (logits == s_init).any()

    def test_the_first_mask_of_a_round_is_that_of_sharpness_1(self, monkeypatch):
        """In round 2 the network runs under sigma(min(beta s, s_init))."""
        calls, masks = spy(monkeypatch), []
        estimator = net(callbacks=[("masks", Masks())])
        Masks.seen = masks
        rounds(Continuous(s_init=0.05, learning_rate=0.02), make_task(estimator))
        for (logits, _), seen in zip(calls, masks, strict=True):
            assert torch.equal(seen[0], torch.sigmoid(logits))

    def test_a_round_that_is_stopped_early_has_another_sharpness(self, monkeypatch):
        calls = spy(monkeypatch)
        stop = EarlyStopping("train_loss", patience=2, threshold=1e3)
        stopping = net(max_epochs=8, callbacks=[("stop", stop)])
        task = make_task(stopping, n_rounds=2)
        rounds(Continuous(learning_rate=0.05), task)
        end, start = calls[0][1].end, calls[1][0]
        assert 0 < end.progress < 0.5
        beta = 200.0**end.progress
        assert torch.equal(start, (end.logits * beta).clamp(max=0.0))

    @pytest.mark.parametrize("reset", ["all", "lower"])
    def test_sequential_search(self, monkeypatch, reset):
        calls = spy(monkeypatch)
        variables = rounds(Sequential(s_init=0.02, reset=reset))["variables"]
        parts = zip(variables, calls, calls[1:], strict=False)
        for ticket, (_, before), (logits, _) in parts:
            assert (logits[~ticket] == -torch.inf).all()
            expected = torch.full((D,), 0.02)
            if reset == "lower":
                expected = torch.minimum(before.end.logits * 200.0, expected)
            assert torch.equal(logits[ticket], expected[ticket])

    def test_stochastic_search_leaves_the_others_where_they_are(self, monkeypatch):
        calls = spy(monkeypatch)
        rounds(Stochastic(s_init=0.3, penalty=0.01))
        for (_, before), (logits, _) in itertools.pairwise(calls):
            stays = before.end.logits >= 0.3
            assert torch.equal(logits[stays], before.end.logits[stays])
            assert (logits[~stays] == -torch.inf).all()


class Masks(Callback):
    """Note the mask of each step of each training."""

    seen = None

    def on_train_begin(self, net, **kwargs):
        Masks.seen.append([])

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            Masks.seen[-1].append(net.module_.mask.clone())


class TestRetraining:
    """Tickets, the dense network and controls are trained in one way."""

    def test_a_full_ticket_is_the_dense_network(self):
        task = make_task()
        weights = task.initial_weights(SEED)
        whole = retrain(task, torch.ones(D).bool(), weights, "whole", SEED)
        assert whole["score"] == train_dense(task, SEED)["score"]

    def test_data_that_other_processes_are_lent_read_only(self):
        """joblib does so with large arrays, and torch warns of them."""
        task = make_task(net(criterion=nn.MSELoss))
        values = np.eye(3, dtype=np.float32)[task.y]
        for array in (task.X, values):
            array.setflags(write=False)
        assert train_dense(replace(task, y=values), SEED)["epochs"] == 2

    def test_a_ticket_keeps_its_zeros_and_starts_from_its_weights(self, watched):
        task = make_task()
        ticket = torch.rand(D, generator=torch.Generator().manual_seed(0)) > 0.5
        weights = {n: w + 1 for n, w in task.initial_weights(SEED).items()}
        trained = retrain(task, ticket, weights, "ticket", SEED)
        assert torch.equal(flat(watched[0][0]), flat(weights) * ticket)
        assert torch.equal(flat(trained["weights"]) != 0, ticket)
        assert [row["epoch"] for row in trained["history"]] == [1, 2]

    def test_controls(self, watched):
        task = make_task()
        ticket = torch.rand(D, generator=torch.Generator().manual_seed(0)) > 0.6
        weights = task.initial_weights(SEED)
        address = (SEED, 0, 1)
        scores = {
            control: train_control(task, control, ticket, weights, control, *address)[
                "score"
            ]
            for control in ("fresh", "reshuffled")
        }
        fresh, reshuffled = (flat(seen[0]) for seen in watched)
        assert torch.equal(fresh != 0, ticket)
        assert not (fresh == flat(weights))[ticket].any()
        other = reshuffled != 0
        assert torch.equal(reshuffled[other], flat(weights)[other])
        assert not torch.equal(other, ticket)
        for one, own in zip(other.split([30, 18]), ticket.split([30, 18]), strict=True):
            assert one.sum() == own.sum()
        assert scores["fresh"] != scores["reshuffled"]

    def test_the_masks_of_load_masked(self):
        module = Tiny()
        weights = {n: torch.ones_like(w) for n, w in module.state_dict().items()}
        mask = torch.eye(6, 5).bool()
        load_masked(module, weights, {"hidden.weight": mask})
        assert torch.equal(module.hidden.weight.data, mask.float())
        assert bool((module.output.weight == 1).all())
