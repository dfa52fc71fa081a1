"""Long runs: killed and resumed, continued by hand, watched, in several processes."""

import os
import pickle
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.hf import AccelerateMixin
from torch import nn
from torch.optim.lr_scheduler import StepLR

from sklearn_pb import MaskPruner
from sklearn_pb.methods import PRESETS, Continuation, MonteCarlo
from sklearn_pb.utils import RandomStream

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_pb.exceptions.SparsityWarning"  # runs here are very short
)


class Dropping(nn.Module):
    """A small network with dropout and running statistics."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.hidden = nn.Linear(4, 12)
        self.norm = nn.BatchNorm1d(12)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(12, n_outputs)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.norm(self.hidden(X)))))


def quick_net(kind=NeuralNetClassifier, module=Dropping, **changes):
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "optimizer__weight_decay": 0.01,
        "lr": 0.05,
        "max_epochs": 5,
        "batch_size": 30,
        "iterator_train__shuffle": True,
    }
    return kind(module, **{**settings, **changes})


def pruner(method="continuous", net=None, **changes):
    settings = {"sparsity": 0.7, "warmup": 0.2, "random_state": 0}
    net = quick_net() if net is None else net
    return MaskPruner(net, method=method, **{**settings, **changes})


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32), y


def history(fitted, net=False):
    """The records without the durations."""
    rows = fitted.estimator_.history if net else fitted.history_
    return [{k: v for k, v in row.items() if k != "dur"} for row in rows]


def same(first, second):
    for name, value in first.estimator_.module_.state_dict().items():
        assert torch.equal(value, second.estimator_.module_.state_dict()[name]), name
    for name, mask in first.masks_.items():
        assert torch.equal(mask, second.masks_[name])
    assert history(first) == history(second)
    assert history(first, net=True) == history(second, net=True)


class Killed(Exception):
    """Stands for the end of a process."""


class Kill(Callback):
    """Stop any run after so many batches; nobody behind sees the last of them."""

    left = None  # of the class, as it is no setting of a run

    def on_batch_end(self, net, **kwargs):
        if Kill.left is not None:
            Kill.left -= 1
            if Kill.left < 0:
                Kill.left = None
                raise Killed


class Marks(Callback):
    """A user's callback that learns something, and sees the records as they come."""

    def on_train_begin(self, net, **kwargs):
        self.n_batches_ = 0
        self.seen_ = []

    def on_batch_end(self, net, **kwargs):
        self.n_batches_ += 1

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        self.seen_.append([row["phase"], row["sparsity"], row.get("strength")])
        net.history.record("n_seen", self.n_batches_)


SAMPLED = [
    "arms",
    "straight-through",
    MonteCarlo(gradient="rebar", n_samples=2),
    MonteCarlo(gradient="loorf", n_samples=3, evaluation="sliced"),
]


def watched_net(**changes):
    callbacks = [Marks(), LRScheduler(StepLR, step_size=2), Kill()]
    return quick_net(callbacks=callbacks, **changes)


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


