"""One file for a pruned network: the weights that are left, and where they belong."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..exceptions import ExportError
from ._coding import decode, encode
from ._state_files import check_state, replaced_when_whole, with_twins

FORMAT = 1
KEY = "sklearn_pb"  # of our entry in the metadata that safetensors keeps


def save_packed(
    path: str | os.PathLike[str],
    module: nn.Module,
    masks: Mapping[str, torch.Tensor] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write the state of a network to one small file.

    Each tensor is written the shortest way: dense, or its non-zeros with a mask of one
    bit an entry, or its non-zeros with a byte each that counts the zeros before it.
    Tied tensors are written once. The file is safetensors, so that reading it runs no
    code, with a checksum over everything in it, and it replaces an older one only when
    it is complete.

    Parameters
    ----------
    path : str or path-like
        The file.
    module : nn.Module
        The network, zero where it is pruned.
    masks : dict of str to torch.Tensor, default=None
        True where a weight is kept, by parameter name, to be held against the weights;
        entries that are kept may then be zero themselves. None keeps what is not zero.
    metadata : dict, default=None
        Anything that JSON can hold, to be found again by `packed_metadata`.

    Raises
    ------
    ValueError
        If a mask has no parameter, another shape, or misses a weight that is not zero.
    TypeError
        If the state or the metadata hold something that could only be pickled.
    ImportError
        If safetensors is not installed.

    See Also
    --------
    load_packed : Reads it.

    Examples
    --------
    >>> import tempfile, torch
    >>> from sklearn_pb.export import load_packed, save_packed
    >>> network = torch.nn.Linear(100, 100)
    >>> network.weight.data[:, 5:] = 0.0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_packed(f"{folder}/network", network)
    ...     state = load_packed(f"{folder}/network")
    >>> torch.equal(state["weight"], network.weight)
    True
    """
    safetensors = _load_safetensors()
    state = module.state_dict()
    masks = {} if masks is None else masks
    check_state(state, "packed")
    _check_masks(state, masks)
    tensors: dict[str, torch.Tensor] = {}
    entries: dict[str, Any] = {}
    for name, tensor, twin in with_twins(state):
        if twin is not None:
            entries[name] = {"tied": twin}
            continue
        coding, parts = encode(tensor.cpu(), masks.get(name))
        entries[name] = {"coding": coding, "shape": list(tensor.shape)}
        tensors |= {f"{name}:{part}": value for part, value in parts.items()}
    header = {"format": FORMAT, "tensors": entries, "metadata": dict(metadata or {})}
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metadata must fit into JSON: {error}.") from error
    checked = {KEY: text, "sha256": _checksum(text, tensors)}
    with replaced_when_whole(path) as partial:
        safetensors.torch.save_file(tensors, partial, checked)


def load_packed(
    path: str | os.PathLike[str], module: nn.Module | None = None
) -> dict[str, torch.Tensor]:
    """Read what `save_packed` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    module : nn.Module, default=None
        A network of the same architecture to load the state into.

    Returns
    -------
    state : dict of str to torch.Tensor
        The state dict, bit for bit, except that a zero which was left out comes back
        as 0.0 also where it was -0.0. Tied tensors are one tensor.

    Raises
    ------
    ExportError
        If the file is damaged, or not one of ours.
    OSError
        If there is no such file.
    RuntimeError
        If the state does not fit the network.
    ImportError
        If safetensors is not installed.
    """
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        header = _read_header(path, file.metadata(), tensors)
    state: dict[str, torch.Tensor] = {}
    for name, entry in header["tensors"].items():
        if "tied" in entry:
            state[name] = state[entry["tied"]]
            continue
        coding = entry["coding"]
        names = {"values"} if coding == "dense" else {"values", coding}
        parts = {part: tensors[f"{name}:{part}"] for part in names}
        state[name] = decode(coding, parts, tuple(entry["shape"]))
    if module is not None:
        module.load_state_dict(state)
    return state


def packed_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the metadata that `save_packed` was given, and how tensors are coded.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    header : dict
        "metadata" as it was given, and "tensors": by name the coding ("dense", "bits"
        or "gaps") and the shape, or the name of the tensor that one is tied to.

    Raises
    ------
    ExportError
        If the file is damaged, or not one of ours.
    OSError
        If there is no such file.
    ImportError
        If safetensors is not installed.
    """
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        header = _read_header(path, file.metadata(), tensors)
    return {key: header[key] for key in ("metadata", "tensors")}


def _load_safetensors() -> Any:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            "Packed files need the package safetensors; install it with: "
            "pip install 'sklearn-pb[export]'"
        ) from error
    return safetensors


def _check_masks(
    state: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]
) -> None:
    for name, mask in masks.items():
        if name not in state:
            raise ValueError(f"masks has {name!r}, which the module does not have.")
        weight = state[name]
        if mask.shape != weight.shape:
            raise ValueError(
                f"masks[{name!r}] has shape {tuple(mask.shape)}, but the parameter has "
                f"{tuple(weight.shape)}."
            )
        lost = int((weight[~mask.bool().to(weight.device)] != 0).sum())
        if lost:
            raise ValueError(
                f"{name} has {lost} weights that are not zero where masks[{name!r}] is "
                "False; multiply the weights by their masks first."
            )


def _checksum(text: str, tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a file, and call whatever is wrong with its contents an `ExportError`."""
    safetensors = _load_safetensors()
    try:
        with safetensors.safe_open(os.fspath(path), framework="pt") as file:
            yield file
    except safetensors.SafetensorError as error:
        raise ExportError(
            f"{os.fspath(path)} is damaged or no safetensors file: {error}"
        ) from error


def _read_header(
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None,
    tensors: Mapping[str, torch.Tensor],
) -> dict[str, Any]:
    metadata = metadata or {}
    if KEY not in metadata:
        raise ExportError(
            f"{os.fspath(path)} was not written by save_packed: its metadata has no "
            f"entry {KEY!r}."
        )
    if metadata.get("sha256") != _checksum(metadata[KEY], tensors):
        raise ExportError(
            f"{os.fspath(path)} was altered: its contents do not match its checksum."
        )
    header = json.loads(metadata[KEY])
    if header["format"] != FORMAT:
        raise ExportError(
            f"{os.fspath(path)} has format {header['format']}, and this version reads "
            f"format {FORMAT}."
        )
    return header
