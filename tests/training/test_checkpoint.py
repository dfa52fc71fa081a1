"""The state of a net as plain values, the label of a run, and the file of both."""

import contextlib
import functools
import io
import subprocess
import sys
from enum import IntEnum

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import (
    BatchScoring,
    Callback,
    EarlyStopping,
    EpochScoring,
    Freezer,
    LRScheduler,
    Unfreezer,
)
from torch import nn
from torch.optim import lr_scheduler

from sklearn_pb.methods import Continuation
from sklearn_pb.training import run_label
from sklearn_pb.training._checkpoint_net import (
    generator_states,
    load_generator_states,
    load_net_state,
    net_state,
)
from sklearn_pb.utils import Checkpoint, fingerprint


class Net(nn.Module):
    """With a buffer that is saved, one that is not, and a running mean."""

    def __init__(self, n_hidden=6):
        super().__init__()
        self.hidden = nn.Linear(4, n_hidden)
        self.norm = nn.BatchNorm1d(n_hidden)
        self.output = nn.Linear(n_hidden, 2)
        self.register_buffer("seen", torch.zeros(1), persistent=False)

    def forward(self, X):
        if self.training:
            self.seen += len(X)
        return self.output(torch.relu(self.norm(self.hidden(X))))


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(np.int64)


def fresh_net(callbacks=(), module=Net, **changes):
    torch.manual_seed(0)
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": functools.partial(torch.optim.SGD, momentum=0.9),
        "lr": 0.05,
        "batch_size": 8,
        "verbose": 0,
        "iterator_train__shuffle": True,
        "iterator_train__generator": torch.Generator().manual_seed(0),
        "iterator_valid__generator": torch.Generator().manual_seed(1),
    }
    net = NeuralNetClassifier(
        module, callbacks=list(callbacks), **{**settings, **changes}
    )
    return net.initialize()


class Restore(Callback):
    """Put a state back when the training has begun, as a run does that goes on."""

    def __init__(self, theirs, state=None, generators=None):
        self.theirs, self.state, self.generators = theirs, state, generators

    def on_train_begin(self, net, **kwargs):
        if self.state is not None:
            n_epochs = len(self.state["history"])
            load_net_state(net, net.module_, self.theirs, self.state, n_epochs)
            load_generator_states(net, self.generators)


def train(net, epochs, state=None, generators=None):
    theirs = list(net.callbacks_)
    restore = Restore(theirs, state, generators)
    net.callbacks_ = [*theirs, ("restore", restore)]
    net.notify("on_train_begin", X=None, y=None)
    net.fit_loop(*data(), epochs=epochs)
    net.callbacks_ = theirs
    return net


def scheduler(kind, **settings):
    return lambda: LRScheduler(kind, **settings)


def sequence(optimizer, last_epoch=-1):
    parts = [
        lr_scheduler.LinearLR(optimizer),
        lr_scheduler.CosineAnnealingLR(optimizer, 3),
    ]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[2])


CALLBACKS = {
    "step": scheduler(lr_scheduler.StepLR, step_size=2),
    "plateau": scheduler(lr_scheduler.ReduceLROnPlateau, patience=0),
    "cosine": scheduler(lr_scheduler.CosineAnnealingWarmRestarts, T_0=3),
    "one cycle": scheduler(
        lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=40, step_every="batch"
    ),
    "cyclic": scheduler(
        lr_scheduler.CyclicLR, base_lr=0.01, max_lr=0.1, step_every="batch"
    ),
    "sequence": scheduler(sequence),
    "early stopping": lambda: EarlyStopping(patience=50, load_best=True, sink=id),
    "epoch scoring": lambda: EpochScoring("accuracy", on_train=True, name="train_acc"),
    "batch scoring": lambda: BatchScoring("accuracy", name="batch_acc"),
    "freezer": lambda: Freezer("hidden.*"),
    "unfreezer": lambda: Unfreezer("hidden.*", at=2),
}


def records(net):
    return [{k: v for k, v in row.items() if k != "dur"} for row in net.history]


def through_a_file(state, folder):
    Checkpoint(folder / "state", "a net").save(state)
    return Checkpoint(folder / "state", "a net").load()


