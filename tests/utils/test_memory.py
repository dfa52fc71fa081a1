"""Where vectors lie in their pages."""

import torch

from sklearn_pb.utils import placed


def test_large_vectors_begin_at_their_places():
    values = torch.arange(20_000.0)
    for place in range(4):
        there = placed(values, place)
        assert there.data_ptr() % 4096 == 1024 * place
        assert torch.equal(there, values)
        assert there.data_ptr() != values.data_ptr()
    doubles = placed(values.double().view(100, 200), 1)
    assert doubles.shape == (100, 200)
    assert torch.equal(doubles, values.double().view(100, 200))


def test_small_ones_stay_where_they_are():
    values = torch.zeros(100)
    assert placed(values, 1) is values
