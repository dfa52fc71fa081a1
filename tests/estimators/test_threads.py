"""How many threads torch has while an estimator computes."""

import threading
from typing import ClassVar

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import (
    Budget,
    MaskPruner,
    MixedPrecisionQuantizer,
    PBMinimizer,
    SparseTicketFinder,
)
from sklearn_pb.utils import torch_threads

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 300)).astype(np.float32)
Y = (X[:, :20].sum(1) > 0).astype(np.int64)


class Wide(nn.Sequential):
    """Large enough for torch to use all its threads."""

    def __init__(self):
        super().__init__(nn.Linear(300, 600), nn.ReLU(), nn.Linear(600, 2))


def net(module=Wide, **settings):
    return NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        lr=0.1,
        batch_size=64,
        train_split=None,
        verbose=0,
        **{"max_epochs": 3, **settings},
    )


class Watched(nn.Module):
    """It takes down how many threads there are."""

    seen: ClassVar[set[int]] = set()

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(300, 2)

    def forward(self, X):
        Watched.seen.add(torch.get_num_threads())
        return self.layer(X)


SHORT = net(Watched, max_epochs=1)
ESTIMATORS = {
    "pruner": MaskPruner(SHORT, sparsity=0.5, random_state=0),
    "quantizer": MixedPrecisionQuantizer(SHORT, target_bits=2, random_state=0),
    "finder": SparseTicketFinder(SHORT, n_rounds=1, random_state=0),
}


@pytest.fixture
def two_threads():
    """What a main process has where there are two cores."""
    before, Watched.seen = torch.get_num_threads(), set()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")
@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.PrecisionWarning")
@pytest.mark.parametrize(("n_threads", "seen"), [(1, 1), (3, 3), (None, 2)])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_networks_run_with_them(name, n_threads, seen, two_threads):
    estimator = clone(ESTIMATORS[name]).set_params(n_threads=n_threads)
    estimator.fit(X, Y)
    estimator.predict(X)
    estimator.predict_proba(X)
    assert Watched.seen == {seen}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("n_threads", "seen"), [(1, 1), (3, 3), (None, 2)])
@pytest.mark.parametrize("n_restarts", [1, 2])
def test_functions_are_minimised_with_them(n_threads, seen, n_restarts, two_threads):
    def cost(Z):
        Watched.seen.add(torch.get_num_threads())
        return Z.sum(1)

    minimizer = PBMinimizer(
        cost, n_variables=5, n_threads=n_threads, n_restarts=n_restarts
    )
    with parallel_config("threading"):
        minimizer.set_params(budget=Budget(evaluations=20), n_jobs=2).fit()
    assert Watched.seen == {seen}


@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")
def test_large_networks_do_not_depend_on_n_jobs_either(two_threads):
    """The main process has two threads here, and each of two workers one."""
    pruner = MaskPruner(net(), method="continuous", sparsity=0.9, random_state=0)

    def probabilities(n_jobs):
        return cross_val_predict(
            pruner, X, Y, cv=2, method="predict_proba", n_jobs=n_jobs
        )

    alone = probabilities(1)
    np.testing.assert_array_equal(probabilities(2), alone)
    with parallel_config("threading"):
        np.testing.assert_array_equal(probabilities(2), alone)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "all"])
def test_another_number_is_refused(wrong):
    with pytest.raises(ValueError, match="n_threads"):
        MaskPruner(net(), n_threads=wrong).fit(X, Y)


def test_each_context_puts_back_what_it_found(two_threads):
    with torch_threads(1):
        with torch_threads(3):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(RuntimeError), torch_threads(0):
        pass
    with torch_threads(1):
        pass
    assert torch.get_num_threads() == 2


def test_contexts_of_threads_that_overlap(two_threads):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with torch_threads(1):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with torch_threads(1):
        thread.start()
        assert inside.wait(10)
    assert torch.get_num_threads() == 2
    leave.set()
    thread.join()
    assert torch.get_num_threads() == 2