class TestNetState:
    """A net that is put back trains on as if nothing had happened."""

    def check(self, folder, *callbacks, **settings):
        whole = train(fresh_net([c() for c in callbacks], **settings), 5)
        part = train(fresh_net([c() for c in callbacks], **settings), 3)
        state = {
            "net": net_state(part, part.module_, part.callbacks_),
            "generators": generator_states(part),
        }
        state = through_a_file(state, folder)
        rest = fresh_net([c() for c in callbacks], **settings)
        train(rest, 2, state["net"], state["generators"])
        for name, value in whole.module_.state_dict().items():
            assert torch.equal(value, rest.module_.state_dict()[name]), name
        assert records(whole) == records(rest)
        return whole, rest

    @pytest.mark.parametrize("name", CALLBACKS)
    def test_callbacks(self, tmp_path, name):
        self.check(tmp_path, CALLBACKS[name])

    @pytest.mark.parametrize("name", ["Adam", "AdamW", "LBFGS", "RMSprop", "Adagrad"])
    def test_optimizers(self, tmp_path, name):
        self.check(tmp_path, optimizer=getattr(torch.optim, name), lr=0.01)

    def test_buffers_that_are_not_saved_otherwise(self, tmp_path):
        whole, rest = self.check(tmp_path)
        assert torch.equal(whole.module_.seen, rest.module_.seen)
        assert whole.module_.seen == 5 * 32

    def test_what_is_trained_is_part_of_it(self, tmp_path):
        part = train(fresh_net([Freezer("hidden.*")]), 1)
        state = through_a_file(net_state(part, part.module_, part.callbacks_), tmp_path)
        other = fresh_net()
        load_net_state(other, other.module_, [], state, 1)
        assert not other.module_.hidden.weight.requires_grad
        assert other.module_.output.weight.requires_grad

    def test_callbacks_with_a_state_of_their_own(self):
        class Own(Callback):
            def __init__(self):
                self._secret = 0

            def state_dict(self):
                return {"secret": self._secret}

            def load_state_dict(self, state):
                self._secret = state["secret"]

        net, first, second = fresh_net(), Own(), Own()
        first._secret = 7
        state = net_state(net, net.module_, [("own", first)])
        load_net_state(net, net.module_, [("own", second)], state, 0)
        assert second._secret == 7

    def test_another_network_is_refused(self):
        first, second = fresh_net(), fresh_net(module__n_hidden=7)
        state = net_state(first, first.module_, [])
        with pytest.raises(ValueError, match=r"does not fit module of the net.*code"):
            load_net_state(second, second.module_, [], state, 0)

    def test_the_history_holds_what_a_file_can(self):
        net = train(fresh_net(), 1)
        net.history.record("thing", object())
        with pytest.raises(TypeError, match="under 'thing'"):
            net_state(net, net.module_, [])

    def test_generators_of_samplers(self):
        generator = torch.Generator().manual_seed(5)
        sampler = torch.utils.data.RandomSampler(range(40), generator=generator)
        net = fresh_net(iterator_train__sampler=sampler, iterator_train__shuffle=False)
        states = generator_states(net)
        assert set(states) == {
            "iterator_train__generator",
            "iterator_train__sampler",
            "iterator_valid__generator",
        }
        first = list(sampler)
        load_generator_states(net, states)
        assert list(sampler) == first


class Kind(IntEnum):
    ONE = 1


class TestFile:
    """The file holds plain values, of one run."""

    def test_values_come_back(self, tmp_path):
        state = {
            "numbers": [1, 2.5, None, True, "text", b"bytes"],
            "tuple": (0.9, 0.999),
            "arrays": {"a": np.arange(3), "b": np.array([True, False])},
            "tensor": torch.ones(2, requires_grad=True) * 2,
            3: np.float64(0.5),
        }
        back = through_a_file(state, tmp_path)
        assert back["numbers"] == state["numbers"]
        assert back["tuple"] == (0.9, 0.999)
        assert back[3] == 0.5 and type(back[3]) is float
        for name, array in state["arrays"].items():
            assert np.array_equal(back["arrays"][name], array)
            assert back["arrays"][name].dtype == array.dtype
        assert torch.equal(back["tensor"], torch.full((2,), 2.0))
        assert not back["tensor"].requires_grad

    @pytest.mark.parametrize("value", [object(), Kind.ONE, {1, 2}, len, np.array([{}])])
    def test_other_values_are_refused_when_they_are_written(self, tmp_path, value):
        with pytest.raises(TypeError, match="a checkpoint cannot keep"):
            Checkpoint(tmp_path / "state", "a run").save({"value": [value]})
        assert not (tmp_path / "state").exists()

    def test_a_part_of_a_file_is_passed_over(self, tmp_path):
        checkpoint = Checkpoint(tmp_path / "state", "a run")
        checkpoint.save({"step": 1})
        (tmp_path / "state.part").write_bytes(b"killed while it was writ")
        assert Checkpoint(tmp_path / "state", "a run").load() == {"step": 1}
        checkpoint.save({"step": 2})
        assert checkpoint.load() == {"step": 2}
        assert [file.name for file in tmp_path.iterdir()] == ["state"]

    def test_the_error_names_what_differs(self, tmp_path):
        label = {"a": "1", "b": "2", "c": "3"}
        Checkpoint(tmp_path / "state", label).save({})
        other = Checkpoint(tmp_path / "state", {"a": "1", "b": "4", "d": "5"})
        with pytest.raises(ValueError) as caught:
            other.load()
        assert "b=2, d=unknown, c=3" in str(caught.value)
        assert "b=4, d=5, c=unknown" in str(caught.value)

    def test_another_format_is_refused(self, tmp_path):
        content = {"version": 0, "label": "a run", "state": {}}
        torch.save(content, tmp_path / "state")
        with pytest.raises(ValueError, match="has version 0 of the format, not 1"):
            Checkpoint(tmp_path / "state", "a run").load()

    def test_due_after_its_seconds(self, tmp_path):
        assert Checkpoint(tmp_path / "state", "a run", 0.0).is_due()
        assert not Checkpoint(tmp_path / "state", "a run", 100.0).is_due()
        assert not Checkpoint(tmp_path / "state", "a run").is_due()


