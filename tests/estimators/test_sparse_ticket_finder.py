"""SparseTicketFinder as a user meets it."""

import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner, SparseTicketFinder
from sklearn_pb.estimators._held_rows import HeldRows, held_out
from sklearn_pb.estimators._sparse_ticket_finder import _SPLIT
from sklearn_pb.exceptions import NonFiniteLossError, NothingToPruneError
from sklearn_pb.tickets import SEARCHES, Continuous, Ticket
from sklearn_pb.utils import RandomStream

pytestmark = pytest.mark.filterwarnings(  # runs here are very short
    "ignore:no ticket scores as well:UserWarning",
    "ignore:the mask keeps nothing",
)


class Tiny(nn.Module):
    """A network for four columns, with dropout and running statistics."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(8, n_outputs)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.norm(self.hidden(X)))))


class Line(nn.Module):
    """A network for any number of columns."""

    def __init__(self, n_outputs=1):
        super().__init__()
        self.hidden = nn.LazyLinear(20)
        self.output = nn.Linear(20, n_outputs)

    def forward(self, X):
        return self.output(torch.relu(self.hidden(X)))


class Lines(Line):
    """The same with an output for each of up to eight classes."""

    def __init__(self):
        super().__init__(n_outputs=8)


def quick_net(module=Tiny, kind=NeuralNetClassifier, **changes):
    settings = {
        "optimizer": torch.optim.Adam,
        "lr": 0.02,
        "max_epochs": 3,
        "batch_size": 32,
        "train_split": None,
        "iterator_train__shuffle": True,
        "verbose": 0,
    }
    if kind is NeuralNetClassifier:
        settings["criterion"] = nn.CrossEntropyLoss
    return kind(module, **{**settings, **changes})


def finder(search="imp", net=None, **changes):
    net = quick_net() if net is None else net
    settings = {"n_rounds": 2, "random_state": 0}
    return SparseTicketFinder(net, search=search, **{**settings, **changes})


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32), y


def told(fitted):
    """All that was found, but for the weights."""
    kept = ("search", "run", "seed", "round", "sparsity", "score", "search_epochs")
    kept += ("retrain_epochs", "controls", "layer_sparsity")
    return [{name: getattr(t, name) for name in kept} for t in fitted.tickets_]


def same(first, second):
    """Whether two finders have found the same, bit for bit."""
    assert told(first) == told(second)
    assert first.dense_scores_ == second.dense_scores_
    assert first.n_epochs_ == second.n_epochs_
    for one, other in zip(first.tickets_, second.tickets_, strict=True):
        for name, mask in one.masks.items():
            assert torch.equal(mask, other.masks[name])
        for name, weight in one.weights.items():
            assert torch.equal(weight, other.weights[name])
    for name, value in first.estimator_.module_.state_dict().items():
        assert torch.equal(value, second.estimator_.module_.state_dict()[name])


def expected_failures(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "mini-batches are drawn by rows, so a doubled weight and a repeated row "
            "give different batches"
        )
    }


def any_columns(module, kind):
    """Nets for whatever scikit-learn's checks come with, trained in a moment.

    They have one parameter with two underscores, as skorch keeps these in a set: the
    names of tests show it, and must not depend on its order.
    """
    return quick_net(module, kind, max_epochs=8, lr=0.04)


CLASSIFIER = any_columns(Lines, NeuralNetClassifier)
REGRESSOR = any_columns(Line, NeuralNetRegressor)


@parametrize_with_checks(
    [SparseTicketFinder(CLASSIFIER, search="random", n_rounds=1, random_state=0)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        SparseTicketFinder(net, n_rounds=2, search=search, random_state=0)
        for search in SEARCHES
        for net in (CLASSIFIER, REGRESSOR)
    ]
    + [SparseTicketFinder(search="random", n_rounds=1, random_state=0)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks_for_every_search(estimator, check):
    if check.func.__name__ == "check_methods_subset_invariance":
        pytest.skip("sums of float32 in another order differ by more than its 1e-7")
    check(estimator)


@pytest.fixture(scope="module")
def fitted(iris):
    search = Continuous(s_init=[0.0, 0.1], penalty=0)
    controls = ("fresh", "reshuffled")
    return finder(search, n_seeds=2, controls=controls).fit(*iris)


class TestWhatIsFound:
    def test_tickets(self, fitted):
        runs = [(t.run, t.seed, t.round) for t in fitted.tickets_]
        assert runs == [(k, s, r) for k in (0, 1) for s in (0, 1) for r in (1, 2)]
        assert {t.search for t in fitted.tickets_} == {
            "continuous s_init=0",
            "continuous s_init=0.1",
        }
        for ticket in fitted.tickets_:
            assert isinstance(ticket, Ticket)
            zeros = sum(int((~mask).sum()) for mask in ticket.masks.values())
            assert ticket.sparsity == pytest.approx(zeros / 56)
            assert set(ticket.controls) == {"fresh", "reshuffled"}
            assert set(ticket.layer_sparsity) == {"hidden.weight", "output.weight"}
            assert (ticket.search_epochs, ticket.retrain_epochs) == (
                3 * ticket.round,
                3,
            )

    def test_epochs(self, fitted):
        assert fitted.n_epochs_ == {
            "dense": 6,
            "search": 24,
            "retraining": 24,
            "controls": 48,
        }

    def test_weights_are_shared(self, fitted):
        weights = {id(t.weights) for t in fitted.tickets_}
        assert len(weights) == 2  # one a seed

    def test_scores(self, fitted):
        assert fitted.dense_score_ == np.mean(fitted.dense_scores_)
        assert fitted.best_.score == max(t.score for t in fitted.tickets_)
        matching = [
            t for t in fitted.tickets_ if t.score >= fitted.dense_scores_[t.seed]
        ]
        if matching:
            sparsest = max(t.sparsity for t in matching)
            assert fitted.sparsest_matching_.sparsity == sparsest
            assert fitted.ticket_ is fitted.sparsest_matching_
        else:
            assert fitted.sparsest_matching_ is None
            assert fitted.ticket_ is fitted.best_

    def test_the_network_is_the_ticket(self, fitted):
        module = fitted.estimator_.module_
        assert type(module) is Tiny
        for name, mask in fitted.masks_.items():
            assert torch.equal(module.get_parameter(name) != 0, mask)
        assert fitted.masks_ is fitted.ticket_.masks
        assert fitted.sparsity_ == fitted.ticket_.sparsity
        assert len(fitted.estimator_.history) == 3

    def test_the_report(self, fitted):
        text = str(fitted.report_)
        assert text.startswith(fitted.report_.sentence)
        assert "continuous s_init=0.1" in text

    def test_predictions(self, iris, fitted):
        X, y = iris
        assert fitted.predict(X).shape == (150,)
        assert fitted.predict_proba(X).shape == (150, 3)
        assert fitted.transform(X).shape == (150, 8)
        assert fitted.score(X, y) == accuracy_score(y, fitted.predict(X))

    def test_a_pickle_is_the_same(self, iris, fitted):
        again = pickle.loads(pickle.dumps(fitted))
        assert np.array_equal(again.predict(iris[0]), fitted.predict(iris[0]))
        same(again, fitted)

    def test_the_same_again(self, iris):
        before = torch.get_rng_state()
        first = finder("stochastic", controls=["fresh", "reshuffled"]).fit(*iris)
        same(clone(first).fit(*iris), first)
        assert torch.equal(torch.get_rng_state(), before)


class TestSelection:
    @pytest.mark.parametrize("select", ["sparsest-matching", "best", "last"])
    def test_the_chosen_ticket(self, iris, select):
        fitted = finder("imp", n_rounds=4, select=select).fit(*iris)
        dense, tickets = fitted.dense_score_, fitted.tickets_
        if select == "last":
            assert fitted.ticket_ is tickets[-1]
        elif select == "best":
            assert fitted.ticket_.score == max(t.score for t in tickets)
        elif any(t.score >= dense for t in tickets):
            matching = [t.sparsity for t in tickets if t.score >= dense]
            assert fitted.ticket_.sparsity == max(matching)

    def test_the_scores_are_those_of_the_network(self, iris):
        X, y = iris
        fitted = finder(select="last").fit(X, y, X_val=X[20:], y_val=y[20:])
        assert fitted.score(X[20:], y[20:]) == fitted.ticket_.score

    def test_no_matching_ticket(self, iris):
        """Half a weight a layer is not enough for three classes."""
        hopeless = finder("random", n_rounds=1, prune_rate=0.97).fit
        message = "no ticket scores as well as the dense"
        with pytest.warns(UserWarning, match=message) as record:
            fitted = hopeless(*iris)
        assert record[0].filename == __file__
        assert fitted.sparsest_matching_ is None
        assert fitted.ticket_ is fitted.best_
        assert fitted.report_.sentence.startswith("No ticket matches")


class TestValidation:
    """Tickets are judged on rows that training has not seen."""

    def test_labels_of_held_rows_change_scores_and_nothing_else(self, iris):
        X, y = iris
        X_val, y_val = X[::3], y[::3]
        kept = np.arange(150) % 3 > 0
        flipped = (y_val + 1) % 3
        one, other = (
            finder("continuous", select="last").fit(
                X[kept], y[kept], X_val=X_val, y_val=labels
            )
            for labels in (y_val, flipped)
        )
        for first, second in zip(one.tickets_, other.tickets_, strict=True):
            assert first.score != second.score
            for name, mask in first.masks.items():
                assert torch.equal(mask, second.masks[name])
        assert one.dense_score_ != other.dense_score_
        for name, value in one.estimator_.module_.state_dict().items():
            assert torch.equal(value, other.estimator_.module_.state_dict()[name])

    @pytest.mark.parametrize("validation", [0.2, 30])
    def test_rows_that_are_put_aside_are_not_trained_on(self, iris, validation):
        """The network sees 120 of 150 rows, 40 of each class."""
        Seen.labels = []
        net = quick_net(iterator_train__shuffle=False, iterator_train=Seen)
        finder("imp", net, n_rounds=1, validation=validation).fit(*iris)
        labels = np.concatenate(Seen.labels[:1])
        assert np.bincount(labels).tolist() == [40, 40, 40]
        assert {len(labels) for labels in Seen.labels} == {120}

    def test_inputs_of_held_rows(self, iris):
        """Nonsense in the rows put aside makes no difference to the weights."""
        X, y = iris
        one = finder(select="last").fit(X, y)
        held = self.held_rows(X, y)
        assert len(held) == 30
        spoilt = X.copy()
        spoilt[held] = 100.0
        other = finder(select="last").fit(spoilt, y)
        for name, value in one.estimator_.module_.state_dict().items():
            assert torch.equal(value, other.estimator_.module_.state_dict()[name])

    @staticmethod
    def held_rows(X, y):
        return held_out(y, 0.2, True, RandomStream(0).child(_SPLIT))[1]

    def test_other_scores(self, iris):
        fitted = finder(scoring="neg_log_loss").fit(*iris)
        assert fitted.dense_score_ < 0
        assert fitted.best_.score < 0

    def test_sample_weights_reach_the_loss(self, iris):
        X, y = iris
        X, y = X[y < 2], y[y < 2]
        weight = (y == 0).astype(float)
        net = quick_net(max_epochs=20, lr=0.1)
        fitted = finder("random", net, n_rounds=1).fit(X, y, sample_weight=weight)
        assert (fitted.predict(X) == 0).all()

    @pytest.mark.parametrize("validation", [np.float32(0.2), np.int64(30)], ids=repr)
    def test_numbers_of_numpy(self, iris, validation):
        quick = finder("random", quick_net(max_epochs=1), n_rounds=1)
        quick.set_params(validation=validation).fit(*iris)
        plain = clone(quick).set_params(validation=validation.item()).fit(*iris)
        same(quick, plain)

    def test_weights_of_rows_that_are_put_aside(self, iris):
        """Nothing is left to train on, which is an error and not a random network."""
        X, y = iris
        held = self.held_rows(X, y)
        weight = np.isin(np.arange(150), held[:1]).astype(float)
        with pytest.raises(ValueError, match="sample_weight is zero for every row"):
            finder().fit(X, y, sample_weight=weight)
        finder("random", quick_net(max_epochs=1)).fit(
            X, y, sample_weight=weight, X_val=X, y_val=y
        )

    def test_the_score_of_a_single_row(self, iris):
        X, y = iris[0], iris[0][:, 0]
        net = quick_net(Line, NeuralNetRegressor, max_epochs=1)
        single = finder("random", net, validation=1)
        with pytest.raises(ValueError, match="scoring=None is R"):
            single.fit(X, y)
        single.set_params(scoring="neg_mean_squared_error").fit(X, y)
        assert np.isfinite(single.dense_score_)

    @pytest.mark.parametrize(
        "y_val, message",
        [
            (["a"] * 20, "dtype='numeric' is not compatible"),
            (np.ones((20, 2)), r"y_val has shape \(20, 2\), which does not go with y"),
            ([np.nan] * 20, "y_val contains NaN"),
        ],
        ids=["text", "shape", "nan"],
    )
    def test_values_for_a_regressor(self, iris, y_val, message):
        X = iris[0]
        quick = finder(net=quick_net(Line, NeuralNetRegressor))
        with pytest.raises(ValueError, match=message):
            quick.fit(X, X[:, 0], X_val=X[:20], y_val=y_val)

    def test_jobs_carry_nothing_that_was_found_before(self, iris):
        """What judges goes to every process, also when a finder is fitted again."""
        estimator = finder("random", quick_net(max_epochs=1)).fit(*iris)
        held = HeldRows.of(estimator, *iris)
        for judge in (held.judge, held.scorer._estimator):
            assert not hasattr(judge, "tickets_")
            assert not hasattr(judge, "estimator_")

    def test_small_classes_keep_a_row(self):
        y = np.array([0] * 10 + [1] + [2] * 2)
        train, held = held_out(y, 0.5, True, RandomStream(0))
        assert sorted([*train, *held]) == list(range(13))
        assert len(held) == 6
        assert set(y[train]) == {0, 1, 2}


class Seen(torch.utils.data.DataLoader):
    """Note the labels of each pass."""

    labels = None

    def __iter__(self):
        Seen.labels.append([])
        for batch in super().__iter__():
            Seen.labels[-1].extend(batch[1].tolist())
            yield batch


def net_for_workers(**changes):
    """Of torch's own parts: another process need not find this file."""
    layers = [nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2)]
    return quick_net(nn.Sequential(*layers, nn.Linear(8, 3)), **changes)


