"""Many runs on a small world at once: one row of probabilities a seed.

Estimators of the library work on one vector of logits. With d = 10 nearly all of their
time is spent on calls, so here the samples of all seeds are drawn together, by the
library's couplings, and costs and weights get one more axis. The tests hold this
against the estimators of the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from sklearn_pb.distributions import (
    PRESETS,
    CoupledSamples,
    DirichletCopula,
    Independent,
    Parametrization,
)
from sklearn_pb.functions import (
    ExponentialTabularLoss,
    NNLoss,
    PseudoBooleanFunction,
    TabularFunction,
    tabulate,
)
from sklearn_pb.utils import RandomStream

from .approaches import ContinuationPath
from .records import Records, Row, checkpoints

D = 10
LOOKS = 25
EARLY = (1, 10, 30, 100)
KEYS = (
    "benchmark",
    "method",
    "parametrization",
    "n_samples",
    "steps",
    "seeds",
    "learning_rate",
)
BENCHMARKS: dict[str, Callable[..., PseudoBooleanFunction]] = {
    "ExponentialTabularLoss": ExponentialTabularLoss,
    "NNLoss": NNLoss,
}
LABELS = {
    "reinforce": "REINFORCE",
    "loorf": "LOORF",
    "arms": "ARMS",
    "beta-star": "$\\beta^*$",
    "exact": "true gradient",
    "st": "ST",
    "cp": "CP",
    "rebar": "REBAR",
    "relax": "RELAX",
    "relax-slow": "RELAX, slow",
}


def records(name: str) -> Records:
    """The table of a figure."""
    return Records(name, KEYS, ("step", "mean", "std", "solved", "last"))


@dataclass(frozen=True)
class World:
    """A function with its table.

    Parameters
    ----------
    function : PseudoBooleanFunction
        J, with its own relaxation.
    table : TabularFunction
        J as a table, whose relaxation is E[J].
    """

    function: PseudoBooleanFunction
    table: TabularFunction

    @classmethod
    def named(cls, name: str, n_variables: int = D, number: int = 0) -> World:
        """Make a benchmark; number 0 is the one of all figures."""
        function = BENCHMARKS[name](n_variables, random_state=number)
        return cls(function, tabulate(function))

    @property
    def least(self) -> float:
        """The cost of the solution."""
        return float(self.table.values.min())

    @property
    def second(self) -> float:
        """The least cost but one."""
        return float(self.table.values.sort().values[1])

    def expected(self, theta: torch.Tensor) -> torch.Tensor:
        """E[J] (S,) of S rows of probabilities."""
        return self.table(theta)

    def slopes(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """E[J] (S,) and dE[J]/dtheta (S, d)."""
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            expected = self.table(theta)
            (slopes,) = torch.autograd.grad(expected.sum(), theta)
        return expected.detach(), slopes


# Each gives the estimated covariances (S, d) of the cost with the bits.


def _exact(
    world: World, theta: torch.Tensor, n: int, stream: RandomStream
) -> torch.Tensor:
    return theta * (1 - theta) * world.slopes(theta)[1]


def _reinforce(
    world: World, theta: torch.Tensor, n: int, stream: RandomStream
) -> torch.Tensor:
    Z, costs = _draw(world, Independent(theta.flatten(), n, stream), theta)
    return (costs[..., None] * (Z - theta)).mean(0)


def _beta_star(
    world: World, theta: torch.Tensor, n: int, stream: RandomStream
) -> torch.Tensor:
    Z, costs = _draw(world, Independent(theta.flatten(), n, stream), theta)
    expected, slopes = world.slopes(theta)
    baselines = expected[:, None] + (1 - 2 * theta) * slopes
    return ((costs[..., None] - baselines) * (Z - theta)).mean(0)


def _loorf(
    world: World, theta: torch.Tensor, n: int, stream: RandomStream
) -> torch.Tensor:
    return _leave_one_out(world, Independent(theta.flatten(), n, stream), theta)


def _arms(
    world: World, theta: torch.Tensor, n: int, stream: RandomStream
) -> torch.Tensor:
    samples = DirichletCopula(theta.flatten(), n, stream)
    correlation = samples.correlation().reshape(theta.shape)
    return _leave_one_out(world, samples, theta) / (1 - correlation)


def _leave_one_out(
    world: World, samples: CoupledSamples, theta: torch.Tensor
) -> torch.Tensor:
    Z, costs = _draw(world, samples, theta)
    weights = (costs - costs.mean(0)) / (len(costs) - 1)
    return (weights[..., None] * Z).sum(0)


def _draw(
    world: World, samples: CoupledSamples, theta: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples (n, S, d) and their costs (n, S)."""
    n = samples.n_samples
    Z = samples.draw(range(n)).reshape(n, *theta.shape)
    return Z, world.table(Z.flatten(0, 1)).reshape(n, -1)


