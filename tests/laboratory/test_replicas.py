"""Batched estimators against those of the library, for the same address of draws."""

import pytest
import torch
from laboratory.replicas import (
    COVARIANCES,
    ReplicaRuns,
    World,
    straight_through,
)

from sklearn_pb.functions import ExponentialTabularLoss, NNLoss
from sklearn_pb.gradients import ESTIMATORS, exact
from sklearn_pb.gradients import straight_through as straight_through_of_one
from sklearn_pb.utils import RandomStream

D = 4
LIMIT = 5.0


@pytest.fixture(name="world", scope="module")
def make_world():
    return World.named("NNLoss", D)


def rows_of_logits(n_seeds):
    return torch.linspace(-2, 2, n_seeds * D, dtype=torch.float64).reshape(-1, D)


@pytest.mark.parametrize("name", COVARIANCES)
def test_one_replica_is_the_library(name, world):
    logits, stream = rows_of_logits(1), RandomStream(3)
    found = COVARIANCES[name](world, torch.sigmoid(logits), 6, stream)
    expected = ESTIMATORS[name](world.function, logits[0], stream, n_samples=6)
    torch.testing.assert_close(found[0], expected.gradient)


def test_one_replica_of_straight_through_is_the_library(world):
    logits, stream = rows_of_logits(1), RandomStream(3)
    found = straight_through(world, torch.sigmoid(logits), 6, stream)
    expected = straight_through_of_one(world.function, logits[0], stream, n_samples=6)
    torch.testing.assert_close(found[0], expected.gradient)


@pytest.mark.parametrize("name", COVARIANCES)
def test_replicas_are_unbiased_and_apart(name, world):
    logits = rows_of_logits(2).repeat(200, 1)
    found = COVARIANCES[name](world, torch.sigmoid(logits), 4, RandomStream(1))
    for k in range(2):
        truth = exact(world.function, logits[k]).gradient
        seen = found[k::2]
        error = seen.std(0) / 200**0.5
        assert bool(((seen.mean(0) - truth).abs() <= LIMIT * error + 1e-12).all())
        assert len(seen.unique(dim=0)) > 1 or name == "exact"


def test_worlds_are_those_of_the_library():
    for name, make in (
        ("NNLoss", NNLoss),
        ("ExponentialTabularLoss", ExponentialTabularLoss),
    ):
        Z = torch.eye(D, dtype=torch.float64)
        world = World.named(name, D, number=7)
        torch.testing.assert_close(world.table(Z), make(D, random_state=7)(Z))
        assert world.least < world.second


@pytest.mark.parametrize("method", ["loorf", "st", "cp", "exact"])
def test_runs(method):
    run = {
        "benchmark": "NNLoss",
        "method": method,
        "parametrization": "sigmoid",
        "n_samples": 4,
        "steps": 200,
        "seeds": 3,
        "learning_rate": 0.1,
    }
    rows = list(ReplicaRuns()(run))
    assert rows[0]["step"] == 0
    assert rows[-1]["step"] == 200
    assert rows[-1]["mean"] < rows[0]["mean"]
    last = [float(loss) for loss in rows[-1]["last"].split()]
    assert len(last) == 3
    assert rows[-1]["mean"] == pytest.approx(sum(last) / 3, rel=1e-3)
    assert rows[0]["last"] == ""
    assert (rows[-1]["std"] == 0) == (method in ("cp", "exact"))
