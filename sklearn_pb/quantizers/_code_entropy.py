"""How many bits a file needs for codes, without writing it."""

from __future__ import annotations

from collections.abc import Sequence

from ._code_plans import CodePlan
from ._entropy import stream_bits
from ._quantized_tensor import QuantizedTensor

STEP_BITS = 32
HEADER_BITS = 720.0  # of a file, about, and below those for each tensor in it:
TENSOR_BITS = 160.0  # its name, shape and models


def coded_bits(quantized: Sequence[QuantizedTensor]) -> float:
    """Return how many bits a file needs for quantized tensors.

    Codes, bits and steps are counted as `sklearn_pb.export.save_quantized` writes them,
    each tensor by the cheapest of its models, with what the file says about it. The
    sizes of adaptive codes are computed from the counts of symbols, without coding, and
    are within a percent of the file's.

    Parameters
    ----------
    quantized : sequence of QuantizedTensor
        The tensors.

    Returns
    -------
    bits : float
        Their share of a file; 8 times its bytes, but for what is not quantized.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import QuantizedTensor, coded_bits
    >>> generator = torch.Generator().manual_seed(0)
    >>> codes = torch.randint(0, 2, (100, 100), generator=generator, dtype=torch.int32)
    >>> bits = torch.tensor(1, dtype=torch.uint8)
    >>> coded_bits([QuantizedTensor(2 * codes - 1, torch.tensor(1.0), bits)])
    10912.0
    """
    plans = [CodePlan.of(tensor, exact=False) for tensor in quantized]
    steps = STEP_BITS * sum(tensor.step.numel() for tensor in quantized)
    coded = stream_bits([part for own in plans for part in own.plans])
    return HEADER_BITS + coded + steps + TENSOR_BITS * len(plans)
