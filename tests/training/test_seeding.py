"""Random torch code drawing from one generator, the global one left alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_pb.training import SeededDraws

DRAWS = {
    "linear": lambda: nn.Linear(5, 4).weight,
    "conv": lambda: nn.Conv2d(2, 3, 3).weight,
    "embedding": lambda: nn.Embedding(4, 3).weight,
    "lstm": lambda: nn.LSTM(4, 3).weight_hh_l0,
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2)(torch.ones(3, 2, 8)),
    "attention": lambda: nn.MultiheadAttention(8, 2, dropout=0.3)(
        *[torch.ones(3, 2, 8)] * 3
    )[0],
    "dropout": lambda: F.dropout(torch.ones(50)),
    "dropout in place": lambda: F.dropout(torch.ones(50), inplace=True),
    "dropout2d": lambda: F.dropout2d(torch.ones(4, 9, 2, 2)),
    "alpha dropout": lambda: F.alpha_dropout(torch.ones(50), training=True),
    "rrelu": lambda: F.rrelu(-torch.ones(50), training=True),
    "gumbel": lambda: F.gumbel_softmax(torch.zeros(5, 4)),
    "rand": lambda: torch.rand(9),
    "randn_like": lambda: torch.randn_like(torch.ones(9)),
    "randint": lambda: torch.randint(1000, (9,)),
    "randperm": lambda: torch.randperm(50),
    "bernoulli": lambda: torch.bernoulli(torch.full((50,), 0.5)),
    "multinomial": lambda: torch.multinomial(torch.ones(50), 20),
    "normal": lambda: torch.normal(torch.zeros(9), 1.0),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(4, 4)),
    "trunc normal": lambda: nn.init.trunc_normal_(torch.empty(9)),
}


def drawn(draw, seed):
    mode = SeededDraws(torch.Generator().manual_seed(seed))
    with mode, torch.no_grad():
        value = draw().clone()
    return value, mode.used


@pytest.mark.parametrize("name", DRAWS)
def test_draws_follow_the_generator_alone(name):
    before = torch.get_rng_state()
    first, used = drawn(DRAWS[name], 1)
    again, _ = drawn(DRAWS[name], 1)
    other, _ = drawn(DRAWS[name], 2)
    assert used
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_keeps_its_meaning_and_its_gradient():
    X = torch.ones(20_000, requires_grad=True)
    with SeededDraws(torch.Generator().manual_seed(0)):
        output = F.dropout(X, 0.25)
    output.sum().backward()
    assert output.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert output.mean().item() == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(X.grad, output.detach())


def test_code_that_draws_nothing_is_noticed():
    _, used = drawn(lambda: F.relu(torch.ones(3)), 0)
    assert not used