class TestCheckpoint:
    """A run that goes on ends as one that was never stopped, bit for bit."""

    @pytest.mark.parametrize(
        "method",
        [
            "continuous",
            Continuation(interval=3),
            "gmp",
            "magnitude",
            "taylor",
            *SAMPLED,
        ],
        ids=repr,
    )
    def test_a_stopped_run_goes_on(self, iris, tmp_path, method):
        self.check(iris, tmp_path, every=0.0, method=method)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "method", sorted(name for name in PRESETS if PRESETS[name]().fits_networks)
    )
    def test_every_method_goes_on(self, iris, tmp_path, method):
        self.check(iris, tmp_path, every=0.0, method=method)

    @pytest.mark.parametrize("granularity", ["channel", "2:4"])
    def test_other_granularities(self, iris, tmp_path, granularity):
        settings = {"granularity": granularity}
        if granularity == "2:4":
            settings["sparsity"] = None
        self.check(iris, tmp_path, every=0.0, **settings)

    @pytest.mark.parametrize("every", ["epoch", 0.0, 1e9])
    def test_whenever_it_is_saved(self, iris, tmp_path, every):
        self.check(iris, tmp_path, every=every)

    def test_a_supermask(self, iris, tmp_path):
        self.check(iris, tmp_path, every=0.0, train_weights=False)

    def test_rescaled_weights(self, iris, tmp_path):
        self.check(iris, tmp_path, every=0.0, rescale=True)

    @staticmethod
    def check(iris, folder, *, every, **settings):
        def fresh(**changes):
            return pruner(net=watched_net(), **settings, **changes)

        saved = {"checkpoint": folder / "run.pt", "checkpoint_every": every}
        n_stops = [stopped(fresh(**saved), iris, n) for n in (0, 1, 5, 4, 7, 9)]
        assert sum(n_stops) >= 4
        same(fresh(**saved).fit(*iris), fresh().fit(*iris))

    def test_a_finished_run_is_not_run_again(self, iris, tmp_path):
        path, told = tmp_path / "run.pt", []
        first = pruner(checkpoint=path, callback=told.append).fit(*iris)
        assert len(told) == 5
        again = pruner(checkpoint=str(path), callback=told.append).fit(*iris)
        assert len(told) == 5
        same(again, first)
        assert np.array_equal(
            again.predict_proba(iris[0]), first.predict_proba(iris[0])
        )

    def test_a_run_that_stopped_early_is_finished(self, iris, tmp_path):
        def stop(record):
            if record["epoch"] == 3:
                raise StopIteration

        path = tmp_path / "run.pt"
        first = pruner(checkpoint=path, callback=stop).fit(*iris)
        again = pruner(checkpoint=path).fit(*iris)
        assert len(again.history_) == 3
        assert again.sparsity_ == pytest.approx(0.7, abs=0.01)
        same(again, first)

    def test_an_interrupted_run_is_not_finished(self, iris, tmp_path):
        class Interrupt(Callback):
            on = True

            def on_batch_end(self, net, **kwargs):
                if self.on and len(net.history) == 3:
                    raise KeyboardInterrupt

        def fresh(**changes):
            net = quick_net(callbacks=[Interrupt()])
            return pruner(net=net, checkpoint_every="epoch", **changes)

        path = tmp_path / "run.pt"
        part = fresh(checkpoint=path).fit(*iris)
        assert len(part.history_) == 3 and part.sparsity_ > 0.6
        Interrupt.on = False
        same(fresh(checkpoint=path).fit(*iris), fresh().fit(*iris))

    @pytest.mark.parametrize("every", ["epoch", 1e9])
    def test_nor_is_one_interrupted_after_an_epoch(self, iris, tmp_path, every):
        class Interrupt(Callback):
            on = True

            def on_epoch_end(self, net, **kwargs):
                if self.on and len(net.history) == 3:
                    raise KeyboardInterrupt

        def fresh(**changes):
            patient = EarlyStopping(patience=50)
            net = quick_net(callbacks=[Interrupt(), patient])
            return pruner(net=net, checkpoint_every=every, **changes)

        path = tmp_path / "run.pt"
        assert len(fresh(checkpoint=path).fit(*iris).history_) == 3
        Interrupt.on = False
        again = fresh(checkpoint=path).fit(*iris)
        assert len(again.history_) == 5
        same(again, fresh().fit(*iris))

    def test_early_stopping_finishes_a_run(self, iris, tmp_path):
        def fresh(**changes):
            # Nothing is better than the first epoch by that much.
            stopping = EarlyStopping(patience=2, threshold=1e9, threshold_mode="abs")
            return pruner(net=quick_net(callbacks=[stopping]), **changes)

        path, told = tmp_path / "run.pt", []
        first = fresh(checkpoint=path).fit(*iris)
        assert len(first.history_) < 5
        again = fresh(checkpoint=path, callback=told.append).fit(*iris)
        assert not told
        same(again, first)

    def test_without_a_seed_the_run_keeps_its_own(self, iris, tmp_path, monkeypatch):
        path = tmp_path / "run.pt"
        settings = {"random_state": None, "checkpoint": path, "checkpoint_every": 0}
        assert stopped(pruner(net=watched_net(), **settings), iris, 12)
        rest = pruner(net=watched_net(), **settings).fit(*iris)
        seed = torch.load(path, weights_only=True)["state"]["seed"]
        stream = classmethod(lambda cls, random_state: cls(seed))
        monkeypatch.setattr(RandomStream, "from_random_state", stream)
        same(rest, pruner(net=watched_net()).fit(*iris))

    def test_sample_weights(self, iris, tmp_path):
        weight = np.linspace(0.5, 1.5, 150)
        path = tmp_path / "run.pt"
        fresh = pruner(net=watched_net())
        kept = clone(fresh).set_params(checkpoint=path, checkpoint_every=0)
        Kill.left = 8
        with pytest.raises(Killed):
            kept.fit(*iris, sample_weight=weight)
        with pytest.raises(ValueError, match=r"another run.*sample_weight=array"):
            clone(kept).fit(*iris)
        same(
            clone(kept).fit(*iris, sample_weight=weight),
            fresh.fit(*iris, sample_weight=weight),
        )

    def test_other_initial_weights_warn(self, iris, tmp_path):
        path = tmp_path / "run.pt"
        torch.manual_seed(0)
        net = quick_net(module=Dropping())
        first = pruner(net=net, checkpoint=path).fit(*iris)
        net = quick_net(module=Dropping())
        with pytest.warns(UserWarning, match="began with other weights"):
            again = pruner(net=net, checkpoint=path).fit(*iris)
        same(again, first)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"sparsity": 0.6}, r"written for sparsity=0\.7, not for sparsity=0\.6"),
            ({"random_state": 1}, "random_state=0"),
            ({"method": "gmp"}, "method=Continuation"),
            ({"estimator__lr": 0.1}, r"estimator__lr=0\.05"),
            ({"estimator__max_epochs": 9}, "estimator__max_epochs=5"),
            ({"estimator__module__n_outputs": 4}, "module__n_outputs=unknown"),
        ],
    )
    def test_another_run_is_refused(self, iris, tmp_path, change, message):
        path, told = tmp_path / "run.pt", []
        pruner(checkpoint=path).fit(*iris)
        other = pruner(checkpoint=path, callback=told.append).set_params(**change)
        with pytest.raises(ValueError, match=f"of another run.*{message}"):
            other.fit(*iris)
        assert not told

    def test_other_data_are_refused(self, iris, tmp_path):
        X, y = iris
        pruner(checkpoint=tmp_path / "run.pt").fit(X, y)
        with pytest.raises(ValueError, match=r"X=array \(150, 4\)"):
            pruner(checkpoint=tmp_path / "run.pt").fit(X + 1, y)

    def test_another_place_is_refused(self, iris, tmp_path):
        path = tmp_path / "run.pt"
        pruner(checkpoint=path).fit(*iris)
        content = torch.load(path, weights_only=True)
        content["state"]["where"] = "cuda in 2 process(es)"
        torch.save(content, path)
        with pytest.raises(ValueError, match=r"cuda in 2 .* cpu in 1 process"):
            pruner(checkpoint=path).fit(*iris)

    def test_what_only_shows_or_saves_may_change(self, iris, tmp_path):
        pruner(checkpoint=tmp_path / "run.pt").fit(*iris)
        other = pruner(checkpoint=tmp_path / "run.pt", checkpoint_every=5, verbose=1)
        other.set_params(estimator__verbose=0).fit(*iris)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            (".", "is a folder"),
            ("none/run.pt", "folder that does not exist"),
            ("x" * 300, "cannot be written"),
            ("text", "not a checkpoint that can be read"),
        ],
    )
    def test_paths_that_do_not_work(self, iris, tmp_path, name, message):
        (tmp_path / "text").write_text("not a checkpoint")
        told = []
        bad = pruner(checkpoint=tmp_path / name, callback=told.append)
        with pytest.raises(ValueError, match=f"checkpoint=.*{message}"):
            bad.fit(*iris)
        assert not told

    @pytest.mark.parametrize("every", ["step", -1, None])
    def test_bad_intervals(self, iris, tmp_path, every):
        bad = pruner(checkpoint=tmp_path / "run.pt", checkpoint_every=every)
        with pytest.raises(ValueError, match="checkpoint_every"):
            bad.fit(*iris)


