"""What all jobs of a finder share: network and data, how one trains and judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..constraints import Constraint, Quota
from ..masks import MaskLayout
from ..methods import Method
from ..training import (
    Course,
    MaskedFit,
    MaskingOptions,
    build_accelerator,
    build_net,
    copied_state,
    fit_masked,
    initialize_net,
    use_accelerator,
    with_fresh_weights,
)
from ..utils import RandomStream, torch_threads
from ._files import JobFiles

RETRAINING = 0  # address of the retraining; rounds have their numbers, from 1
_BUILD, _FIT = 0, 1  # addresses below that of a training


@dataclass(frozen=True, eq=False)
class TicketTask:
    """What all jobs of a finder share.

    Parameters
    ----------
    estimator : skorch.NeuralNet, nn.Module, class or None
        The network, as of the finder.
    device : str
        Where it is trained.
    n_threads : int or None
        Threads of torch on the CPU; None leaves torch's own setting.
    X, y : numpy.ndarray
        Training data as the net takes it.
    sample_weight : numpy.ndarray of shape (n,) or None
        Weights of the rows.
    n_outputs : int
        Outputs that the network needs.
    layout : MaskLayout
        What is masked.
    structured : bool
        Whether each layer must keep something.
    scope : {"global", "layer"}
        Whether all variables compete, or those of a layer.
    n_rounds : int
        Rounds of every search.
    prune_rate : float
        Share of the weights left that searches with a rate remove each round.
    rewind_epoch, rewind_step : int
        The stored weights are those of the first round after so many epochs and steps.
    score : callable
        Judges a trained net on rows that it has not seen.
    stream : RandomStream
        Where every draw comes from.
    files : JobFiles or None
        Where the jobs are kept.
    verbose : int
        1 prints a line a training, 2 a line an epoch.
    """

    estimator: Any
    device: str
    n_threads: int | None
    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    n_outputs: int
    layout: MaskLayout
    structured: bool
    scope: str
    n_rounds: int
    prune_rate: float
    rewind_epoch: int
    rewind_step: int
    score: Callable[[Any], float]
    stream: RandomStream
    files: JobFiles | None
    verbose: int

    def net(self, *address: int, fresh: bool = False) -> Any:
        """Return an initialised net.

        Parameters
        ----------
        *address : int
            Of its initial weights and the order of its batches; the seed comes first.
        fresh : bool, default=False
            Whether the weights of a module that brings its own are drawn again.

        Returns
        -------
        net : skorch.NeuralNet
            Its own.
        """
        stream = self.stream.child(*address, _BUILD)
        estimator = self.estimator
        if fresh:
            estimator = with_fresh_weights(estimator, stream.child(_FIT))
        net = build_net(
            estimator,
            n_inputs=int(np.prod(self.X.shape[1:])),
            n_outputs=self.n_outputs,
            device=self.device,
        )
        net.set_params(verbose=0)
        build_accelerator(net)
        with torch_threads(self.n_threads):
            initialize_net(net, self.X[:2].copy(), stream)  # it may be read-only
        use_accelerator(net)
        return net

    def initial_weights(self, seed: int) -> dict[str, torch.Tensor]:
        """Return the weights that all networks of a seed begin with.

        Parameters
        ----------
        seed : int
            Number of the seed.

        Returns
        -------
        weights : dict of str to torch.Tensor
            State of the network.
        """
        return copied_state(self.net(seed, RETRAINING).module_)

    def train(
        self,
        net: Any,
        method: Method,
        name: str,
        *address: int,
        quota: Quota | None = None,
        constraint: Constraint | None = None,
        logits: torch.Tensor | None = None,
    ) -> MaskedFit:
        """Train an initialised net under a method.

        Parameters
        ----------
        net : skorch.NeuralNet
            Trained in place; it has no history yet.
        method : Method
            What masks it.
        name : str
            Of the training, for its file.
        *address : int
            Of its draws.
        quota : Quota or None, default=None
            How many variables are kept; None leaves it open.
        constraint : Constraint or None, default=None
            Price of a kept variable.
        logits : torch.Tensor of shape (d,) or None, default=None
            Where the search over masks starts.

        Returns
        -------
        fit : MaskedFit
            With its end.

        Raises
        ------
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        KeyboardInterrupt
            If the training was interrupted.
        """
        options = MaskingOptions(
            method=method,
            quota=quota or self.open_quota(),
            constraint=constraint,
            train_weights=True,
            warmup=0.0,
            finetune=0.0,
            rescale=False,
            logits=logits,
            keeps_end=True,
            name="SparseTicketFinder",
        )
        file = None if self.files is None else self.files.running(name)
        course = Course(file=file, verbose=max(0, int(self.verbose) - 1))
        X, y = _writable(self.X), _writable(self.y)
        stream = self.stream.child(*address, _FIT)
        with torch_threads(self.n_threads):
            fit = fit_masked(
                net, self.layout, X, y, options, stream, self.sample_weight, course
            )
        if fit.error is not None:
            raise fit.error
        if not fit.finished:
            raise KeyboardInterrupt
        return fit

    def judge(self, net: Any) -> float:
        """Return the score of a trained net on rows that it has not seen.

        Parameters
        ----------
        net : skorch.NeuralNet
            Trained.

        Returns
        -------
        score : float
            Higher is better.
        """
        with torch_threads(self.n_threads):
            return float(self.score(net))

    def open_quota(self) -> Quota:
        """Return the quota that leaves the number of ones open.

        Returns
        -------
        quota : Quota
            Layers keep one where channels are masked.
        """
        layers = self.layout.layers
        return Quota(self._groups(), at_least_one=layers if self.structured else ())

    def quota(self, number: int) -> Quota:
        """Return the quota of what the pruning rate leaves after a round.

        Parameters
        ----------
        number : int
            Of the round, from 1.

        Returns
        -------
        quota : Quota
            round(d (1 - rate)^number) of each group of d, and no fewer than one for
            each of its layers where channels are masked.
        """
        left = (1 - self.prune_rate) ** number
        layers = self.layout.layers if self.structured else ()
        least = len(layers) if self.scope == "global" else min(1, len(layers))
        counts = [max(least, round(size * left)) for size in self._groups()]
        return Quota(self._groups(), counts, at_least_one=layers)

    def _groups(self) -> tuple[int, ...]:
        layers = self.layout.layers
        return (self.layout.n_variables,) if self.scope == "global" else layers

    def tell(self, text: str) -> None:
        """Print a line, if lines are wanted.

        Parameters
        ----------
        text : str
            What has happened.
        """
        if self.verbose:
            print(f"[SparseTicketFinder] {text}", flush=True)


def _writable(array: np.ndarray) -> np.ndarray:
    """The array, as torch wants it; other processes may be lent a read-only one."""
    return array if array.flags.writeable else array.copy()


def load_masked(
    module: nn.Module,
    weights: Mapping[str, torch.Tensor],
    masks: Mapping[str, torch.Tensor],
) -> None:
    """Give a module stored weights, with zeros where masks have them.

    Parameters
    ----------
    module : nn.Module
        Changed.
    weights : dict of str to torch.Tensor
        State of a module like it.
    masks : dict of str to torch.Tensor
        Boolean masks by parameter name; what they do not name is kept whole.
    """
    module.load_state_dict(dict(weights))
    with torch.no_grad():
        for name, mask in masks.items():
            parameter = module.get_parameter(name)
            parameter.mul_(mask.to(parameter))