class TestParallel:
    @pytest.mark.parametrize("backend", ["loky", "threading"])
    def test_results_do_not_depend_on_n_jobs(self, iris, backend):
        search, net = Continuous(s_init=[0.0, 0.05]), net_for_workers(max_epochs=2)
        alone = finder(search, net, controls=["fresh"]).fit(*iris)
        with joblib.parallel_backend(backend):
            together = finder(search, net, controls=["fresh"], n_jobs=2).fit(*iris)
        same(alone, together)

    @pytest.mark.slow
    def test_dask(self, iris):
        distributed = pytest.importorskip("distributed")
        net = net_for_workers()
        alone = finder("continuous", net, n_seeds=2).fit(*iris)
        client = distributed.Client(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        )
        try:
            with joblib.parallel_backend("dask"):
                together = finder("continuous", net, n_seeds=2, n_jobs=2).fit(*iris)
        finally:
            client.close()
        same(alone, together)

    @pytest.mark.parametrize(
        "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
    )
    def test_grid_search(self, iris, backend):
        net = net_for_workers(max_epochs=1)
        quick = finder(net=net, select="last", n_rounds=1)
        grid = [
            {"search": ["imp", "continuous"]},
            {"search": [Continuous()], "search__s_init": [-0.05, 0.2]},
        ]

        def scores(n_jobs):
            search = GridSearchCV(
                quick, grid, cv=2, scoring="neg_log_loss", n_jobs=n_jobs
            )
            return search.fit(*iris).cv_results_["mean_test_score"]

        with joblib.parallel_backend(backend):
            one, two = scores(1), scores(2)
        assert np.array_equal(one, two)
        assert len(set(one)) == 4


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    settings = {"n_rounds": 2, "select": "last", "random_state": 0}
    found = SparseTicketFinder(search="random", prune_rate=0.5, **settings)
    old, new = y < 5, (y >= 5) & (y < 8)
    found.fit(X[old][:200] / 16, y[old][:200])
    return found, (X[new][:150] / 16, y[new][:150])


