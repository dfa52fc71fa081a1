"""The Triton kernels draw what the plain torch ones draw.

Without a GPU they run in Triton's interpreter, in a process of its own, because the
interpreter is chosen when a kernel is defined.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import sklearn_pb
from sklearn_pb.kernels import _reference, backend_for
from sklearn_pb.utils import RandomStream

KERNELS_ALONE = """
import runpy, sys, types
package = sys.modules["sklearn_pb"] = types.ModuleType("sklearn_pb")
package.__path__ = [sys.argv[1]]
package.__file__ = sys.argv[1] + "/__init__.py"
runpy.run_path(sys.argv[2], run_name="__main__")
"""  # the rest of the package takes seconds to load

STREAM = RandomStream(11, (2, 3))
needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="triton is not installed (Linux only)"
)


def some_probabilities(d, dtype, device):
    p = torch.rand(d, generator=torch.Generator().manual_seed(d), dtype=torch.float64)
    special = torch.tensor([0.5, 0.0, 1.0, 2.0**-20, 1 - 2.0**-20, 0.25, 1e-3])
    p[: len(special)] = special[:d].double()
    return p.to(device, dtype)


def probabilities_that_tie(p, samples, device):
    """Probabilities whose 8 leading bits are the draws of a sample."""
    coordinates = torch.arange(len(p), device=device)
    keys = _reference._keys(STREAM, samples[:1], device)
    (words,) = _reference.words(*keys, coordinates // 8)
    draws = torch.bitwise_right_shift(words, coordinates % 8 * 8) & 0xFF
    shares = torch.linspace(0, 0.999, len(p), dtype=torch.float64, device=device)
    return ((draws + shares) / 256).to(p.dtype)


def compare_bernoulli(triton, p, samples, weights):
    limits = triton.bernoulli_thresholds(p)
    z = triton.bernoulli(p, limits, STREAM, samples)
    expected = _reference.bernoulli(p, limits, STREAM, samples)
    assert z.dtype == p.dtype
    assert torch.equal(z, expected)
    total = triton.bernoulli_weighted_sum(p, limits, STREAM, weights)
    expected = _reference.bernoulli_weighted_sum(p, limits, STREAM, weights)
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=1e-6)


def as_integers(halves):
    return halves.long()[0] * 65536 + halves.long()[1]


def compare_coupled(triton, p, samples, weights):
    n, dtype = len(weights), p.dtype
    complement = p > 0.5
    limits = triton.dirichlet_thresholds(p, STREAM, n)
    expected = _reference.dirichlet_thresholds(p, STREAM, n)
    # A logarithm may differ in its last bit, and with it a threshold by one.
    assert (as_integers(limits) - as_integers(expected)).abs().max() <= 1
    # Draws tie with these upper halves; the lower ones decide.
    (draws,) = _reference._draws(STREAM, samples[:1], len(p), p.device)
    limits[0, ::3] = draws[::3].to(torch.uint16)
    z = triton.coupled(limits, complement, STREAM, samples, dtype)
    assert z.dtype == dtype
    expected = _reference.coupled(limits, complement, STREAM, samples, dtype)
    assert torch.equal(z, expected)
    total = triton.coupled_weighted_sum(limits, complement, STREAM, weights, dtype)
    expected = _reference.coupled_weighted_sum(
        limits, complement, STREAM, weights, dtype
    )
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=1e-6)


def compare(triton, device, n=57):
    cases = {torch.float32: [(5, n), (1023, 3)], torch.float64: [(1025, 2)]}
    for dtype, sizes in cases.items():
        for d, n in sizes:
            samples = range(n - 1, -1, -2)
            weights = torch.linspace(-2, 3, n, dtype=dtype, device=device)
            p = some_probabilities(d, dtype, device)
            compare_bernoulli(triton, p, samples, weights)
            compare_bernoulli(
                triton, probabilities_that_tie(p, samples, device), samples, weights
            )
            compare_coupled(triton, p, samples, weights)


@needs_triton
def test_interpreted_kernels_agree_with_the_reference():
    root = str(Path(sklearn_pb.__file__).parent)
    environment = dict(os.environ, TRITON_INTERPRET="1")
    command = [sys.executable, "-c", KERNELS_ALONE, root, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.gpu
@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_compiled_kernels_agree_with_the_reference():
    device = torch.device("cuda")
    compare(backend_for(device), device)


def signatures(kernels, real):
    """Types of the arguments of each kernel, as a launch on CUDA would give them."""
    types = {
        **dict.fromkeys(["p", "weights", "out"], f"*{real}"),
        **dict.fromkeys(["n", "d", "blocks"], "i32"),
        **dict.fromkeys(["WORDS", "FACTORS", "FACTORS_A_LOGARITHM"], "constexpr"),
        "thresholds": "*u16",
        "flips": "*i1",
        "keys": "*i64",
    }
    for name in ("bernoulli", "bernoulli_sum", "coupled", "coupled_sum", "dirichlet"):
        kernel = getattr(kernels, f"_{name}_kernel")
        signature = {argument: types[argument] for argument in kernel.arg_names}
        if name == "dirichlet":
            signature["out"] = "*u16"
        if name.startswith("bernoulli"):
            signature["thresholds"] = "*u8"
        yield kernel, signature


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize("real", ["fp32", "fp64"])
def test_kernels_compile_for_cuda(real):
    """Triton brings its own compiler: no device is needed."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from sklearn_pb.kernels import _triton

    for kernel, signature in signatures(_triton, real):
        constants = {
            argument: getattr(_triton, argument)
            for argument, kind in signature.items()
            if kind == "constexpr"
        }
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        compiled = triton.compile(
            source, target=GPUTarget("cuda", 90, 32), options=_triton.EXACT
        )
        assert compiled.asm["cubin"]


if __name__ == "__main__":
    # Whoever has no GPU does not wait for triton to load.
    assert "sklearn_pb.kernels._triton" not in sys.modules
    from sklearn_pb.kernels import _triton

    # Few samples then need the logarithms of several products.
    for module in (_triton, _reference):
        module.FACTORS, module.FACTORS_A_LOGARITHM = 2, 4
    compare(_triton, torch.device("cpu"), n=9)
