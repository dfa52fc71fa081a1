"""An architecture on a new task, beside its controls."""

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from sklearn.datasets import load_digits, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer, SparseTicketFinder
from sklearn_pb.estimators import transfer_architecture
from sklearn_pb.estimators._new_task import NewTask
from sklearn_pb.utils import RandomStream

X, Y = load_digits(return_X_y=True)
X = X / 16
OLD = Y < 5
NEW = (X[~OLD][:200], Y[~OLD][:200])


class Network(nn.Module):
    def __init__(self, n_inputs=64, n_hidden=20, n_outputs=5):
        super().__init__()
        self.hidden = nn.Linear(n_inputs, n_hidden)
        self.output = nn.Linear(n_hidden, n_outputs)

    def forward(self, X):
        return self.output(torch.relu(self.hidden(X)))


def make_net(module=Network, **settings):
    defaults = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.Adam,
        "lr": 0.01,
        "max_epochs": 3,
        "batch_size": 32,
        "train_split": None,
        "verbose": 0,
    }
    return NeuralNetClassifier(module, **{**defaults, **settings})


def make_pruner(sparsity=0.8, net=None, X=X[OLD], y=Y[OLD], **settings):
    pruner = MaskPruner(
        make_net() if net is None else net,
        method="gmp",
        sparsity=sparsity,
        random_state=0,
        **settings,
    )
    return pruner.fit(X, y)


@pytest.fixture(name="pruner", scope="module")
def make_fitted_pruner():
    return make_pruner()


def by_architecture(rows, column="score"):
    found = {}
    for row in rows:
        found.setdefault(row["architecture"], []).append(row[column])
    return found


def test_rows_are_tidy(pruner):
    rows = transfer_architecture(
        pruner, *NEW, train_sizes=[20, 60], n_repeats=2, random_state=0
    )
    table = pd.DataFrame(rows)
    assert list(table) == ["architecture", "n_samples", "repeat", "score", "sparsity"]
    names = ["transferred", "reshuffled", "random", "dense"]
    wanted = [(r, n, name) for r in range(2) for n in (20, 60) for name in names]
    keys = table[["repeat", "n_samples", "architecture"]]
    assert list(keys.itertuples(index=False, name=None)) == wanted
    assert table.score.between(0, 1).all()
    sparse = table[table.architecture != "dense"].sparsity
    assert np.allclose(sparse, 0.8, atol=1e-3)
    assert (table[table.architecture == "dense"].sparsity == 0).all()


def test_without_zeros_all_architectures_are_one():
    """Initial weights and batches of a repeat are shared; repeats differ."""
    whole = make_pruner(sparsity=0.0)
    rows = transfer_architecture(whole, *NEW, n_repeats=2, random_state=0)
    scores = [[r["score"] for r in rows if r["repeat"] == k] for k in range(2)]
    assert [len(set(of_repeat)) for of_repeat in scores] == [1, 1]
    assert scores[0] != scores[1]


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_results_do_not_depend_on_the_number_of_jobs(pruner, backend):
    options = {"train_sizes": [30], "n_repeats": 2, "random_state": 3}
    alone = transfer_architecture(pruner, *NEW, **options)
    with parallel_config(backend):
        assert transfer_architecture(pruner, *NEW, n_jobs=2, **options) == alone