class TestTransfer:
    @pytest.mark.parametrize("weights", ["stored", "fresh"])
    def test_another_number_of_classes(self, digits, weights):
        fitted, task = digits
        pruner = fitted.transfer(*task, weights=weights)
        assert type(pruner) is MaskPruner
        mask = fitted.ticket_.masks["hidden.weight"]
        assert torch.equal(pruner.masks_["hidden.weight"], mask)
        assert pruner.masks_["output.weight"].shape == (3, 100)
        assert bool(pruner.masks_["output.weight"].all())
        assert set(pruner.classes_) == {5, 6, 7}
        assert pruner.score(*task) > 0.9
        assert np.array_equal(
            pruner.predict_proba(task[0]),
            fitted.transfer(*task, weights=weights).predict_proba(task[0]),
        )

    def test_stored_weights_are_what_it_starts_from(self, iris):
        """Without training, the pruner has mask times stored weights."""
        fitted = finder(n_rounds=3).fit(*iris)
        still = quick_net(lr=0.0)
        first = fitted.tickets_[0]
        pruner = fitted.transfer(*iris, first, estimator=still)
        for name, mask in first.masks.items():
            weight = pruner.estimator_.module_.get_parameter(name)
            assert torch.equal(weight.detach(), first.weights[name] * mask)
        fresh = fitted.transfer(*iris, first, "fresh", estimator=still)
        name = "hidden.weight"
        weight = fresh.estimator_.module_.get_parameter(name).detach()
        assert torch.equal(weight != 0, first.masks[name])
        assert not torch.equal(weight, first.weights[name] * first.masks[name])

    def test_wrong_arguments(self, iris):
        fitted = finder(n_rounds=1).fit(*iris)
        with pytest.raises(ValueError, match="weights='new' is unknown; it must be on"):
            fitted.transfer(*iris, weights="new")
        with pytest.raises(TypeError, match="ticket=3 must be one of tickets_"):
            fitted.transfer(*iris, 3)


