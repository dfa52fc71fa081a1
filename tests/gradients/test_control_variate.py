"""REBAR and RELAX: exact means and variances by quadrature, learning, saved state.

The latent variable of a coordinate has a logistic density, and its sample a jump at
zero, so Gauss-Legendre nodes on either side of zero integrate any estimate exactly.
"""

import io

import numpy as np
import pytest
import torch

from sklearn_pb.distributions import PRESETS, Sigmoid, log_odds
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction, TabularFunction
from sklearn_pb.gradients import ESTIMATORS, Rebar, Relax, exact, rebar, relax
from sklearn_pb.gradients._control_variate import _estimate, _terms
from sklearn_pb.utils import RandomStream

LIMIT = 5.0
FUNCTIONS = {
    "table": TabularFunction([3.0, -1.0, 0.5, 2.0]),
    "quadratic": QuadraticFunction([[1.0, -2.0], [0.0, 0.3]], constant=2.0),
}
THETAS = [[0.3, 0.8], [1e-3, 0.5], [1 - 1e-3, 1e-6]]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def control_of(estimator, d, seed=None):
    """The control variate, with parameters of no meaning if a seed is given."""
    control = estimator.control_variate(d, RandomStream(3)).double()
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in control.parameters():
                p += torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return control


def grid(theta, nodes=160, farthest=60.0):
    """Latent points (m, d) and their weights (m,)."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = tensor((x + 1) / 2 * farthest)
    weight = tensor(np.concatenate([w, w]) / 2 * farthest)
    latent = torch.cat([-half, half])
    per_coordinate = []
    for odds in log_odds(theta):
        u = torch.sigmoid(latent - odds)
        per_coordinate.append(weight * u * torch.sigmoid(odds - latent))
    points = torch.cartesian_prod(*[latent] * len(theta)).reshape(-1, len(theta))
    weights = torch.cartesian_prod(*per_coordinate).reshape(-1, len(theta)).prod(dim=1)
    return points, weights


def moments(function, theta, control):
    """Exact mean and variance of the estimated gradient for the log-odds."""
    latent, weights = grid(theta)
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    cost = function((latent > 0).double())
    terms = _terms(function, cost, latent, log_odds(theta), control, False).detach()
    mean = weights @ terms
    return mean, weights @ terms.square() - mean.square()


@pytest.mark.parametrize("theta", THETAS, ids=str)
@pytest.mark.parametrize("J", FUNCTIONS)
@pytest.mark.parametrize(
    "control",
    [
        control_of(Rebar(), 2),
        control_of(Rebar(temperature=0.5, scale=0.3), 2),
        control_of(Relax(), 2),
        control_of(Relax(temperature=0.7, hidden=4), 2, seed=1),
    ],
    ids=["rebar", "rebar, other parameters", "relax", "relax, random network"],
)
def test_the_mean_is_the_exact_covariance(control, J, theta):
    function, theta = FUNCTIONS[J], tensor(theta)
    mean, _ = moments(function, theta, control)
    expected = exact(function, torch.logit(theta)).gradient
    torch.testing.assert_close(mean, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("theta", THETAS[:2], ids=str)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("estimator", [rebar, relax], ids=["rebar", "relax"])
def test_draws_follow_the_exact_moments(estimator, preset, theta):
    function, theta, n = FUNCTIONS["table"], tensor(theta), 20_000
    parametrization = PRESETS[preset]()
    logits = parametrization.logits(theta)
    truth = exact(function, logits, parametrization=parametrization).gradient
    got = estimator(
        function,
        logits,
        RandomStream(5),
        n_samples=n,
        parametrization=parametrization,
    )
    _, variance = moments(function, theta, control_of(estimator, 2))
    factor = parametrization.pull_back(torch.ones_like(theta), logits)
    z = (got.gradient - truth) / (factor.abs() * (variance / n).sqrt())
    assert z.abs().max() < LIMIT, z
    assert len(got.costs) == n and torch.isin(got.costs, function.values).all()


@pytest.mark.parametrize("J", FUNCTIONS)
@pytest.mark.parametrize(
    "control",
    [control_of(Rebar(), 2), control_of(Relax(hidden=3), 2, seed=0)],
    ids=["rebar", "relax"],
)
def test_the_slopes_of_the_variance_by_differences(control, J):
    """Of the mean square of each sample's estimate, with common random numbers."""
    function, logits, n = FUNCTIONS[J], tensor([0.4, -1.0]), 8
    learned = [p for p in control.parameters() if p.requires_grad]

    def estimate(samples, parameters=()):
        return _estimate(
            function, logits, RandomStream(2), samples, Sigmoid(), control, parameters
        )

    def mean_square():
        # Sample s alone is what n = s + 1 samples add to what n = s samples give.
        sums = [s * estimate(s)[0].gradient for s in range(1, n + 1)]
        parts = torch.stack(sums).diff(dim=0, prepend=torch.zeros(1, 2).double())
        return parts.square().sum() / n

    _, slopes = estimate(n, learned)
    for parameter, slope in zip(learned, slopes, strict=True):
        flat, h = parameter.data.view(-1), 1e-5
        for k in range(len(flat)):
            before = flat[k].item()
            flat[k] = before + h
            above = mean_square()
            flat[k] = before - h
            below = mean_square()
            flat[k] = before
            expected = (above - below) / (2 * h)
            torch.testing.assert_close(
                slope.view(-1)[k], expected, rtol=1e-5, atol=1e-8
            )


