"""Bits that follow from codes are not stored, and come back with shape and type."""

import pytest
import torch

from sklearn_pb.quantizers import QuantizedTensor, coded_bits
from sklearn_pb.quantizers._bit_maps import bits_from, describe_bits, stored_shape
from sklearn_pb.quantizers._code_plans import CodePlan, read_codes, write_codes


def tensor_of(codes, bits, step=0.5):
    codes = torch.as_tensor(codes, dtype=torch.int32)
    bits = torch.as_tensor(bits, dtype=torch.uint8)
    return QuantizedTensor(codes, torch.as_tensor(step, dtype=torch.float32), bits)


def smol(shape, granularity="channel", seed=0, zeros=0.1):
    """Codes with P = 3 and the bits that they have."""
    generator = torch.Generator().manual_seed(seed)
    size = shape if granularity == "parameter" else (shape[0], *[1] * (len(shape) - 1))
    bits = torch.randint(0, 4, size, generator=generator).expand(shape)
    bits = bits * (torch.rand(shape, generator=generator) > zeros)
    draws = torch.rand(shape, generator=generator)
    odd = 2 * (draws * 2**bits).floor().int() + 1 - 2**bits
    codes = torch.where(bits > 0, odd * 2 ** (3 - bits), 0)
    return tensor_of(codes, bits)


def there_and_back(*tensors):
    description, data = write_codes([CodePlan.of(tensor) for tensor in tensors])
    back = read_codes(description, data, [tensor.step for tensor in tensors])
    for before, after in zip(tensors, back, strict=True):
        for part in ("codes", "step", "bits"):
            first, second = getattr(before, part), getattr(after, part)
            assert first.dtype == second.dtype
            assert first.shape == second.shape
            assert torch.equal(first, second)
    return data


SIGNS = [[1, -1, 0], [3, 0, -1]]
EVEN = [[1, -2, 0], [3, 0, -1]]  # with a code whose power of two tells other bits
TENSORS = {
    "from the codes": (smol((6, 4, 3, 3), "parameter"), "codes", None),
    "of channels, from the codes": (
        tensor_of([[4, -4], [2, -6], [0, 0]], [[1], [2], [0]]),
        "codes",
        None,
    ),
    "all zero": (tensor_of([[0, 0]], [[0, 0]]), "codes", None),
    "but for zeros": (tensor_of(EVEN, [[4, 4, 0], [4, 0, 4]]), "zeros", (1, 1)),
    "of channels but for zeros": (
        tensor_of(SIGNS, [[4, 4, 0], [2, 0, 2]]),
        "zeros",
        (2, 1),
    ),
    "of columns but for zeros": (
        tensor_of([[1, -1, 0], [3, 0, -1]], [[4, 2, 0], [4, 0, 3]]),
        "zeros",
        (1, 3),
    ),
    "one number, that of the odd codes": (tensor_of(EVEN, 4), "codes", None),
    "one number": (tensor_of(EVEN, 1), "map", ()),
    "one number of the same rank": (tensor_of(EVEN, [[1]]), "map", (1, 1)),
    "of channels": (tensor_of(SIGNS, [[4], [2]]), "map", (2, 1)),
    "of fewer axes": (tensor_of(SIGNS, [4, 2, 1]), "map", (3,)),
    "arbitrary": (tensor_of(SIGNS, [[4, 1, 3], [2, 9, 8]]), "map", (2, 3)),
    "empty": (tensor_of(torch.zeros(0, 3), 4), "map", ()),
    "scalar": (tensor_of(3, 2), "codes", None),
    "more than 16 bits": (tensor_of([2**20 + 1], [21]), "map", (1,)),
}


@pytest.mark.parametrize("name", TENSORS)
def test_as_little_as_possible_is_stored(name):
    tensor, rule, shape = TENSORS[name]
    description, stored = describe_bits(tensor)
    assert description[0] == rule
    assert (None if stored is None else tuple(stored.shape)) == shape
    assert stored_shape(description, tuple(tensor.bits.shape)) == shape
    bits = bits_from(description, stored, tensor.codes, tuple(tensor.bits.shape))
    assert bits.dtype == torch.uint8
    assert torch.equal(bits, tensor.bits)
    there_and_back(tensor)


def test_tensors_come_back_together():
    there_and_back(*[tensor for tensor, *_ in TENSORS.values()])


def test_expanded_bits_and_steps_of_channels_come_back():
    bits = torch.tensor([[2], [1]], dtype=torch.uint8).expand(2, 3)
    step = torch.tensor([[0.1], [0.2]])
    there_and_back(QuantizedTensor(torch.ones(2, 3, dtype=torch.int32), step, bits))


def test_bits_that_the_codes_tell_cost_nothing():
    tensor = smol((32, 16, 3, 3))
    alone = CodePlan.of(tensor).codes.bits
    assert 8 * len(there_and_back(tensor)) < 1.01 * alone + 64


@pytest.mark.parametrize("granularity", ["channel", "parameter"])
@pytest.mark.parametrize("shapes", [[(8, 4, 3, 3)] * 3, [(64, 300), (10, 64)]])
def test_coded_bits_are_those_of_the_data(granularity, shapes):
    tensors = [smol(shape, granularity, seed) for seed, shape in enumerate(shapes)]
    data = 8 * len(there_and_back(*tensors)) + 32 * len(tensors)
    header = 720 + 160 * len(tensors)
    assert coded_bits(tensors) == pytest.approx(data + header, rel=0.01, abs=64)


def test_coded_bits_of_nothing():
    assert coded_bits([]) < 1000
