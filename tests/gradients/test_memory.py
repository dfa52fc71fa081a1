"""Extra memory stays within 4 d floats, whatever the number of samples.

Extra is all that lives at some moment of a call besides the logits, the gradient that
is returned and what J itself needs: vectors, scratch memory, temporaries. For a big d
the gradient may be counted as well.
"""

import subprocess
import sys
import textwrap
import tracemalloc
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklearn_pb.gradients import ESTIMATORS, arms, loorf, traits_of
from sklearn_pb.utils import RandomStream

D = 10**6
CONSTANT = 2 << 20
STOCHASTIC = sorted(
    name
    for name, estimator in ESTIMATORS.items()
    if traits_of(estimator).most_variables is None
    and not traits_of(estimator).needs_relaxable  # its slopes would count as well
)


class Allocations(TorchDispatchMode):
    """Most bytes that torch storages and traced numpy arrays had at the same moment."""

    def __init__(self):
        super().__init__()
        self.peak = self._of_torch = 0
        self._alive = {}

    def __enter__(self):
        super().__enter__()
        torch.zeros(1)  # the first time, torch loads hundreds of modules
        tracemalloc.start()
        return self

    def __exit__(self, *error):
        super().__exit__(*error)
        self._look()
        tracemalloc.stop()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        given = {storage.data_ptr() for storage in storages((args, kwargs))}
        self._look()
        result = operation(*args, **(kwargs or {}))
        for storage in storages(result):
            # What was given may be a numpy array, which tracemalloc counts.
            address = storage.data_ptr()
            if address not in given and address not in self._alive:
                self._of_torch += storage.nbytes()
                freed = partial(self._freed, address, storage.nbytes())
                self._alive[address] = weakref.ref(storage, freed)
        self._look()
        return result

    def _freed(self, address, size, _):
        self._look()
        del self._alive[address]
        self._of_torch -= size

    def _look(self):
        _, since_last_look = tracemalloc.get_traced_memory()
        self.peak = max(self.peak, self._of_torch + since_last_look)
        tracemalloc.reset_peak()


def storages(tree):
    return [x.untyped_storage() for x in tree_leaves(tree) if torch.is_tensor(x)]


def linear_cost(d):
    """A linear J that makes nothing bigger than a block of a row."""
    weights = np.linspace(-1, 1, d, dtype=np.float32)

    def cost(Z):
        return torch.tensor([float(np.dot(row, weights)) for row in Z.numpy()])

    return cost


def extra_bytes(estimator, d, n):
    function, logits = linear_cost(d), torch.linspace(-2, 2, d)
    for _ in range(2):  # the first time, code and caches are loaded as well
        with Allocations() as allocations:
            estimator(function, logits, RandomStream(1), n_samples=n)
    return allocations.peak


def test_what_counts():
    """By hand: three vectors at once at most, one of them numpy's, a view for free."""
    with Allocations() as allocations:
        a = torch.zeros(D)
        b = (a + 1)[: D // 2]
        del a
        c = np.zeros(D, np.float32)
        e = torch.from_numpy(c).add_(1)
        assert e.sum() > 0
        del b
        c = np.zeros(D, np.float32)
    assert 2 * D * 4 <= allocations.peak < 2.1 * D * 4


@pytest.mark.parametrize("n", [2, 10, 100])
@pytest.mark.parametrize("estimator", [loorf, arms])
def test_small_d(estimator, n):
    d = 10**4  # a fifth of what is allowed is then a buffer of constant size
    gradient = 4 * d
    assert extra_bytes(estimator, d, n) - gradient <= 4 * d * 4


@pytest.mark.parametrize(
    "n", [10, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 100))]
)
@pytest.mark.parametrize("name", STOCHASTIC)
def test_every_estimator(name, n):
    assert extra_bytes(ESTIMATORS[name], D, n) <= 4 * D * 4


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