NET = """
    import os, random, signal, sys, time, warnings

    import torch
    from sklearn.datasets import load_iris
    from skorch import NeuralNetClassifier
    from torch import nn
    from sklearn_pb import MaskPruner

    warnings.simplefilter("ignore")
    X, y = load_iris(return_X_y=True)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(4, 12)
            self.norm = nn.BatchNorm1d(12)
            self.output = nn.Linear(12, 3)

        def forward(self, X):
            X = torch.relu(self.norm(self.hidden(X)))
            return self.output(nn.functional.dropout(X, 0.2, self.training))
"""

KILLING = """
    def fit(method, path, out):
        net = NeuralNetClassifier(
            Net, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=0.05,
            optimizer__momentum=0.9, optimizer__weight_decay=0.01, max_epochs=12,
            batch_size=16, iterator_train__shuffle=True,
        )
        pruner = MaskPruner(
            net, method=method, sparsity=0.7, warmup=0.1, random_state=0,
            checkpoint=path, checkpoint_every=0.0,
        ).fit(X, y)
        weights = dict(pruner.estimator_.module_.state_dict())
        torch.save((weights, pruner.masks_, torch.tensor(pruner.predict_proba(X))), out)

    def child(*args):
        pid = os.fork()
        if pid == 0:
            try:
                fit(*args)
                os._exit(0)
            finally:
                os._exit(1)
        return pid

    n_kills, methods = int(sys.argv[1]), sys.argv[2:]
    for method in methods:
        start = time.perf_counter()
        assert os.waitpid(child(method, None, method + ".whole"), 0)[1] == 0
        whole = time.perf_counter() - start
        for kill in range(n_kills):
            pid = child(method, method + ".run", method + ".part")
            time.sleep(random.uniform(0, 1.5) * whole / n_kills)
            os.kill(pid, signal.SIGKILL)
            assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        last = child(method, method + ".run", method + ".part")
        assert os.waitpid(last, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
class TestKilled:
    """A process that is killed at random moments, also while it writes."""

    def check(self, folder, n_kills, *methods):
        script = textwrap.dedent(NET) + textwrap.dedent(KILLING)
        command = [sys.executable, "-c", script, str(n_kills), *methods]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=folder, env=environment, check=True)
        for method in methods:
            whole, part = (
                torch.load(folder / f"{method}.{end}") for end in ("whole", "part")
            )
            for parts in zip(whole[:2], part[:2], strict=True):
                for name, value in parts[0].items():
                    assert torch.equal(value, parts[1][name]), (method, name)
            assert torch.equal(whole[2], part[2])

    def test_two_kills(self, tmp_path):
        self.check(tmp_path, 2, "continuous")

    @pytest.mark.slow
    def test_ten_kills(self, tmp_path):
        self.check(tmp_path, 10, "continuous", "arms", "gmp", "straight-through")


class TestPartialFit:
    """A run that goes on from call to call."""

    @pytest.mark.parametrize("rescale", [False, True])
    @pytest.mark.parametrize("method", ["continuous", "arms", "gmp", "taylor"])
    def test_as_many_calls_as_epochs_are_a_fit(self, iris, method, rescale):
        def fresh():
            return pruner(method, watched_net(), rescale=rescale)

        stepwise = fresh()
        for _ in range(5):
            stepwise.partial_fit(*iris)
        same(stepwise, fresh().fit(*iris))

    def test_between_calls_it_predicts_with_its_mask(self, iris):
        stepwise, phases = pruner(), []
        for _ in range(7):
            stepwise.partial_fit(*iris)
            assert stepwise.predict(iris[0]).shape == (150,)
            phases.append(stepwise.history_[-1]["phase"])
            wanted = 0.0 if phases[-1] == "warm-up" else 0.7
            assert stepwise.sparsity_ == pytest.approx(wanted, abs=0.01)
            for name, mask in stepwise.masks_.items():
                weight = stepwise.estimator_.module_.get_parameter(name)
                assert not weight[~mask].any()
        assert phases == ["warm-up"] + ["search"] * 3 + ["frozen"] * 3
        assert [row["epoch"] for row in stepwise.history_] == list(range(1, 8))

    def test_the_mask_stays_once_it_is_frozen(self, iris):
        stepwise = pruner()
        for _ in range(5):
            stepwise.partial_fit(*iris)
        masks, weight = stepwise.masks_, stepwise.estimator_.module_.hidden.weight
        before = weight.detach().clone()
        stepwise.partial_fit(*iris)
        for name, mask in stepwise.masks_.items():
            assert torch.equal(mask, masks[name])
        assert not torch.equal(before, weight)

    def test_it_trains_on_what_fit_has_found(self, iris):
        fitted = pruner(rescale=True).fit(*iris)
        before = fitted.estimator_.module_.output.bias.detach().clone()
        masks = fitted.masks_
        fitted.partial_fit(*iris)
        assert len(fitted.history_) == 6
        assert not torch.equal(before, fitted.estimator_.module_.output.bias)
        for name, mask in fitted.masks_.items():
            assert torch.equal(mask, masks[name])
            assert not fitted.estimator_.module_.get_parameter(name)[~mask].any()

    def test_fit_begins_anew(self, iris):
        estimator = pruner().partial_fit(*iris)
        same(estimator.fit(*iris), pruner().fit(*iris))

    def test_chunks_of_any_size_and_classes_to_come(self, iris):
        X, y = iris
        names = np.array(["setosa", "versicolor", "virginica"])
        net = quick_net(max_epochs=16, train_split=None)
        stepwise = pruner(net=net, sparsity=0.5)
        for rows in (slice(0, 60), slice(0, 90), slice(40, 150), slice(0, 150)) * 4:
            stepwise.partial_fit(X[rows], names[y[rows]], classes=names)
        assert list(stepwise.classes_) == list(names)
        assert stepwise.predict_proba(X).shape == (150, 3)
        assert stepwise.score(X, names[y]) > 0.7
        assert stepwise.sparsity_ == pytest.approx(0.5, abs=0.01)

    @pytest.mark.parametrize("sparsity", [0.7, None])
    def test_the_search_ends_on_time_whatever_the_sizes(self, iris, sparsity):
        X, y = iris
        net = quick_net(max_epochs=10, train_split=None)
        stepwise = pruner(net=net, sparsity=sparsity, finetune=0.3)
        for n in (40, 150, 75, 120, 50, 150, 90, 60, 150, 100):
            rows = np.arange(n) * 150 // n
            stepwise.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        phases = [row["phase"] for row in stepwise.history_]
        assert phases == ["warm-up"] * 2 + ["search"] * 5 + ["frozen"] * 3

    def test_copies_train_on_alike(self, iris):
        stepwise = pruner("arms", watched_net())
        for _ in range(3):
            stepwise.partial_fit(*iris)
        copy = pickle.loads(pickle.dumps(stepwise))
        for _ in range(2):
            stepwise.partial_fit(*iris)
            copy.partial_fit(*iris)
        same(stepwise, copy)
        assert not hasattr(clone(stepwise), "masks_")

    def test_a_regressor(self, iris):
        X, y = iris[0][:, :3], iris[0][:, 3]
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 1))
        net = NeuralNetRegressor(
            module, optimizer=torch.optim.Adam, lr=0.02, max_epochs=30, batch_size=30
        )
        stepwise = pruner(net=net, sparsity=0.5)
        for _ in range(30):
            stepwise.partial_fit(X, y)
        assert stepwise.score(X, y) > 0.8
        with pytest.raises(ValueError, match=r"classes=\[0, 1\] must be None"):
            pruner(net=net).partial_fit(X, y, classes=[0, 1])

    def test_settings_may_not_change_on_the_way(self, iris):
        stepwise = pruner().partial_fit(*iris)
        stepwise.set_params(sparsity=0.9, estimator__lr=1.0)
        with pytest.raises(ValueError, match="sparsity, estimator__lr changed since"):
            stepwise.partial_fit(*iris)
        stepwise.set_params(sparsity=0.7, estimator__lr=0.05, verbose=0)
        stepwise.partial_fit(*iris)

    def test_errors_name_what_is_wrong(self, iris):
        X, y = iris
        with pytest.raises(ValueError, match=r"checkpoint='run\.pt' is for fit"):
            pruner(checkpoint="run.pt").partial_fit(X, y)
        stepwise = pruner().partial_fit(X[:100], y[:100])
        with pytest.raises(ValueError, match=r"not among the classes: array\(\[2\]\)"):
            stepwise.partial_fit(X, y)
        with pytest.raises(ValueError, match="not those of the first call"):
            stepwise.partial_fit(X[:100], y[:100], classes=[0, 1, 2])
        with pytest.raises(ValueError, match="3 features"):
            stepwise.partial_fit(X[:100, :3], y[:100])
        with pytest.raises(ValueError, match="not among the classes"):
            pruner().partial_fit(X, y, classes=[0, 1])
        stepwise.partial_fit(X[:100], y[:100])


class TestProgress:
    """What is told while a run goes."""

    def test_a_line_an_epoch(self, iris, capsys):
        fitted = pruner(verbose=1).fit(*iris)
        out, err = capsys.readouterr()
        lines = out.splitlines()
        assert len(lines) == 5 and not err
        record = fitted.history_[1]
        start = (
            f"[MaskPruner] epoch 2/5, search: train loss {record['train_loss']:.4f}, "
            f"valid loss {record['valid_loss']:.4f}, "
            f"valid acc {record['valid_acc']:.4f}; zeros {record['sparsity']:.1%} of "
            f"70.2%, price {record['strength']:.2g}; "
        )
        assert lines[1].startswith(start)
        assert lines[1].endswith(" s to go") and not lines[4].endswith("to go")
        assert lines[0].startswith("[MaskPruner] epoch 1/5, warm-up: ")
        assert "price" not in lines[0]

    def test_nothing_by_default(self, iris, capfd):
        net = quick_net(max_epochs=2, verbose=1)
        grid = {"sparsity": [0.5, 0.6]}
        GridSearchCV(pruner(net=net), grid, cv=2).fit(*iris)
        out, err = capfd.readouterr()
        assert not out and not err

    def test_a_bar_within_epochs(self, iris, capsys):
        pruner(net=quick_net(max_epochs=2), verbose=2).fit(*iris)
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 2
        assert "epoch 1/2" in err and "0/4" in err and "epoch 2/2" in err

    def test_a_callback_is_given_each_record_and_may_stop(self, iris):
        told = []

        def callback(record):
            told.append(record)
            if record["phase"] == "search" and len(told) == 3:
                raise StopIteration

        fitted = pruner(callback=callback).fit(*iris)
        assert told == fitted.history_ and len(told) == 3
        assert fitted.sparsity_ == pytest.approx(0.7, abs=0.01)

    def test_an_epoch_that_ends_the_run_is_told(self, iris, capsys):
        class Stop(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 2:
                    raise KeyboardInterrupt

        told = []
        net = quick_net(callbacks=[Stop()])
        fitted = pruner(net=net, callback=told.append, verbose=1).fit(*iris)
        assert told == fitted.history_ and len(told) == 2
        assert len(capsys.readouterr().out.splitlines()) == 2

    def test_callbacks_of_the_net_see_the_records_live(self, iris):
        fitted = pruner(net=watched_net()).fit(*iris)
        marks = dict(fitted.estimator_.callbacks_)["Marks"]
        expected = [
            [r["phase"], r["sparsity"], r.get("strength")] for r in history(fitted)
        ]
        assert marks.seen_ == expected
        assert fitted.history_[-1]["n_seen"] == 25

    def test_durations_are_short_texts(self):
        from sklearn_pb.training._progress import _duration

        assert [_duration(s) for s in (0.4, 59.6, 61, 3700)] == [
            "0 s",
            "1 min 0 s",
            "1 min 1 s",
            "1 h 1 min",
        ]


PROCESSES = """
    from skorch.hf import AccelerateMixin
    from sklearn_pb.methods import MonteCarlo

    class Net(AccelerateMixin, NeuralNetClassifier):
        pass

    class Small(nn.Module):
        def __init__(self, norm=False):
            super().__init__()
            self.hidden = nn.Linear(4, 12)
            self.norm = nn.BatchNorm1d(12) if norm else nn.Identity()
            self.drop = nn.Dropout(0.3 if norm else 0.0)
            self.output = nn.Linear(12, 3)

        def forward(self, X):
            return self.output(self.drop(torch.relu(self.norm(self.hidden(X)))))

    folder, *methods = sys.argv[1:]
    rank, n_processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    X, y = X[:128].astype("float32"), y[:128]

    def fresh(epochs, norm=False, **settings):
        net = Net(
            Small, accelerator={"cpu": True}, criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.SGD, optimizer__momentum=0.9, lr=0.05,
            max_epochs=epochs, batch_size=32 // n_processes, train_split=None,
            iterator_train__shuffle=True, module__norm=norm,
        )
        settings = {"random_state": 0, "sparsity": 0.7, **settings}
        return MaskPruner(net, **settings)

    def result(pruner, name):
        weights = dict(pruner.estimator_.module_.state_dict())
        proba = torch.tensor(pruner.predict_proba(X))
        file = f"{folder}/{name}-{n_processes}-{rank}"
        torch.save((weights, pruner.masks_, proba), file)

    for method in methods:
        epochs = 2 if method in ("arms", "rebar") else 6  # sampled runs are chaotic
        fitted = fresh(epochs, method=method, verbose=1).fit(X, y)
        result(fitted, method)
        assert type(fitted.estimator_.module_) is Small

    sliced = MonteCarlo(gradient="arms", n_samples=4, evaluation="sliced")
    for number, method in enumerate((sliced, "continuous")):
        result(fresh(4, norm=True, method=method).fit(X, y), f"norm{number}")

    path = f"{folder}/run-{n_processes}"
    class Stop(Exception):
        pass
    def stop(record):
        if record["epoch"] == 4:
            raise Stop
    saved = {"checkpoint": path, "checkpoint_every": "epoch"}
    try:
        fresh(6, callback=stop, **saved).fit(X, y)
    except Stop:
        result(fresh(6, **saved).fit(X, y), "resumed")

    try:
        fresh(6, random_state=None).fit(X, y)
    except ValueError as error:
        assert n_processes > 1 and "random_state=None" in str(error)