class TestNetworks:
    def test_an_instance_keeps_its_weights_and_is_not_changed(self, iris):
        torch.manual_seed(0)
        module = Tiny()
        before = {n: v.clone() for n, v in module.state_dict().items()}
        net = quick_net(module)
        fitted = finder(net=net, n_seeds=2, scoring="neg_log_loss").fit(*iris)
        for ticket in fitted.tickets_:
            for name, value in before.items():
                assert torch.equal(ticket.weights[name], value)
        for name, value in module.state_dict().items():
            assert torch.equal(value, before[name])
        assert fitted.dense_scores_[0] != fitted.dense_scores_[1]

    def test_channels(self, iris):
        pytest.importorskip("torch_pruning")
        fitted = finder("imp", n_rounds=3, prune_rate=0.4, granularity="channel")
        fitted.fit(*iris)
        channels = [int(t.masks["hidden.weight"].any(1).sum()) for t in fitted.tickets_]
        assert channels == [round(8 * 0.6**r) for r in (1, 2, 3)]

    def test_a_regressor(self):
        X = np.random.default_rng(0).normal(size=(80, 3))
        y = X @ [1.0, -2.0, 0.5]
        net = quick_net(Line, NeuralNetRegressor, max_epochs=40, lr=0.05)
        fitted = finder("continuous", net, n_rounds=1, scoring="r2").fit(X, y)
        assert fitted.score(X, y) > 0.8
        assert not hasattr(fitted, "predict_proba")

    def test_data_frames_and_names_as_labels(self, iris):
        X = pd.DataFrame(iris[0], columns=list("abcd"))
        y = np.array(["setosa", "versicolor", "virginica"])[iris[1]]
        fitted = finder().fit(X, y)
        assert list(fitted.feature_names_in_) == list("abcd")
        assert set(fitted.predict(X)) <= set(y)
        again = finder().fit(X[:100], y[:100], X_val=X[100:], y_val=y[:50])
        assert again.dense_score_ <= 1

    def test_what_is_printed(self, iris, capsys):
        finder(verbose=1).fit(*iris)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 5
        assert all(line.startswith("[SparseTicketFinder] ") for line in lines)
        assert "seed 0, imp: round 2 of 2, 64.29" in lines[2]


