"""Runs on MaskedNNRegression (d = 8,050), as figures 6.6 to 6.8 need them."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from sklearn_pb.distributions import PRESETS, Parametrization
from sklearn_pb.functions import MaskedNNRegression
from sklearn_pb.utils import RandomStream

from .approaches import ContinuationPath, Sampling
from .records import Records, Row, checkpoints

BATCH = 100
JUDGED_ON = 500
MASKS = 5
LOOKS = 20
APART = 10**6  # batches between those of two seeds: a whole number of epochs
KEYS = ("method", "parametrization", "n_samples", "steps", "seed", "learning_rate")


def records(name: str) -> Records:
    """The table of a figure."""
    return Records(name, KEYS, ("step", "loss"))


class MaskedRuns:
    """Trains masks of one network; the data and both networks are made once."""

    def __init__(self) -> None:
        self._function = MaskedNNRegression()

    def __call__(self, run: Row) -> Iterator[Row]:
        """Yield the validation loss at some steps of a run."""
        stream = RandomStream(run["seed"])
        theta = PRESETS[run["parametrization"]]()
        logits = theta.logits(torch.full((self._function.n_variables,), 0.5))
        approach = self._approach(run, logits, theta, stream)
        optimizer = torch.optim.RMSprop([logits], lr=run["learning_rate"])
        looks = checkpoints(run["steps"], LOOKS)
        for step in range(run["steps"] + 1):
            if step in looks:
                yield {"step": step, "loss": self._judge(run, logits, theta, step)}
            batch = self._function.minibatch(run["seed"] * APART + step, BATCH)
            logits.grad = approach.gradient(batch, logits, step)
            optimizer.step()
            theta.constrain_(logits)

    def _approach(
        self,
        run: Row,
        logits: torch.Tensor,
        theta: Parametrization,
        stream: RandomStream,
    ) -> ContinuationPath | Sampling:
        if run["method"] == "cp":
            return ContinuationPath(run["steps"])
        return Sampling(
            run["method"],
            logits,
            parametrization=theta,
            n_samples=run["n_samples"],
            learning_rate=run["learning_rate"],
            stream=stream.child(0),
        )

    def _judge(
        self, run: Row, logits: torch.Tensor, theta: Parametrization, step: int
    ) -> float:
        """Validation loss: of the hard mask of CP, of the best of five samples else."""
        if run["method"] == "cp":
            mask = (logits > 0).to(logits)[None]
        else:
            mask = self._best_of(theta.probabilities(logits), run, step)
        return round(float(self._function.validation(mask)[0]), 5)

    def _best_of(
        self, probabilities: torch.Tensor, run: Row, step: int
    ) -> torch.Tensor:
        generator = RandomStream(run["seed"]).child(1, step).torch_generator()
        masks = torch.bernoulli(probabilities.expand(MASKS, -1), generator=generator)
        batch = self._function.minibatch(run["seed"] * APART + step, JUDGED_ON)
        losses = batch(masks)
        return masks[losses.argmin()][None]