"""


class AcceleratedNet(AccelerateMixin, NeuralNetClassifier):
    """A net that trains through accelerate."""


class TestAccelerate:
    """Nets that train through accelerate, in one process or in several."""

    @pytest.fixture(autouse=True)
    def accelerate(self):
        return pytest.importorskip("accelerate")

    @pytest.mark.filterwarnings("ignore::skorch.exceptions.DeviceWarning")
    def test_one_process_is_as_without(self, iris, capsys):
        net = quick_net(AcceleratedNet, accelerator={"cpu": True})
        fitted = pruner(net=net).fit(*iris)
        same(fitted, pruner().fit(*iris))
        copy = pickle.loads(pickle.dumps(fitted))
        assert np.array_equal(
            copy.predict_proba(iris[0]), fitted.predict_proba(iris[0])
        )
        assert type(fitted.estimator_.module_) is Dropping
        assert not capsys.readouterr().out

    def test_an_accelerator_itself_will_do(self, iris, accelerate):
        net = quick_net(AcceleratedNet, accelerator=accelerate.Accelerator(cpu=True))
        same(pruner(net=net).fit(*iris), pruner().fit(*iris))

    def test_call_by_call_and_with_a_checkpoint(self, iris, tmp_path):
        net = quick_net(AcceleratedNet, accelerator={"cpu": True})
        whole = pruner(net=net).fit(*iris)
        stepwise = pruner(net=net)
        for _ in range(5):
            stepwise.partial_fit(*iris)
        same(stepwise, whole)

        def stop(record):
            if record["epoch"] == 3:
                raise Killed

        kept = pruner(net=net, checkpoint=tmp_path / "run.pt", checkpoint_every=0)
        with pytest.raises(Killed):
            clone(kept).set_params(callback=stop).fit(*iris)
        same(kept.fit(*iris), whole)

    def test_what_masks_cannot_share_is_refused(self, iris):
        settings = {"cpu": True, "gradient_accumulation_steps": 2}
        net = quick_net(AcceleratedNet, accelerator=settings)
        with pytest.raises(ValueError, match="gradient_accumulation_steps=2; it must"):
            pruner(net=net).fit(*iris)

    @pytest.mark.slow
    def test_two_processes_train_as_one(self, tmp_path):
        methods = ["continuous", "gmp", "taylor", "arms", "rebar"]
        self.run(tmp_path, 1, *methods)
        lines = self.run(tmp_path, 2, *methods)
        assert sum("epoch 1/" in line for line in lines[0]) == len(methods)
        assert not lines[1]  # one process prints
        for name in [*methods, "resumed", "norm0", "norm1"]:
            first, second, alone = (
                torch.load(tmp_path / f"{name}-{end}") for end in ("2-0", "2-1", "1-0")
            )
            for part in range(2):
                for key, value in first[part].items():
                    assert torch.equal(value, second[part][key]), (name, key)
            if "norm" in name:  # statistics are of a process's own rows
                continue
            for key, mask in first[1].items():
                assert torch.equal(mask, alone[1][key]), (name, key)
                torch.testing.assert_close(first[0][key], alone[0][key])
            assert torch.equal(first[2], second[2])
            torch.testing.assert_close(first[2], alone[2], atol=1e-5, rtol=0)

    @staticmethod
    def run(folder, n_processes, *methods):
        script = textwrap.dedent(NET) + textwrap.dedent(PROCESSES)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "WORLD_SIZE": str(n_processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        running = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(folder), *methods],
                env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(n_processes)
        ]
        outputs = [process.communicate(timeout=300)[0] for process in running]
        assert [process.returncode for process in running] == [0] * n_processes
        return [output.splitlines() for output in outputs]
