"""Codes times steps."""

import math

import pytest
import torch

from sklearn_pb.quantizers import (
    QuantizedTensor,
    bits_of_codes,
    quantize_smol,
    smol_codes,
    zero_precision,
)


def make(codes=(1, -3, 0), step=0.5, bits=(2, 2, 0)):
    return QuantizedTensor(
        torch.tensor(codes, dtype=torch.int32),
        torch.tensor(step),
        torch.tensor(bits, dtype=torch.uint8),
    )


def test_weights_and_numbers():
    quantized = make()
    assert quantized.dequantize().tolist() == [0.5, -1.5, 0.0]
    assert quantized.dequantize().dtype == torch.float32
    assert quantized.shape == (3,)
    assert quantized.mean_bits == pytest.approx(4 / 3)
    assert quantized.sparsity == pytest.approx(1 / 3)


def test_steps_and_bits_of_channels():
    codes = torch.tensor([[1, -1], [3, 0]], dtype=torch.int32)
    step = torch.tensor([[2.0], [0.25]])
    quantized = QuantizedTensor(codes, step, torch.tensor([[1], [4]]).to(torch.uint8))
    assert quantized.dequantize().tolist() == [[2.0, -2.0], [0.75, 0.0]]
    assert quantized.mean_bits == 2.5


def test_an_empty_tensor():
    quantized = make(codes=(), bits=())
    assert quantized.mean_bits == quantized.sparsity == 0.0
    assert quantized.dequantize().shape == (0,)


def test_a_smol_tensor_is_rebuilt_bit_for_bit():
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(8, 50, generator=generator)
    scale = weights.abs().amax(1, keepdim=True) / 2  # any float32, not a power of two
    bits = torch.randint(0, 8, (8, 1), generator=generator).to(torch.uint8)
    bits = zero_precision(weights / scale, bits)
    codes = smol_codes(weights / scale, bits, 7)
    quantized = QuantizedTensor(codes, scale * 2.0**-6, bits)
    wanted = quantize_smol(weights / scale, bits) * scale
    assert torch.equal(quantized.dequantize(), wanted)
    assert torch.equal(bits_of_codes(quantized.codes, 7), bits)
    assert 0 < quantized.sparsity < 1
    assert quantized.sparsity == float((bits == 0).double().mean())


@pytest.mark.parametrize(
    "name, dtype", [("codes", torch.int64), ("step", torch.float64)]
)
def test_other_types_are_refused(name, dtype):
    parts = {"codes": make().codes, "step": make().step, "bits": make().bits}
    parts[name] = parts[name].to(dtype)
    with pytest.raises(TypeError, match=f"{name} must be a tensor of"):
        QuantizedTensor(**parts)


def test_shapes_must_go_together():
    with pytest.raises(ValueError, match=r"step has shape \(2,\)"):
        make(step=(1.0, 1.0))
    with pytest.raises(ValueError, match=r"bits has shape \(2, 1\)"):
        make(bits=((1,), (1,)))


@pytest.mark.parametrize("step", [math.nan, math.inf])
def test_a_step_is_finite(step):
    with pytest.raises(ValueError, match="not finite"):
        make(step=step)
