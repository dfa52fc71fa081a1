"""Which weights of a network follow which variables of one flat mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ._placements import Placement, Slices


@dataclass(frozen=True)
class MaskLayout:
    """The mask variables of a network, and the parameters that they govern.

    Parameters
    ----------
    placements : tuple of Placement
        One a parameter.
    layers : tuple of int
        Sizes of consecutive groups of variables that belong to one layer.
    layer_names : tuple of str
        What these layers are called.
    consumers : tuple of Slices, default=()
        Inputs of other parameters that are left without use where a variable is zero;
        they count, but are not masked.
    products : tuple of Slices, default=()
        By the name of a module, the variables that share its products of activations
        with activations among themselves; these count as well.
    """

    placements: tuple[Placement, ...]
    layers: tuple[int, ...]
    layer_names: tuple[str, ...]
    consumers: tuple[Slices, ...] = ()
    products: tuple[Slices, ...] = ()

    @property
    def n_variables(self) -> int:
        """The number d of mask variables."""
        return sum(self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the governed parameters."""
        return tuple(placement.name for placement in self.placements)

    def spread(self, variables: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the variable of each weight.

        Parameters
        ----------
        variables : torch.Tensor of shape (d,)
            One value a variable.

        Returns
        -------
        values : dict of str to torch.Tensor
            By parameter name; each broadcasts to the shape of the parameter.
        """
        return {p.name: p.spread(variables) for p in self.placements}

    def masks(self, variables: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the boolean mask of each parameter.

        Parameters
        ----------
        variables : torch.Tensor of shape (d,)
            Zeros and ones.

        Returns
        -------
        masks : dict of str to torch.Tensor
            By parameter name, in its shape, on the CPU.
        """
        return {
            p.name: p.spread(variables).bool().cpu().expand(p.shape).clone()
            for p in self.placements
        }

    def variables(self, masks: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the flat mask that `masks` spreads, the inverse of that.

        Parameters
        ----------
        masks : dict of str to torch.Tensor
            Boolean masks by parameter name.

        Returns
        -------
        variables : torch.Tensor of bool, shape (d,)
            True where a variable keeps any of its weights.
        """
        totals = torch.zeros(self.n_variables)
        for p in self.placements:
            p.add_sums_(masks[p.name].to(totals), totals)
        return totals > 0

    def layer_sparsity(self, variables: torch.Tensor) -> dict[str, float]:
        """Return the fraction of zeros in each layer.

        Parameters
        ----------
        variables : torch.Tensor of shape (d,)
            What each variable counts for as a one, in [0, 1].

        Returns
        -------
        layer_sparsity : dict of str to float
            By the name of the layer.
        """
        layers = zip(self.layer_names, variables.split(self.layers), strict=True)
        return {name: 1 - float(part.double().mean()) for name, part in layers}

    def sums(self, values: Callable[[Placement], torch.Tensor]) -> torch.Tensor:
        """Return sums over the weights of each variable.

        Parameters
        ----------
        values : callable
            Gives one value a weight for a placement, in the parameter's shape.

        Returns
        -------
        sums : torch.Tensor of shape (d,)
            On the device of the values.
        """
        totals: torch.Tensor | None = None
        for placement in self.placements:
            part = values(placement)
            if totals is None:
                totals = part.new_zeros(self.n_variables)
            placement.add_sums_(part, totals)
        assert totals is not None
        return totals

    def counts(self) -> torch.Tensor:
        """Return the number of weights of each variable.

        Returns
        -------
        counts : torch.Tensor of shape (d,)
            Whole numbers, as floats.
        """
        return self.sums(lambda placement: torch.ones(placement.shape))

    def parameters(self, module: nn.Module) -> list[nn.Parameter]:
        """Return the governed parameters of a module, in the order of the layout.

        Parameters
        ----------
        module : nn.Module
            The network, or a copy of it.

        Returns
        -------
        parameters : list of nn.Parameter
            The module's own, not copies.
        """
        return [module.get_parameter(name) for name in self.names]
