"""What `report` returns: rows of a table, the table, and a table of networks below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..utils import text_table
from ._latency import Latency, readable_seconds
from ._sparsify import LayoutChoice


@dataclass(frozen=True)
class LayerReport:
    """What pruning left of one layer.

    Parameters
    ----------
    name : str
        Of the parameter.
    kind : str
        Class of the layer; empty for the sum of all that has no row.
    shape : tuple of int
        Of the parameter.
    weights, nonzeros : int
        How many there are, and how many are kept.
    n_bytes, packed_bytes : int
        Size of the parameter, and on disk as `save_packed` writes it.
    macs, effective_macs : float
        Multiply-adds for one sample, and those with kept weights.
    choice : LayoutChoice or None
        The times of the layer, dense and sparse, where they were measured.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    nonzeros: int
    n_bytes: int
    packed_bytes: int
    macs: float
    effective_macs: float
    choice: LayoutChoice | None = None

    @property
    def sparsity(self) -> float:
        """The fraction of zeros."""
        return 1 - self.nonzeros / self.weights if self.weights else 0.0


@dataclass(frozen=True)
class NetworkReport:
    """One way to run the whole network.

    Parameters
    ----------
    weights : int
        Parameters that are stored.
    n_bytes : int
        Bytes of the parameters on disk.
    macs : float
        Multiply-adds for one sample.
    latency : Latency or None
        Of one batch, where it was measured.
    """

    weights: int
    n_bytes: int
    macs: float
    latency: Latency | None = None


@dataclass(frozen=True)
class Report:
    """What a pruned network costs, by layer and as a whole; prints as two tables.

    Parameters
    ----------
    layers : tuple of LayerReport
        One for each parameter that is a matrix or more, and one for all the rest.
    networks : dict of str to NetworkReport
        "dense": the network as it is; "sparse": its zeros neither stored nor
        multiplied, timed as `sparsify` makes it; "compact": without pruned channels.
    n_samples : int
        Samples in the batch that was timed.
    threads : int
        Of torch's, while it was timed.

    Examples
    --------
    >>> from sklearn_pb.export import LayerReport, Report
    >>> layer = LayerReport("0.weight", "Linear", (2, 5), 10, 1, 40, 6, 10.0, 1.0)
    >>> Report((layer,), {}, n_samples=1, threads=1).to_dict()["layers"][0]["sparsity"]
    0.9
    """

    layers: tuple[LayerReport, ...]
    networks: dict[str, NetworkReport]
    n_samples: int
    threads: int

    @property
    def total(self) -> LayerReport:
        """The sums over all layers."""
        sums = {
            name: sum(getattr(layer, name) for layer in self.layers)
            for name in (
                *("weights", "nonzeros", "n_bytes", "packed_bytes"),
                *("macs", "effective_macs"),
            )
        }
        return LayerReport("total", "", (), **sums)

    def speedup(self, network: str) -> float | None:
        """Return how many times faster than the dense network another one was.

        Parameters
        ----------
        network : str
            One of `networks`.

        Returns
        -------
        speedup : float or None
            Median over the turns; None if it was not measured.
        """
        dense = self.networks["dense"].latency
        other = self.networks[network].latency
        return None if dense is None or other is None else dense.over(other)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers, strings, lists and dicts.

        Returns
        -------
        report : dict
            With keys layers, total, networks, n_samples and threads; times in seconds.
        """
        return {
            "layers": [_layer_dict(layer) for layer in self.layers],
            "total": _layer_dict(self.total),
            "networks": {
                name: {
                    "weights": network.weights,
                    "n_bytes": network.n_bytes,
                    "macs": network.macs,
                    "seconds": network.latency and network.latency.median,
                    "speedup": self.speedup(name),
                }
                for name, network in self.networks.items()
            },
            "n_samples": self.n_samples,
            "threads": self.threads,
        }

    def to_frame(self) -> Any:
        """Return the layers as a table of pandas.

        Returns
        -------
        frame : pandas.DataFrame
            One row a layer, by the name of the parameter.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "Report.to_frame needs pandas, which is not installed; install it "
                "with: pip install pandas"
            ) from error
        return pandas.DataFrame(self.to_dict()["layers"]).set_index("name")

    def __str__(self) -> str:
        """Return the table of layers with a line of totals, and that of networks."""
        timed = any(layer.choice for layer in self.layers)
        titles = ["layer", "kind", "shape", "non-zeros", "weights", "zero", "bytes"]
        titles += ["packed", "multiply-adds", "effective"]
        titles += ["dense", "sparse", "layout"] if timed else []
        lines = [_layer_cells(layer, timed) for layer in self.layers]
        tables = [
            text_table(
                titles,
                [*lines, _layer_cells(self.total, timed)],
                left={"layer", "kind", "layout"},
                total=True,
            )
        ]
        if self.networks:
            titles = [
                "network",
                "weights",
                "bytes",
                "multiply-adds",
                "time",
                "speed-up",
            ]
            rows = [self._network_cells(name) for name in self.networks]
            tables.append(text_table(titles, rows, left={"network"}))
        if any(network.latency for network in self.networks.values()):
            plural = "s" * (self.threads != 1)
            tables.append(
                f"Times are medians, taken in turn, of a batch of {self.n_samples} "
                f"with {self.threads} thread{plural}."
            )
        return "\n\n".join(tables)

    def _network_cells(self, name: str) -> list[str]:
        network, speedup = self.networks[name], self.speedup(name)
        time = network.latency and readable_seconds(network.latency.median)
        return [
            name,
            f"{network.weights:,}",
            f"{network.n_bytes:,}",
            f"{network.macs:,.0f}",
            time or "",
            "" if speedup is None else f"{speedup:.2f}",
        ]


def _layer_dict(layer: LayerReport) -> dict[str, Any]:
    choice = layer.choice
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape),
        "weights": layer.weights,
        "nonzeros": layer.nonzeros,
        "sparsity": layer.sparsity,
        "n_bytes": layer.n_bytes,
        "packed_bytes": layer.packed_bytes,
        "macs": layer.macs,
        "effective_macs": layer.effective_macs,
        "layout": choice and choice.layout,
        "dense_seconds": choice and choice.dense_seconds,
        "sparse_seconds": choice and choice.sparse_seconds,
    }


def _layer_cells(layer: LayerReport, timed: bool) -> list[str]:
    cells = [
        layer.name,
        layer.kind,
        " x ".join(map(str, layer.shape)),
        f"{layer.nonzeros:,}",
        f"{layer.weights:,}",
        f"{100 * layer.sparsity:.4g} %",
        f"{layer.n_bytes:,}",
        f"{layer.packed_bytes:,}",
        f"{layer.macs:,.0f}",
        f"{layer.effective_macs:,.0f}",
    ]
    choice = layer.choice
    if timed and choice:
        seconds = (choice.dense_seconds, choice.sparse_seconds)
        return [*cells, *map(readable_seconds, seconds), choice.layout]
    return [*cells, "", "", ""] if timed else cells