Covariances = Callable[[World, torch.Tensor, int, RandomStream], torch.Tensor]
COVARIANCES: dict[str, Covariances] = {
    "arms": _arms,
    "beta-star": _beta_star,
    "exact": _exact,
    "loorf": _loorf,
    "reinforce": _reinforce,
}


def straight_through(
    world: World, theta: torch.Tensor, n: int, stream: RandomStream
) -> torch.Tensor:
    """Mean slopes (S, d) of J at n hard samples of each row."""
    Z = Independent(theta.flatten(), n, stream).draw(range(n))
    with torch.enable_grad():
        points = Z.reshape(-1, theta.shape[1]).requires_grad_()
        (slopes,) = torch.autograd.grad(world.function(points).sum(), points)
    return slopes.reshape(n, *theta.shape).mean(0)


class ReplicaRuns:
    """Gradient descent from the middle, all seeds of a run in one batch.

    A run names its `benchmark`, `method`, `parametrization`, `n_samples`, `steps`,
    `seeds` and `learning_rate`, and the number of its `world` if that is not 0.
    """

    def __init__(self) -> None:
        self._worlds: dict[tuple[str, int], World] = {}

    def __call__(self, run: Row) -> Iterator[Row]:
        """Yield the loss of each seed at some steps."""
        world = self._world(run["benchmark"], run.get("world", 0))
        parametrization = PRESETS[run["parametrization"]]()
        start = torch.full((run["seeds"] * D,), 0.5, dtype=torch.float64)
        logits = parametrization.logits(start)
        path = ContinuationPath(run["steps"])
        looks = {*checkpoints(run["steps"], LOOKS), *EARLY}
        for step in range(run["steps"] + 1):
            theta = parametrization.probabilities(logits).reshape(-1, D)
            if step in looks:
                yield look(run, world, theta, step)
            if run["method"] == "cp":
                rows = logits.reshape(-1, D)
                gradient = path.gradient(world.function, rows, step).flatten()
            else:
                stream = RandomStream(0).child(step)
                gradient = _gradient(run, world, logits, parametrization, stream)
            logits -= run["learning_rate"] * gradient
            parametrization.constrain_(logits)

    def _world(self, name: str, number: int) -> World:
        if (name, number) not in self._worlds:
            self._worlds[name, number] = World.named(name, number=number)
        return self._worlds[name, number]


def look(run: Row, world: World, theta: torch.Tensor, step: int) -> Row:
    """What is written about rows of probabilities at one step.

    Parameters
    ----------
    run : dict
        Its `method` and `steps` are read.
    world : World
        The benchmark.
    theta : torch.Tensor of shape (S, d)
        Probabilities of each seed.
    step : int
        The number of the step.

    Returns
    -------
    row : dict
        Mean and spread of the expected cost (for CP, of the cost of the hard mask), the
        share of solved runs, and at the end the loss of each.
    """
    at = (theta > 0.5).to(theta) if run["method"] == "cp" else theta
    losses = world.expected(at)
    solved = losses < (world.least + world.second) / 2
    listed = " ".join(f"{loss:.4g}" for loss in losses.tolist())
    return {
        "step": step,
        "mean": round(float(losses.mean()), 5),
        "std": round(float(losses.std(correction=0)), 5),
        "solved": round(float(solved.double().mean()), 3),
        "last": listed if step == run["steps"] else "",
    }


def _gradient(
    run: Row,
    world: World,
    logits: torch.Tensor,
    parametrization: Parametrization,
    stream: RandomStream,
) -> torch.Tensor:
    theta = parametrization.probabilities(logits).reshape(-1, D)
    if run["method"] == "st":
        return straight_through(world, theta, run["n_samples"], stream).flatten()
    estimate = COVARIANCES[run["method"]]
    covariance = estimate(world, theta, run["n_samples"], stream).flatten()
    return parametrization.pull_back(covariance, logits)
