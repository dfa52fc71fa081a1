import numpy as np
import pytest
import torch

from sklearn_pb.functions import LABS, enumerate_points, tabulate
from sklearn_pb.functions import _labs as labs

# Packebusch and Mertens (2016), table 1, computed by branch and bound.
OPTIMA = {3: 1, 4: 2, 5: 2, 6: 7, 7: 3, 8: 8, 9: 12, 10: 13, 11: 5, 12: 10, 13: 6}
# Run lengths of sequences with the optimal energy, from the same table.
SEQUENCES = {20: ("5113112321", 26), 25: ("337111121221", 36)}


def energy(z):
    s = [2 * int(bit) - 1 for bit in z]
    n = len(s)
    return sum(sum(s[i] * s[i + k] for i in range(n - k)) ** 2 for k in range(1, n))


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_energies_are_the_definition_exactly(n, dtype):
    Z = next(enumerate_points(n, dtype=dtype))
    assert LABS(n)(Z).tolist() == [energy(z) for z in Z.tolist()]
    assert LABS(n)(Z.requires_grad_()).tolist() == [energy(z) for z in Z.tolist()]


@pytest.mark.parametrize("n", OPTIMA)
def test_optima_of_short_sequences(n):
    assert tabulate(LABS(n)).values.min().item() == OPTIMA[n]


@pytest.mark.slow
@pytest.mark.parametrize("n, optimum", [(15, 15), (20, 26)])
def test_optima_of_longer_sequences(n, optimum):
    assert tabulate(LABS(n)).values.min().item() == optimum


@pytest.mark.parametrize("n", SEQUENCES)
def test_sequences_from_the_literature(n):
    runs, expected = SEQUENCES[n]
    bits = [k % 2 for k, run in enumerate(runs) for _ in range(int(run))]
    assert len(bits) == n
    assert LABS(n)(np.array([bits], float)).item() == expected


@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_relaxed_points_get_the_multilinear_extension(n):
    theta = np.random.default_rng(n).random((6, n))
    J = LABS(n)
    np.testing.assert_allclose(J(theta).numpy(), tabulate(J)(theta).numpy())


def test_slopes_at_binary_points_are_those_of_the_extension():
    # The extension is linear in each variable, so a slope is the change by its flip.
    Z = next(enumerate_points(7, dtype=torch.float64)).requires_grad_()
    J = LABS(7)
    J(Z).sum().backward()
    deltas = J.neighbourhood(Z.detach()).deltas
    np.testing.assert_allclose((1 - 2 * Z.detach()) * Z.grad, deltas)


@pytest.mark.parametrize("n, degree", [(2, 0), (3, 2), (5, 4), (8, 4)])
def test_the_polynomial_is_equal(n, degree):
    polynomial = LABS(n).to_polynomial()
    assert polynomial.degree == degree
    Z = next(enumerate_points(n, dtype=torch.float64))
    torch.testing.assert_close(polynomial(Z), LABS(n)(Z))


@pytest.mark.parametrize("n", [2, 3, 10, 61, 200])
def test_neighbourhood_is_exact(n):
    rng = np.random.default_rng(n)
    J = LABS(n)
    replicas = J.neighbourhood(rng.integers(0, 2, (3, n)))
    for _ in range(5):
        rows = np.flatnonzero(rng.random(3) < 0.7)
        replicas.flip(rows, rng.integers(0, n, len(rows)))
        point = rng.integers(0, 2, (1, n)).astype(np.uint8)
        replicas.place(np.array([1]), point)
        assert (replicas.points[1] == point).all()
        assert replicas.costs.tolist() == J(replicas.points.astype(float)).tolist()
        for i in rng.choice(n, min(n, 6), replace=False):
            flipped = replicas.points.astype(float)
            flipped[:, i] = 1 - flipped[:, i]
            expected = J(flipped).numpy() - replicas.costs
            assert replicas.deltas[:, i].tolist() == expected.tolist()


def test_chunks_give_the_same(monkeypatch):
    theta = torch.rand(9, 6, dtype=torch.float64, generator=torch.manual_seed(0))
    whole = LABS(6)(theta)
    monkeypatch.setattr(labs, "_CHUNK_CELLS", 80)
    assert torch.equal(LABS(6)(theta), whole)


@pytest.mark.parametrize(
    "n, error, message", [(1, ValueError, "n=1"), (2.5, TypeError, "integer")]
)
def test_bad_lengths_are_named(n, error, message):
    with pytest.raises(error, match=message):
        LABS(n)
