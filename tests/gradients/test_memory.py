"""Extra memory stays within 4 d floats, whatever the number of samples."""

import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
import torch

from sklearn_pb.gradients import ESTIMATORS
from sklearn_pb.utils import RandomStream

D = 10**6
CONSTANT = 2 << 20
STOCHASTIC = sorted(set(ESTIMATORS) - {"exact"})


def linear_cost(d):
    """A linear J that makes nothing bigger than a block of a row."""
    weights = np.linspace(-1, 1, d, dtype=np.float32)

    def cost(Z):
        return torch.tensor([float(np.dot(row, weights)) for row in Z.numpy()])

    return cost


@pytest.mark.parametrize("n", [10, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", STOCHASTIC)
def test_what_numpy_allocates(name, n):
    estimator, function, logits = ESTIMATORS[name], linear_cost(D), torch.zeros(D)
    estimator(linear_cost(10), torch.zeros(10), RandomStream(0), n_samples=n)
    tracemalloc.start()
    try:
        estimator(function, logits, RandomStream(1), n_samples=n)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 4 * D * 4 + CONSTANT


SCRIPT = """
import resource, sys
import torch
from sklearn_pb.gradients import ESTIMATORS
from sklearn_pb.utils import RandomStream

def peak():
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale

name, n, d = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
small = torch.ones(1000)
for _ in range(3):  # whatever is loaded on first use
    ESTIMATORS[name](lambda Z: Z @ small, small, RandomStream(0), n_samples=n)
weights, logits = torch.linspace(-1, 1, d), torch.zeros(d)
before = peak()
ESTIMATORS[name](lambda Z: Z @ weights, logits, RandomStream(1), n_samples=n)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module")
@pytest.mark.parametrize("n", [2, 10, 30])
@pytest.mark.parametrize("name", STOCHASTIC)
def test_what_the_process_needs(name, n):
    """The allocations of torch too; a big d, so that nothing else counts."""
    d = 8 * 10**6
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), name, str(n), str(d)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 4 * d * 4 + 2 * CONSTANT
