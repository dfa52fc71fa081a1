"""What reaches the network: integers for embeddings; settings that are no use."""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MaskPruner
from sklearn_pb.constraints import L0Penalty


class Words(nn.Module):
    """Looks its inputs up, and takes down their types."""

    seen: set = set()

    def __init__(self, n_words=20):
        super().__init__()
        self.table = nn.Embedding(n_words, 6)
        self.output = nn.Linear(30, 2)

    def forward(self, X):
        Words.seen.add(X.dtype)
        return self.output(self.table(X).flatten(1))


def net(module=Words, **options):
    return NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.05,
        max_epochs=10,
        **options,
    )


@pytest.fixture
def words():
    X = np.random.default_rng(0).integers(0, 20, size=(200, 5)).astype(np.int32)
    return X, (X == 3).any(1).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [Words, Words(), net(), net(Words()), net(module__n_words=25)],
    ids=["class", "instance", "net of class", "net of instance", "with parameters"],
)
def test_integers_reach_embeddings(words, estimator, tmp_path):
    X, y = words
    Words.seen.clear()
    state = torch.get_rng_state()
    pruner = MaskPruner(estimator, method="gmp", sparsity=0.3, random_state=0)
    pruner.fit(X, y)
    assert pruner.predict(X).shape == (200,)
    assert pruner.report_.total.weights > 0
    module = pruner.export("compact")
    assert module(torch.as_tensor(X, dtype=torch.int64)).shape == (200, 2)
    pruner.export("safetensors", tmp_path / "net")
    assert Words.seen == {torch.int64}
    assert torch.equal(torch.get_rng_state(), state)


def test_integers_in_every_call(words):
    Words.seen.clear()
    pruner = MaskPruner(net(), method="gmp", sparsity=0.3, random_state=0)
    for _ in range(3):
        pruner.partial_fit(*words)
    assert Words.seen == {torch.int64}


def test_other_networks_get_floats(words):
    class Plain(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(5, 2))

        def forward(self, X):
            assert X.dtype == torch.float32
            return super().forward(X)

    MaskPruner(net(Plain), method="gmp", sparsity=0.3, random_state=0).fit(*words)


def test_a_constraint_is_an_object(words):
    with pytest.raises(TypeError, match=r"constraint=L0Penalty is a class.*y\(\)"):
        MaskPruner(sparsity=0.5, constraint=L0Penalty).fit(*words)


@pytest.mark.parametrize("device", ["foo", "cuda:999", "cuda:99", "cuda"])
def test_a_device_that_is_not_there(words, device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    Words.seen.clear()
    with pytest.raises(ValueError, match=f"device='{device}'"):
        MaskPruner(net(), sparsity=0.5, device=device).fit(*words)
    assert not Words.seen