def learn(estimator, function, logits, steps, n_samples=10):
    run = estimator.start(
        len(logits), RandomStream(0), learning_rate=0.05, dtype=logits.dtype
    )
    for step in range(steps):
        run(function, logits, RandomStream(1, (step,)), n_samples=n_samples)
    return run


@pytest.mark.parametrize(
    "estimator",
    [
        Rebar(temperature=6.0, scale=0.0),
        Rebar(scale=0.0, learn_temperature=False),
        Relax(temperature=0.1),
    ],
    ids=["rebar", "scale only", "relax"],
)
def test_learning_lowers_the_variance(estimator):
    start = estimator.temperature
    function, theta = FUNCTIONS["quadratic"], tensor([0.3, 0.6])
    _, before = moments(function, theta, control_of(estimator, 2))
    run = learn(estimator, function, torch.logit(theta), 150)
    _, after = moments(function, theta, run.control_variate)
    assert after.sum() < 0.85 * before.sum()
    temperature = run.control_variate.log_temperature.exp().item()
    assert (temperature != pytest.approx(start)) == estimator.learn_temperature


def test_the_network_learns_what_a_scale_cannot():
    """J = (z - 0.499)^2 of Tucker et al. (2017): its relaxation says nothing of J."""
    function = BlackBoxFunction(lambda Z: (Z[:, 0] - 0.499) ** 2, 1, relaxable=True)
    theta = tensor([0.5])
    variances = {}
    for name in ("rebar", "relax"):
        run = learn(ESTIMATORS[name], function, torch.logit(theta), 250)
        _, variances[name] = moments(function, theta, run.control_variate)
    assert variances["relax"] < variances["rebar"] / 10


@pytest.mark.parametrize("estimator", [rebar, relax], ids=["rebar", "relax"])
def test_a_saved_run_goes_on_bit_for_bit(estimator):
    function, logits = FUNCTIONS["table"], tensor([0.5, -0.5])
    first = learn(estimator, function, logits, 5)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    state = first.state_dict()
    outcomes = []
    for source in (None, "file", state):
        run = first
        if source is not None:
            file.seek(0)
            run = learn(estimator, function, logits, 1)
            run.load_state_dict(
                torch.load(file, weights_only=True) if source == "file" else source
            )
        for step in range(5, 9):
            last = run(function, logits, RandomStream(1, (step,)), n_samples=4)
        outcomes.append((last.gradient, *run.control_variate.state_dict().values()))
    for other in outcomes[1:]:
        assert all(map(torch.equal, outcomes[0], other))


def test_starts_differ_by_their_stream_alone():
    one, same, other = (
        relax.start(3, RandomStream(seed)).control_variate.inner for seed in (0, 0, 1)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)


class OnceDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z):
        ctx.save_for_backward(Z)
        return Z.square().sum(dim=1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient[:, None]


def test_a_scale_can_be_learned_with_one_derivative():
    run = learn(
        Rebar(learn_temperature=False), OnceDifferentiable.apply, torch.zeros(2), 3
    )
    assert run.control_variate.scale.item() != 1.0


def test_a_sample_is_evaluated_twice():
    rows = []

    def cost(Z):
        rows.append(Z.requires_grad)
        rows.extend([Z.requires_grad] * (len(Z) - 1))
        return Z.sum(dim=1)

    rebar(cost, torch.zeros(3), RandomStream(0), n_samples=7)
    assert rows.count(False) == rows.count(True) == 7


@pytest.mark.parametrize("name", ["rebar", "relax", "muprop", "concrete"])
def test_a_cost_without_a_slope_is_named(name):
    function = BlackBoxFunction(lambda Z: Z.detach().sum(dim=1), 3)
    with pytest.raises(
        ValueError, match=r"BlackBoxFunction.*without a gradient.*loorf"
    ):
        ESTIMATORS[name](function, torch.zeros(3), RandomStream(0))


@pytest.mark.parametrize(
    "estimator, message",
    [
        (Rebar(temperature=0), "temperature=0 must be a number in"),
        (Rebar(scale=float("inf")), "scale=inf"),
        (Relax(temperature=-1.0), "temperature=-1.0"),
        (Relax(hidden=0), "hidden=0 must be an integer in"),
        (Relax(network_learning_rate=0), "network_learning_rate=0"),
        (Relax(weight_decay=-1), "weight_decay=-1"),
    ],
)
def test_senseless_settings(estimator, message):
    with pytest.raises(ValueError, match=message):
        estimator.start(3)
    with pytest.raises(ValueError, match=message):
        estimator(lambda Z: Z.sum(1), torch.zeros(3), RandomStream(0))
