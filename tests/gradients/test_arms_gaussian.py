"""ARMS with the Gaussian copula: its formula, and four samples or more."""

import pytest
import torch

from sklearn_pb.distributions import GaussianCopula
from sklearn_pb.functions import QuadraticFunction, TabularFunction
from sklearn_pb.gradients import arms_gaussian, exact, loorf
from sklearn_pb.utils import RandomStream

J = TabularFunction([3.0, -1.0, 0.5, 2.0, -2.0, 4.0, 1.0, -3.0])


def test_formula():
    """Silva (2023), equation (4.16), sample by sample."""
    logits = torch.tensor([-0.8, 0.0, 1.4], dtype=torch.float64)
    theta = logits.sigmoid()
    samples = GaussianCopula(theta, 4, RandomStream(1))
    Z = samples.draw(range(4))
    costs = J(Z)
    terms = [
        (costs[s] - (costs.sum() - costs[s]) / 3) * (Z[s] - theta) for s in range(4)
    ]
    expected = torch.stack(terms).mean(dim=0) / (1 - samples.correlation())
    got = arms_gaussian(J, logits, RandomStream(1), n_samples=4)
    torch.testing.assert_close(got.gradient, expected)
    torch.testing.assert_close(got.costs, costs)


@pytest.mark.parametrize("theta", [[0.3, 0.5, 0.8], [0.02, 0.4, 0.98]])
@pytest.mark.parametrize("n", [4, 7])
def test_mean_and_variance_of_many_samples(n, theta):
    """Beyond what can be enumerated: unbiased, and better than LOORF.

    How much better falls with n, so that more samples need more draws to show it.
    """
    repetitions = 150 if n == 4 else 600
    logits = torch.logit(torch.tensor(theta, dtype=torch.float64))
    truth = exact(J, logits).gradient

    def draws(estimator):
        return torch.stack(
            [
                estimator(J, logits, RandomStream(0, (s,)), n_samples=n).gradient
                for s in range(repetitions)
            ]
        )

    got = draws(arms_gaussian)
    error = got.std(dim=0) / repetitions**0.5
    assert ((got.mean(dim=0) - truth).abs() <= 5 * error).all()
    assert got.var(dim=0).sum() < draws(loorf).var(dim=0).sum()


def test_a_single_even_variable_has_no_variance_with_two_samples():
    logits = torch.zeros(1, dtype=torch.float64)
    J = QuadraticFunction([[3.0]])
    for seed in range(5):
        got = arms_gaussian(J, logits, RandomStream(seed), n_samples=2).gradient
        torch.testing.assert_close(got, torch.tensor([0.75], dtype=torch.float64))