def test_the_seed_decides(pruner):
    options = {"train_sizes": [30], "n_repeats": 1, "controls": ["random"]}
    first, again, other = (
        transfer_architecture(pruner, *NEW, random_state=seed, **options)
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def masks_of(architecture, pruner, task=NEW, **options):
    """The masks that were trained, seen through a scorer."""
    seen = []

    def look(fitted, X, y):
        seen.append(fitted.masks_)
        return 0.0

    transfer_architecture(
        pruner,
        *task,
        controls=[c for c in [architecture] if c != "transferred"],
        scoring=look,
        n_repeats=2,
        random_state=0,
        **options,
    )
    step = 1 if architecture == "transferred" else 2
    return seen[step - 1 :: step]


def test_the_masks_are_those_of_the_pruner(pruner):
    for masks in masks_of("transferred", pruner):
        for name, mask in pruner.masks_.items():
            assert torch.equal(masks[name], mask)


def test_controls_keep_what_they_promise(pruner):
    given = {name: int(mask.sum()) for name, mask in pruner.masks_.items()}
    first, second = masks_of("reshuffled", pruner)
    assert {name: int(mask.sum()) for name, mask in first.items()} == given
    assert not torch.equal(first["hidden.weight"], pruner.masks_["hidden.weight"])
    assert not torch.equal(first["hidden.weight"], second["hidden.weight"])
    random, _ = masks_of("random", pruner)
    counts = {name: int(mask.sum()) for name, mask in random.items()}
    assert sum(counts.values()) == sum(given.values())
    assert counts != given
    dense, _ = masks_of("dense", pruner)
    assert all(mask.all() for mask in dense.values())


@pytest.mark.parametrize("architecture", ["transferred", "reshuffled", "random"])
def test_another_number_of_classes_leaves_the_last_layer_whole(pruner, architecture):
    masks, _ = masks_of(architecture, pruner, (X[:200], Y[:200]), estimator=wide_net())
    assert masks["output.weight"].shape == (10, 20)
    assert masks["output.weight"].all()
    kept = pruner.masks_["hidden.weight"]
    assert masks["hidden.weight"].sum() == kept.sum()
    same = torch.equal(masks["hidden.weight"], kept)
    assert same == (architecture == "transferred")


def wide_net():
    return make_net(module__n_outputs=10)


def test_channels_are_transferred_too():
    pruner = make_pruner(sparsity=0.5, granularity="channel")
    rows = transfer_architecture(pruner, *NEW, n_repeats=1, random_state=0)
    assert by_architecture(rows, "sparsity") == {
        "transferred": [0.5],
        "reshuffled": [0.5],
        "random": [0.5],
        "dense": [0.0],
    }


def test_rivals_have_names_and_controls_of_their_own(pruner):
    rows = transfer_architecture(
        {"gmp": pruner, "sparser": make_pruner(sparsity=0.9)},
        *NEW,
        train_sizes=[20],
        n_repeats=1,
    )
    sparsity = by_architecture(rows, "sparsity")
    assert {name: round(values[0], 2) for name, values in sparsity.items()} == {
        "gmp": 0.8,
        "gmp reshuffled": 0.8,
        "gmp random": 0.8,
        "sparser": 0.9,
        "sparser reshuffled": 0.9,
        "sparser random": 0.9,
        "dense": 0.0,
    }


def make_finder(net, **settings):
    """A ticket with half of the weights, after one round of magnitude pruning."""
    return SparseTicketFinder(
        net,
        search="imp",
        n_rounds=1,
        prune_rate=0.5,
        select="last",
        random_state=0,
        **settings,
    )


def test_a_ticket_finder_is_a_rival_among_pruners(pruner):
    finder = make_finder(make_net()).fit(X[OLD], Y[OLD])
    rows = transfer_architecture(
        {"gmp": pruner, "imp": finder}, *NEW, train_sizes=[20], n_repeats=1
    )
    sparsity = by_architecture(rows, "sparsity")
    assert {name: round(values[0], 2) for name, values in sparsity.items()} == {
        "gmp": 0.8,
        "gmp reshuffled": 0.8,
        "gmp random": 0.8,
        "imp": 0.5,
        "imp reshuffled": 0.5,
        "imp random": 0.5,
        "dense": 0.0,
    }


@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_the_masks_of_a_finder_are_those_of_its_ticket(granularity):
    finder = make_finder(make_net(), granularity=granularity, include="hidden.*")
    finder.fit(X[OLD], Y[OLD])
    kept = {name: int(mask.sum()) for name, mask in finder.ticket_.masks.items()}
    for masks in masks_of("transferred", finder):
        assert masks.keys() == kept.keys()
        for name, mask in finder.ticket_.masks.items():
            assert torch.equal(masks[name], mask)
    for masks in masks_of("reshuffled", finder):
        assert {name: int(mask.sum()) for name, mask in masks.items()} == kept
        assert not torch.equal(masks["hidden.weight"], finder.masks_["hidden.weight"])


def test_the_masks_of_a_quantizer_are_its_weights_that_are_not_zero():
    pruned = MaskPruner(make_net(), method="gmp", sparsity=0.8, random_state=0)
    quantizer = MixedPrecisionQuantizer(pruned, target_bits=0.5, random_state=0)
    quantizer.fit(X[OLD], Y[OLD])  # its granularity is "channel": that of its bits
    for masks in masks_of("transferred", quantizer):
        for name, codes in quantizer.quantized_.items():
            assert torch.equal(masks[name], codes.codes != 0)


def test_scores_are_of_the_given_test_rows(pruner):
    test = X[OLD][:37], Y[OLD][:37] + 5
    rows = transfer_architecture(
        pruner,
        *NEW,
        X_test=test[0],
        y_test=test[1],
        controls="dense",
        n_repeats=1,
        scoring=lambda fitted, X, y: float(np.array_equal(X, test[0]) * y.sum()),
    )
    assert {row["score"] for row in rows} == {float(test[1].sum())}
    assert {row["n_samples"] for row in rows} == {200}


def test_a_learned_architecture_transfers_better_than_a_random_one():
    """Digits 0 to 4, then 5 to 9: at 95 % zeros the gap is ten points and more."""
    net = make_net(max_epochs=20, batch_size=64)
    pruner = make_pruner(sparsity=0.95, net=net)
    rows = transfer_architecture(
        pruner, X[~OLD], Y[~OLD], controls=["random"], n_repeats=2, random_state=0
    )
    scores = by_architecture(rows)
    gaps = np.subtract(scores["transferred"], scores["random"])
    assert gaps.mean() > 0.1


def weights_after(lr, estimator, pruner):
    seen = []

    def look(fitted, X, y):
        seen.append(fitted.estimator_.module_.hidden.bias.detach().clone())
        return 0.0

    transfer_architecture(
        pruner,
        *NEW,
        estimator=estimator,
        controls=[],
        scoring=look,
        n_repeats=2,
        random_state=0,
    )
    return seen


def test_an_instance_starts_from_fresh_weights_in_each_repeat(pruner):
    module = Network()
    with torch.no_grad():
        module.hidden.bias.fill_(7.0)
    first, second = weights_after(0.0, make_net(module=module, lr=0.0), pruner)
    assert first.abs().max() <= 1 / 8  # Linear's initial range for 64 inputs
    assert not torch.equal(first, second)
    assert (module.hidden.bias == 7.0).all()


def test_an_instance_that_cannot_be_drawn_again_is_refused(pruner):
    module = Network()
    module.scale = nn.ParameterList([torch.ones(1)])
    with pytest.raises(ValueError, match=r"layer 'scale' \(ParameterList\) .* class"):
        transfer_architecture(pruner, *NEW, estimator=make_net(module=module))


def test_regressors():
    X, y = make_regression(120, 10, random_state=0)
    net = NeuralNetRegressor(
        Network,
        module__n_inputs=10,
        module__n_outputs=1,
        max_epochs=2,
        train_split=None,
        verbose=0,
    )
    pruner = make_pruner(net=net, X=X, y=y / 100)
    rows = transfer_architecture(
        pruner, X, -y / 100, train_sizes=[7, 50], n_repeats=1, random_state=0
    )
    assert len(rows) == 8
    assert all(row["score"] <= 1 for row in rows)


def test_subsets_lie_in_each_other_and_share_classes_evenly():
    y = np.repeat(["a", "b", "c"], [80, 15, 5])
    task = NewTask.of(np.arange(100), y, None, None, 0.2, True)
    train, test = task.split(RandomStream(0))
    assert sorted([*train, *test]) == list(range(100))
    assert sorted(y[test]) == ["a"] * 16 + ["b"] * 3 + ["c"]
    assert set(y[train[:3]]) == {"a", "b", "c"}
    for n in range(3, 81):
        labels, counts = np.unique(y[train[:n]], return_counts=True)
        assert list(labels) == ["a", "b", "c"]
        shares = np.array([64, 12, 4]) / 80
        assert np.abs(counts - n * shares).max() <= 2
    again, _ = task.split(RandomStream(0))
    other, _ = task.split(RandomStream(1))
    assert np.array_equal(train, again)
    assert not np.array_equal(train, other)


def refused(error, message, pruner, *task, **options):
    with pytest.raises(error, match=message):
        transfer_architecture(pruner, *(task or NEW), **options)


def test_what_is_no_fitted_pruner_is_refused(pruner):
    refused(TypeError, "must be a fitted MaskPruner, SparseTicketFinder", make_net())
    refused(TypeError, "last step", make_pipeline(MinMaxScaler(), pruner))
    refused(NotFittedError, "not fitted", MaskPruner())
    refused(NotFittedError, "not fitted", make_finder(None))
    refused(ValueError, "at least one fitted", {})


def test_what_makes_no_sense_is_refused(pruner):
    frozen = {"estimator": FrozenEstimator(pruner)}  # weights are always new
    refused(TypeError, "must be a skorch net, a torch.nn.Module", pruner, **frozen)
    refused(ValueError, "controls='imp' is unknown; .* dense", pruner, controls=["imp"])
    refused(ValueError, r"n_repeats=0 must be", pruner, n_repeats=0)
    refused(ValueError, r"train_sizes=4 .* \[5, 150\]", pruner, train_sizes=[4])
    refused(ValueError, r"train_sizes=151 .* \[5, 150\]", pruner, train_sizes=[151])
    refused(TypeError, r"train_sizes=0.5 .* integer", pruner, train_sizes=[0.5])
    refused(ValueError, "two architectures are called 'dense'", {"dense": pruner})
    refused(ValueError, "given together", pruner, X_test=NEW[0])
    refused(ValueError, "inconsistent numbers", pruner, NEW[0][:3], NEW[1])


def test_another_network_has_no_use_for_the_masks(pruner):
    other = make_net(module=nn.Sequential(nn.Linear(64, 5)))
    message = "no mask fits the network: 'hidden.weight' is no parameter"
    refused(ValueError, message, pruner, estimator=other, n_repeats=1)
