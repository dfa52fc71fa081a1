"""A search for tickets that is stopped and goes on finds the same tickets."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch import nn
from torch.optim.lr_scheduler import StepLR

from sklearn_pb import SparseTicketFinder
from sklearn_pb.tickets import SEARCHES, Continuous, IterativeMagnitude, JobFiles
from sklearn_pb.training import RunFile
from sklearn_pb.training._checkpoint_run import RunKeeper

pytestmark = pytest.mark.filterwarnings(
    "ignore:no ticket scores as well:UserWarning"  # runs here are very short
)

SLOW = pytest.mark.slow


class Tiny(nn.Module):
    """A network with dropout and running statistics."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(8, 3)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.norm(self.hidden(X)))))


class Killed(Exception):
    """Stands for the end of a process."""


class Kill(Callback):
    """Stop the training after so many batches of all trainings together."""

    left = None  # of the class, as it is no setting of a run

    def on_batch_end(self, net, training=False, **kwargs):
        if Kill.left is not None and training:
            Kill.left -= 1
            if Kill.left < 0:
                Kill.left = None
                raise Killed


class Interrupt(Callback):
    """The user presses Ctrl-C after so many batches."""

    left = None

    def on_batch_end(self, net, training=False, **kwargs):
        if Interrupt.left is not None and training:
            Interrupt.left -= 1
            if Interrupt.left < 0:
                Interrupt.left = None
                raise KeyboardInterrupt


def net(module=Tiny, **changes):
    callbacks = [LRScheduler(StepLR, step_size=1), Kill(), Interrupt()]
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "optimizer__weight_decay": 0.01,
        "lr": 0.1,
        "max_epochs": 2,
        "batch_size": 30,
        "train_split": None,
        "iterator_train__shuffle": True,
        "callbacks": callbacks,
        "verbose": 0,
    }
    return NeuralNetClassifier(module, **{**settings, **changes})


def finder(search="imp", estimator=None, **changes):
    settings = {
        "n_rounds": 2,
        "rewind_step": 5,
        "random_state": 0,
        "checkpoint_every": 0.0,
    }
    estimator = net() if estimator is None else estimator
    return SparseTicketFinder(estimator, search=search, **{**settings, **changes})


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32), y


def same(first, second):
    """Whether two finders have found the same, bit for bit."""
    assert first.dense_scores_ == second.dense_scores_
    assert first.n_epochs_ == second.n_epochs_
    assert len(first.tickets_) == len(second.tickets_)
    for one, other in zip(first.tickets_, second.tickets_, strict=True):
        assert (one.score, one.search_epochs) == (other.score, other.search_epochs)
        assert one.controls == other.controls
        for name, mask in one.masks.items():
            assert torch.equal(mask, other.masks[name])
        for name, weight in one.weights.items():
            assert torch.equal(weight, other.weights[name])
    for name, value in first.estimator_.module_.state_dict().items():
        assert torch.equal(value, second.estimator_.module_.state_dict()[name])


def stopped(estimator, iris, after):
    """Whether a fit was stopped after so many batches."""
    Kill.left = after
    try:
        estimator.fit(*iris)
    except Killed:
        return True
    finally:
        Kill.left = None
    return False


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("imp", "continuous") else pytest.param(name, marks=SLOW)
        for name in SEARCHES
    ],
)
def test_a_search_goes_on(iris, tmp_path, name):
    """Stopped in the dense training, in rounds, in retraining and in a control."""

    def fresh(**changes):
        return finder(name, controls=["reshuffled"], **changes)

    n_stops = [stopped(fresh(checkpoint=tmp_path), iris, n) for n in (3, 9, 5, 11, 8)]
    assert all(n_stops[: 3 if name == "random" else 5])
    same(fresh(checkpoint=tmp_path).fit(*iris), fresh().fit(*iris))


@pytest.mark.parametrize("rewind", [{"rewind_step": None}, {"rewind_step": 1}], ids=str)
def test_stored_weights_survive(iris, tmp_path, rewind):
    def fresh(**changes):
        return finder("imp", **rewind, **changes)

    assert stopped(fresh(checkpoint=tmp_path), iris, 8 + 3)  # in round 1
    assert stopped(fresh(checkpoint=tmp_path), iris, 7)  # in round 2
    same(fresh(checkpoint=tmp_path).fit(*iris), fresh().fit(*iris))


@pytest.mark.parametrize(
    "method, calls",
    [
        ("forget", [2, 4]),  # after the first round, and after a retraining
        ("done", [2, 3]),
        pytest.param("forget", [1, 3, 5], marks=SLOW),
        pytest.param("done", [1, 4], marks=SLOW),
    ],
)
def test_stopped_between_rounds(iris, tmp_path, monkeypatch, method, calls):
    """Whenever a job looks after its files."""
    count, kept = [0], getattr(JobFiles, method)
    alone = finder("continuous").fit(*iris)
    for stop_at in calls:

        def dying(self, *args, stop_at=stop_at):
            count[0] += 1
            if count[0] == stop_at:
                raise Killed
            return kept(self, *args)

        count[0] = 0
        monkeypatch.setattr(JobFiles, method, dying)
        with pytest.raises(Killed):
            finder("continuous", checkpoint=tmp_path / str(stop_at)).fit(*iris)
        monkeypatch.setattr(JobFiles, method, kept)
        resumed = finder("continuous", checkpoint=tmp_path / str(stop_at))
        same(resumed.fit(*iris), alone)