FINGERPRINTS = """
import functools, numpy as np, torch
from torch import nn
from skorch import NeuralNetClassifier
from skorch.callbacks import LRScheduler
from sklearn_pb.methods import Continuation, OneShot
from sklearn_pb.schedules import ExponentialSharpness
from sklearn_pb.utils import fingerprint

torch.manual_seed(0)
for value in (
    {"b": 1, "a": {3, 1, 2}},
    functools.partial(int, base=7),
    Continuation(sharpness=ExponentialSharpness(50.0)),
    OneShot("snip"),
    nn.Linear(2, 3),
    np.arange(4.0),
    torch.arange(4.0),
    torch.Generator().manual_seed(3),
    NeuralNetClassifier(nn.Linear, callbacks=[LRScheduler("StepLR", step_size=3)]),
    lambda x: x,
):
    print(fingerprint(value))
"""


class TestFingerprint:
    """The same in every process, another for other settings or data."""

    def test_it_is_the_same_in_every_process(self):
        command, here = [sys.executable, "-c", FINGERPRINTS], io.StringIO()
        there = subprocess.check_output(command, text=True)
        with contextlib.redirect_stdout(here):
            exec(FINGERPRINTS, {"__name__": "__main__"})
        assert here.getvalue() == there
        assert len(set(there.split())) == 10

    @pytest.mark.parametrize(
        "values",
        [
            (1, 1.0, "1", True),
            ([1, 2], [2, 1], [1, [2]]),
            (np.zeros(2), np.zeros(3), np.zeros(2, np.float32), np.zeros((1, 2))),
            (Continuation(), Continuation(s_init=0.5)),
            (len, sorted, str, functools.partial(int, base=2)),
            (nn.Linear, nn.LazyLinear(2), nn.Linear(1, 1)),
        ],
    )
    def test_other_values_have_another(self, values):
        assert len({fingerprint(value) for value in values}) == len(values)

    @pytest.mark.parametrize(
        "values",
        [
            (0.5, np.float64(0.5)),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            (np.arange(4.0)[::2], np.array([0.0, 2.0])),
        ],
    )
    def test_equal_values_have_the_same(self, values):
        assert len({fingerprint(value) for value in values}) == 1


class TestLabel:
    """What a run must agree on."""

    def test_short_settings_are_shown(self):
        label = run_label({"a": 0.5, "b": np.float64(1.0)}, None, {"X": np.zeros(3)})
        assert label["a"] == "0.5" and label["b"] == "1.0"
        assert label["estimator"] == "None"
        assert label["X"].startswith("array (3,) ")

    def test_weights_of_an_instance_do_not_count(self):
        first, second, other = (
            run_label({}, NeuralNetClassifier(Net(n)), {}) for n in (6, 6, 7)
        )
        assert first == second != other

    def test_the_display_does_not_count(self):
        nets = (
            NeuralNetClassifier(Net, verbose=v, callbacks__print_log__sink=s)
            for v, s in ((0, print), (1, id))
        )
        first, second = (run_label({}, net, {}) for net in nets)
        assert first == second
        assert first["estimator__module"].endswith("Net")
        assert first["estimator__lr"] == "0.01"

    def test_lazy_modules_and_odd_settings(self):
        label = run_label({"a": [lambda: 0], "b": "x" * 99}, nn.LazyLinear(2), {})
        assert label["a"].startswith("list ") and " at 0x" not in label["a"]
        assert len(label["b"]) < 60
        assert label["estimator"].startswith("LazyLinear ")
