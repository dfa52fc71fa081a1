"""Training in several processes, where a net takes part in accelerate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn

from ..distributions import CoupledSamples
from ..functions import PseudoBooleanFunction
from ._batch_function import BatchFunction, _WithSlope

_SHARDED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")


@dataclass(frozen=True)
class Processes:
    """The processes that train one network together; most often there is one.

    Parameters
    ----------
    count : int, default=1
        Number of processes.
    rank : int, default=0
        Which of them this is.
    """

    count: int = 1
    rank: int = 0

    @classmethod
    def of(cls, net: NeuralNet) -> Processes:
        """Return the processes that a net trains in.

        Parameters
        ----------
        net : skorch.NeuralNet
            With an `accelerator`, or without.

        Returns
        -------
        processes : Processes
            One for a net without.

        Raises
        ------
        ValueError
            If the accelerator collects gradients over steps, or splits parameters.
        """
        accelerator = getattr(net, "accelerator", None)
        if accelerator is None:
            return cls()
        if accelerator.gradient_accumulation_steps != 1:
            raise ValueError(
                "accelerator has gradient_accumulation_steps="
                f"{accelerator.gradient_accumulation_steps}; it must be 1, as each "
                "step has a mask of its own. Take larger batches."
            )
        if accelerator.distributed_type.value in _SHARDED:
            raise ValueError(
                f"accelerator has distributed_type={accelerator.distributed_type!s}, "
                "which splits parameters among processes; masks need whole ones, as "
                "in plain data parallel training."
            )
        return cls(accelerator.num_processes, accelerator.process_index)

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def agree(self, value: Any) -> Any:
        """Return what the main process has.

        Parameters
        ----------
        value : object
            What this process has; it must pickle.

        Returns
        -------
        value : object
            The same in all processes.
        """
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def gather(self, value: Any) -> list[Any]:
        """Return what all processes have.

        Parameters
        ----------
        value : object
            What this process has; it must pickle.

        Returns
        -------
        values : list
            In the order of the ranks.
        """
        if self.count == 1:
            return [value]
        from accelerate.utils import gather_object

        return gather_object([value])

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of a tensor over all processes.

        Parameters
        ----------
        values : torch.Tensor
            What this process has.

        Returns
        -------
        mean : torch.Tensor
            The same in all processes.
        """
        if self.count == 1:
            return values
        from accelerate.utils import reduce

        return reduce(values, "mean")

    def around(self, net: NeuralNet, module: nn.Module) -> nn.Module:
        """Return a module whose gradients are the mean of those of all processes.

        Parameters
        ----------
        net : skorch.NeuralNet
            Its accelerator says how.
        module : nn.Module
            What is trained.

        Returns
        -------
        module : nn.Module
            For the net.
        """
        accelerator = getattr(net, "accelerator", None)
        return module if accelerator is None else accelerator.prepare(module)

    def share_buffers(self, module: nn.Module) -> None:
        """Give all processes the running statistics of the main one.

        Parameters
        ----------
        module : nn.Module
            The network.
        """
        if self.count == 1:
            return
        buffers = dict(module.named_buffers())
        shared = self.agree({name: b.cpu() for name, b in buffers.items()})
        for name, buffer in buffers.items():
            buffer.copy_(shared[name])

    @contextmanager
    def apart(self, net: NeuralNet) -> Iterator[None]:
        """Let each process run the network by itself while the context lasts.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net in training.
        """
        with ExitStack() as stack:
            for module in net.module_.modules() if self.count > 1 else ():
                if hasattr(module, "no_sync"):
                    stack.enter_context(module.no_sync())
            yield

    def function(self, function: BatchFunction) -> PseudoBooleanFunction:
        """Return the loss of the batch of all processes.

        Parameters
        ----------
        function : BatchFunction
            The loss of this process's part of it.

        Returns
        -------
        function : PseudoBooleanFunction
            The same in all processes.
        """
        return function if self.count == 1 else MeanFunction(function, self)


class MeanFunction(PseudoBooleanFunction):
    """The mean of what all processes know about the same masks.

    Parameters
    ----------
    function : BatchFunction
        The loss of this process's part of the batch.
    processes : Processes
        All of them.
    """

    relaxable = True

    def __init__(self, function: BatchFunction, processes: Processes) -> None:
        self.n_variables = function.n_variables
        self._function = function
        self._mean = processes.mean

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        if not (Z.requires_grad and torch.is_grad_enabled()):
            return self._mean(self._function(Z))
        points = Z.detach().requires_grad_()
        costs = self._function(points)
        (slopes,) = torch.autograd.grad(costs.sum(), points)
        return _WithSlope.apply(Z, self._mean(costs.detach()), self._mean(slopes))

    def costs_of(self, samples: CoupledSamples) -> torch.Tensor:
        """Return the mean costs of samples.

        Parameters
        ----------
        samples : CoupledSamples
            The samples.

        Returns
        -------
        costs : torch.Tensor of shape (n,)
            One cost a sample.
        """
        return self._mean(self._function.costs_of(samples))

    def costs_and_slopes_of(
        self, samples: CoupledSamples, part: range
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean costs and slopes of some samples.

        Parameters
        ----------
        samples : CoupledSamples
            The samples.
        part : range
            Numbers of those asked for.

        Returns
        -------
        costs : torch.Tensor of shape (m,)
            One cost a sample.
        slopes : torch.Tensor of shape (m, d)
            dJ/dz at each.
        """
        costs, slopes = self._function.costs_and_slopes_of(samples, part)
        return self._mean(costs), self._mean(slopes)


def build_accelerator(net: NeuralNet) -> None:
    """Build the accelerator of a net that was given its settings only.

    An accelerator itself holds what belongs to one process; a dict of its parameters
    can be cloned, pickled and sent to workers. Nothing is put around the network yet:
    that is done to its masked form, when training begins.

    Parameters
    ----------
    net : skorch.NeuralNet
        Not yet initialised, with an `accelerator`, which may be a dict, or without.
    """
    if not hasattr(net, "accelerator"):
        return
    if net.callbacks__print_log__sink == "auto":  # prints whatever `verbose` says
        net.callbacks__print_log__sink = print
    if isinstance(net.accelerator, Mapping):
        from accelerate import Accelerator

        net.set_params(accelerator=Accelerator(**net.accelerator))
    if net.accelerator.device_placement:
        net.device = None  # a copy of a net out of a worker's pickle has another
    net._wrapped_with_accelerator = True  # skorch leaves it alone


def use_accelerator(net: NeuralNet) -> None:
    """Bring an initialised net to the device of its accelerator.

    Parameters
    ----------
    net : skorch.NeuralNet
        With an `accelerator` or without.
    """
    accelerator = getattr(net, "accelerator", None)
    if accelerator is None:
        return
    for name in net.cuda_dependent_attributes_:
        part = getattr(net, name)
        trains = isinstance(part, nn.Module) and any(
            p.requires_grad for p in part.parameters()
        )
        if isinstance(part, torch.optim.Optimizer) or (trains and name != "module_"):
            setattr(net, name, accelerator.prepare(part))
        elif isinstance(part, nn.Module) and accelerator.device_placement:
            part.to(accelerator.device)
