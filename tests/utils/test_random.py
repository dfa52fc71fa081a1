"""Random streams: addresses, not state."""

import numpy as np
import pytest
import torch

from sklearn_pb.utils import RandomStream


def test_a_stream_is_its_address():
    stream = RandomStream(7).child(1, 2)
    assert stream == RandomStream(7, (1, 2)) == RandomStream(7).child(1).child(2)
    assert stream.key == RandomStream(7, (1, 2)).key
    assert len({stream, RandomStream(7, (1, 2))}) == 1


def test_different_addresses_have_different_keys():
    root = RandomStream(0)
    streams = [RandomStream(seed) for seed in range(1000)]
    streams += [root.child(i) for i in range(1000)]
    streams += [root.child(i, j) for i in range(40) for j in range(40)]
    assert len({stream.key for stream in streams}) == len(streams)


def test_the_order_of_a_path_matters():
    assert RandomStream(0, (1, 2)).key != RandomStream(0, (2, 1)).key


def test_keys_use_all_bits():
    keys = np.array([RandomStream(0, (i,)).key for i in range(4000)], np.uint64)
    bits = (keys[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    z = (bits.mean(axis=0) - 0.5) / (0.5 / np.sqrt(len(keys)))
    assert np.abs(z).max() < 4.5


def test_sample_keys_depend_on_the_sample_number_alone():
    stream = RandomStream(3, (1,))
    every = stream.sample_keys(np.arange(10))
    some = stream.sample_keys(np.array([7, 2]))
    for a, b in zip(every, some, strict=True):
        np.testing.assert_array_equal(a[[7, 2]], b)
    assert len(set(every[0].tolist() + every[1].tolist())) == 20


def test_torch_generators_of_an_address_agree():
    stream = RandomStream(5)
    draws = [torch.rand(4, generator=stream.torch_generator()) for _ in range(2)]
    assert torch.equal(*draws)
    other = torch.rand(4, generator=stream.child(0).torch_generator())
    assert not torch.equal(draws[0], other)


@pytest.mark.parametrize("integer", [int, np.int32, np.int64, np.uint32])
def test_an_int_is_the_seed_itself(integer):
    assert RandomStream.from_random_state(integer(12)) == RandomStream(12)


def test_a_random_state_advances():
    generator = np.random.RandomState(0)
    first, second = (RandomStream.from_random_state(generator) for _ in range(2))
    assert first != second
    assert first == RandomStream.from_random_state(np.random.RandomState(0))


def test_none_is_a_new_seed_each_time_and_leaves_numpy_alone():
    before = np.random.mtrand._rand.get_state()[1].copy()
    assert RandomStream.from_random_state(None) != RandomStream.from_random_state(None)
    np.testing.assert_array_equal(before, np.random.mtrand._rand.get_state()[1])


@pytest.mark.parametrize("wrong", ["0", 1.5, -1, 2**32])
def test_what_scikit_learn_refuses_is_refused(wrong):
    with pytest.raises(ValueError):
        RandomStream.from_random_state(wrong)
