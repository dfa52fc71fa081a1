"""Training of the dense network, of tickets, and of their controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..methods import FixedMask, redrawn
from ..training import StoredWeights, copied_state
from ._files import remembered
from ._rounds import checked_weights
from ._task import RETRAINING, TicketTask, load_masked

CONTROLS = ("fresh", "reshuffled")
_CONTROL = 1 << 32  # addresses below a seed that no round has

Weights = Mapping[str, torch.Tensor]


def train_dense(task: TicketTask, seed: int) -> dict[str, Any]:
    """Train the whole network.

    Parameters
    ----------
    task : TicketTask
        Network and data.
    seed : int
        Number of the seed.

    Returns
    -------
    trained : dict
        The `score`, the number of `epochs` and the `stored` weights.
    """
    name = f"dense-seed{seed}"

    def job() -> dict[str, Any]:
        net = task.net(seed, RETRAINING)
        store = StoredWeights(net.module_, task.rewind_epoch, task.rewind_step)
        if store.weights is None:
            store.attach(net)
        fit = task.train(net, FixedMask({}), name, seed, RETRAINING)
        stored, score = checked_weights(store), task.judge(net)
        task.tell(f"seed {seed}, dense: score {score:.4f}")
        return {"score": score, "epochs": len(fit.history), "stored": stored}

    return remembered(task.files, name, job)


def retrain(
    task: TicketTask, variables: torch.Tensor, weights: Weights, name: str, seed: int
) -> dict[str, Any]:
    """Train a ticket from stored weights, with the batches of the dense network.

    Parameters
    ----------
    task : TicketTask
        Network and data.
    variables : torch.Tensor of bool, shape (d,)
        The ticket.
    weights : dict of str to torch.Tensor
        State of the network to begin with.
    name : str
        Of the job.
    seed : int
        Number of the seed.

    Returns
    -------
    trained : dict
        The `score`, the number of `epochs`, the `history` and the final `weights`.
    """

    def job() -> dict[str, Any]:
        masks = task.layout.masks(variables)
        net = task.net(seed, RETRAINING)
        load_masked(net.module_, weights, masks)
        fit = task.train(net, FixedMask(masks), name, seed, RETRAINING)
        score = task.judge(net)
        task.tell(f"{name}: score {score:.4f}")
        return {
            "score": score,
            "epochs": len(fit.history),
            "history": fit.history,
            "weights": copied_state(net.module_),
        }

    return remembered(task.files, name, job)


def train_control(
    task: TicketTask,
    control: str,
    variables: torch.Tensor,
    weights: Weights,
    name: str,
    *address: int,
) -> dict[str, Any]:
    """Train the control of a ticket as the ticket is trained.

    Parameters
    ----------
    task : TicketTask
        Network and data.
    control : {"fresh", "reshuffled"}
        The mask with fresh weights, or the weights with a random mask that is as dense
        in each layer.
    variables : torch.Tensor of bool, shape (d,)
        The ticket.
    weights : dict of str to torch.Tensor
        The stored weights.
    name : str
        Of the job.
    *address : int
        The seed, the run and the round of the ticket.

    Returns
    -------
    trained : dict
        The `score` and the number of `epochs`.
    """
    own = (address[0], _CONTROL + CONTROLS.index(control), *address[1:])
    if control == "fresh":
        weights = copied_state(task.net(*own, fresh=True).module_)
    else:
        layers = task.layout.layers
        variables = redrawn(
            variables,
            layers,
            task.stream.child(*own).torch_generator(),
            at_least_one=layers if task.structured else (),
        )
    trained = retrain(task, variables, weights, name, address[0])
    return {"score": trained["score"], "epochs": trained["epochs"]}