def test_what_is_done_is_not_done_again(iris, tmp_path, monkeypatch):
    opened = []
    kept = RunFile.open

    def counting(checkpoint, **kwargs):
        opened.append(checkpoint.path.name)
        return kept(checkpoint, **kwargs)

    monkeypatch.setattr(RunFile, "open", counting)
    first = finder(checkpoint=tmp_path).fit(*iris)
    assert len(opened) == 5
    assert not list(tmp_path.glob("*.run.pt"))
    same(finder(checkpoint=str(tmp_path)).fit(*iris), first)
    assert len(opened) == 5


def test_another_ticket_may_be_taken(iris, tmp_path):
    finder(checkpoint=tmp_path).fit(*iris)
    last = finder(checkpoint=tmp_path, select="last", n_jobs=1, verbose=1).fit(*iris)
    assert last.ticket_.round == 2


def test_a_seed_that_was_drawn_is_kept(iris, tmp_path):
    settings = {"random_state": None, "checkpoint": tmp_path}
    assert stopped(finder(**settings), iris, 13)
    one, other = (finder(**settings).fit(*iris) for _ in range(2))
    same(one, other)


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=SLOW)])
def test_it_goes_on_in_other_workers(iris, tmp_path, monkeypatch, backend):
    layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    estimator = net(layers, callbacks=None)  # workers need not find this file
    search, left = Continuous(s_init=[0.0, 0.1]), [13]
    kept = RunKeeper.on_batch_end

    def dying(self, *args, **kwargs):
        left[0] -= 1
        if not left[0]:
            raise Killed
        kept(self, *args, **kwargs)

    monkeypatch.setattr(RunKeeper, "on_batch_end", dying)
    with pytest.raises(Killed):
        finder(search, estimator, checkpoint=tmp_path).fit(*iris)
    monkeypatch.undo()
    with joblib.parallel_backend(backend):
        resumed = finder(search, estimator, checkpoint=tmp_path, n_jobs=2).fit(*iris)
    same(resumed, finder(search, estimator).fit(*iris))


def test_an_interrupted_training_is_no_finished_round(iris, tmp_path):
    """Ctrl-C stops the search, not just the training of a round."""
    Interrupt.left = 8 + 5
    try:
        with pytest.raises(KeyboardInterrupt):
            finder(checkpoint=tmp_path).fit(*iris)
    finally:
        Interrupt.left = None
    same(finder(checkpoint=tmp_path).fit(*iris), finder().fit(*iris))


def test_early_stopping_ends_a_training(iris, tmp_path):
    stop = EarlyStopping("train_loss", patience=1, threshold=1e3)

    def stopping(**changes):
        estimator = net(max_epochs=9, callbacks=[stop, Kill()])
        return finder("continuous", estimator, rewind_step=1, **changes)

    alone = stopping().fit(*iris)
    assert alone.n_epochs_["dense"] < 9
    assert stopped(stopping(checkpoint=tmp_path), iris, 21)
    same(stopping(checkpoint=tmp_path).fit(*iris), alone)


class TestOtherSearches:
    """The folder of another search is refused."""

    @pytest.mark.parametrize(
        "changes, named",
        [
            ({"random_state": 1}, "random_state"),
            ({"search": "imp-continued"}, "search"),
            ({"search": IterativeMagnitude("l1")}, "search"),
            ({"prune_rate": 0.5}, "prune_rate"),
            ({"rewind_step": 2}, "rewind_step"),
            ({"n_rounds": 3}, "n_rounds"),
            ({"estimator": net(lr=0.01)}, "estimator__lr"),
        ],
        ids=str,
    )
    def test_settings(self, iris, tmp_path, changes, named):
        assert stopped(finder(checkpoint=tmp_path), iris, 0)
        other = finder(checkpoint=tmp_path)
        with pytest.raises(ValueError, match=f"is of another run.*{named}="):
            other.set_params(**changes).fit(*iris)

    def test_data(self, iris, tmp_path):
        X, y = iris
        assert stopped(finder(checkpoint=tmp_path), iris, 0)
        with pytest.raises(ValueError, match=r"is of another run: .*X=array"):
            finder(checkpoint=tmp_path).fit(X + 1, y)
        with pytest.raises(ValueError, match=r"is of another run: .*X_val=array"):
            finder(checkpoint=tmp_path).fit(X, y, X_val=X, y_val=y)

    def test_weights_of_an_instance(self, iris, tmp_path):
        torch.manual_seed(0)
        module = Tiny()
        assert stopped(finder(checkpoint=tmp_path, estimator=net(module)), iris, 0)
        module.output.bias.data.add_(1)
        with pytest.raises(ValueError, match=r"is of another run: .*weights="):
            finder(checkpoint=tmp_path, estimator=net(module)).fit(*iris)

    def test_files_of_single_jobs(self, iris, tmp_path):
        """A file from another folder does not pass for one's own."""
        assert stopped(finder(checkpoint=tmp_path / "one"), iris, 10)
        other = finder(checkpoint=tmp_path / "two", random_state=1)
        assert stopped(other, iris, 0)
        name = "dense-seed0.pt"
        (tmp_path / "one" / name).rename(tmp_path / "two" / name)
        with pytest.raises(ValueError, match=r"is of another run: .*random_state="):
            other.fit(*iris)

    def test_no_folder(self, iris, tmp_path):
        (tmp_path / "file").write_text("")
        for path in (tmp_path / "file", tmp_path / "nowhere" / "else"):
            with pytest.raises(ValueError, match="must be a folder, or one that can"):
                finder(checkpoint=path).fit(*iris)