def test_a_control_that_is_named_twice_is_trained_once(iris):
    fitted = finder("random", n_rounds=1, controls=["fresh", "fresh"]).fit(*iris)
    assert fitted.n_epochs_["controls"] == 3
    assert list(fitted.tickets_[0].controls) == ["fresh"]


def test_continuous_search_goes_by_no_rate(iris):
    """What a rate would leave does not matter to it."""
    fitted = finder("continuous", quick_net(max_epochs=1), n_rounds=3, prune_rate=0.9)
    assert len(fitted.fit(*iris).tickets_) == 3


class TestErrors:
    @pytest.mark.parametrize(
        "params, message",
        [
            ({"search": "lottery"}, "search='lottery' is unknown"),
            ({"n_rounds": 0}, "n_rounds"),
            ({"prune_rate": 1.0}, "prune_rate"),
            ({"n_rounds": 40}, "n_rounds=40 with prune_rate=0.2 leaves none of 56"),
            ({"rewind_epoch": 3}, "rewind_epoch=3 must be less than the 3 epochs"),
            ({"rewind_step": 12}, "rewind_step=12 must be less than the 12 steps"),
            ({"rewind_epoch": 1, "rewind_step": 1}, "one of them must be left at its"),
            ({"select": "sparsest"}, "select"),
            ({"validation": 1.0}, "validation=1.0 must be a number in (0, 1)"),
            ({"validation": 0}, "validation=0 must be an integer in [1"),
            ({"validation": 148}, "validation=148 puts 148 of n_samples=150 rows asid"),
            ({"controls": ("dense",)}, "controls='dense' is unknown"),
            ({"granularity": "2:4"}, "granularity='2:4' fixes the sparsity"),
            ({"granularity": "row"}, "granularity='row' is unknown"),
            ({"scope": "erk"}, "scope"),
            ({"scoring": "accurate"}, "accurate"),
            ({"device": "cuda:99"}, "device='cuda:99' is not there"),
            ({"checkpoint_every": -1}, "checkpoint_every"),
        ],
        ids=str,
    )
    def test_parameters(self, iris, params, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            finder(**params).fit(*iris)

    @pytest.mark.parametrize(
        "params, message",
        [
            ({"search": 3}, "search=3 must be a string or an object"),
            ({"controls": "fresh"}, "controls='fresh' must be a list or tuple"),
            ({"controls": None}, "controls=None must be a list or tuple"),
            ({"validation": "half"}, "validation='half' must be an integer"),
            ({"net": 3}, "estimator=3 must be a skorch net"),
        ],
        ids=str,
    )
    def test_kinds(self, iris, params, message):
        with pytest.raises(TypeError, match=re.escape(message)):
            finder(**params).fit(*iris)

    def test_validation_rows(self, iris):
        X, y = iris
        quick = finder()
        with pytest.raises(ValueError, match="X_val and y_val must be given together"):
            quick.fit(X, y, X_val=X)
        with pytest.raises(ValueError, match="3 features"):
            quick.fit(X, y, X_val=X[:, :3], y_val=y)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            quick.fit(X, y, X_val=X, y_val=y[:5])
        with pytest.raises(ValueError, match="y_val has labels that y has not"):
            quick.fit(X, y, X_val=X, y_val=y + 1)

    def test_nothing_to_prune(self, iris):
        with pytest.raises(NothingToPruneError):
            finder(include="nowhere").fit(*iris)

    def test_a_loss_that_is_not_finite(self, iris):
        net = quick_net(lr=1e30, optimizer=torch.optim.SGD)
        with pytest.raises(NonFiniteLossError, match="the training loss became"):
            finder(net=net).fit(*iris)

    def test_weights_that_cannot_be_drawn_afresh(self, iris):
        net = quick_net(Bare())
        with pytest.raises(ValueError, match="has no reset_parameters"):
            finder(net=net, controls=["fresh"]).fit(*iris)


class Bare(nn.Module):
    """A layer of its own kind."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 3))

    def forward(self, X):
        return X @ self.weight
