"""Continuous sparsification: Savarese (2025), algorithm 1."""

import pytest
import torch

from sklearn_pb.methods import Continuation, SearchSpace
from sklearn_pb.utils import RandomStream


def start(d=4, sparsity=None, **options):
    return Continuation(**options).start(SearchSpace(d, RandomStream(0), sparsity))


def test_the_mask_is_the_sharpened_sigmoid():
    search = start(beta_final=100.0)
    search.logits.copy_(torch.tensor([-1.0, -0.01, 0.01, 1.0]))
    for progress, beta in ((0.0, 1.0), (0.5, 10.0), (1.0, 100.0)):
        search.advance(progress)
        assert search.beta == pytest.approx(beta)
        expected = torch.sigmoid(beta * search.logits)
        torch.testing.assert_close(search.mask(), expected)
        torch.testing.assert_close(search.probabilities(), expected)
        assert search.density() == pytest.approx(float(expected.mean()))
    assert search.harden().tolist() == [False, False, True, True]


def test_the_mask_at_the_end_is_one_where_s_is_at_least_zero():
    assert start(s_init=0.0).harden().all()
    assert not start(s_init=-1e-3).harden().any()


@pytest.mark.parametrize("s_init", [-1000.0, -3.0, 0.0, 0.1, 1000.0])
def test_s_starts_where_it_is_told(s_init):
    search = start(s_init=s_init)
    assert torch.equal(search.logits, torch.full((4,), s_init))


@pytest.mark.parametrize("s_init", [-20.0, 20.0])
def test_a_far_start_stays_finite(s_init):
    search = start(s_init=s_init)
    for step in range(20):
        search.advance(step / 20)
        search.mask()
        search.update(None, torch.ones(4))
    assert torch.isfinite(search.logits).all()


def test_the_logits_stay_where_their_gradient_lives():
    free, kept = start(saturation=None), start(saturation=8.0)
    for search in (free, kept):
        for step in range(200):
            search.advance(step / 200)
            search.mask()
            search.update(None, torch.tensor([1.0, -1.0, 1.0, -1.0]))
    assert (kept.logits.abs() * kept.beta <= 8.0 * (1 + 1e-6)).all()
    assert (free.logits.abs() * free.beta > 8.0).all()
    assert torch.equal(kept.harden(), free.harden())


def test_room_to_prune_is_left_for_a_low_sparsity():
    assert start(sparsity=0.2).density() == pytest.approx(0.9)
    assert start(sparsity=0.9).density() == pytest.approx(0.5)
