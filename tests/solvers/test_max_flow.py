import itertools

import numpy as np
import pytest

from sklearn_pb.solvers._max_flow import MinimumCut


def least_cut(tails, heads, capacities, n):
    cuts = []
    for bits in itertools.product([False, True], repeat=n - 2):
        inside = np.array([*bits, True, False])
        crossing = inside[tails] & ~inside[heads]
        cuts.append(sum(int(c) for c in capacities[crossing]))
    return min(cuts)


@pytest.mark.parametrize("seed", range(100))
def test_equals_enumeration_in_whole_numbers_of_any_size(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9)) + 2
    arcs = rng.integers(0, n, (int(rng.integers(1, 30)), 2))
    tails, heads = arcs[arcs[:, 0] != arcs[:, 1]].T
    capacities = rng.integers(0, 2 ** int(rng.integers(1, 57)), len(tails))
    cut = MinimumCut(tails, heads, capacities, n)
    wanted = least_cut(tails, heads, capacities, n)
    for inside in cut.rounds():
        found = sum(int(c) for c in capacities[inside[tails] & ~inside[heads]])
        assert inside[-2] and not inside[-1]
        assert wanted <= found <= wanted + cut.gap
    assert cut.gap == 0
    assert found == wanted


def test_many_bits_take_several_rounds():
    rng = np.random.default_rng(0)
    side = 12
    numbers = np.arange(side * side).reshape(side, side)
    right = numbers[:, :-1].ravel(), numbers[:, 1:].ravel()
    down = numbers[:-1].ravel(), numbers[1:].ravel()
    tails = np.concatenate([right[0], right[1], down[0], down[1]])
    heads = np.concatenate([right[1], right[0], down[1], down[0]])
    source = np.full(side**2, side**2)
    sources, sinks = rng.integers(0, 2**52, (2, side**2))
    tails = np.concatenate([tails, source, numbers.ravel()])
    heads = np.concatenate([heads, numbers.ravel(), source + 1])
    inner = rng.integers(0, 2**50, len(tails) - 2 * side**2)
    capacities = np.concatenate([inner, sources, sinks])
    cut = MinimumCut(tails, heads, capacities, side**2 + 2)
    gaps = [cut.gap for _ in cut.rounds()]
    assert len(gaps) > 1
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == 0
