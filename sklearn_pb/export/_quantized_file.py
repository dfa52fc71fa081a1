"""One file for a quantized network: entropy-coded codes, and all that is not coded."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..exceptions import ExportError
from ..quantizers import QuantizedTensor
from ..quantizers._code_plans import read_codes
from ._file_parts import FileParts
from ._sealed import unseal
from ._state_files import replaced_when_whole
from ._tensor_bytes import dtype_of, unpack_tensors


@dataclass(frozen=True, eq=False)
class QuantizedFile:
    """What a file of `save_quantized` holds.

    Parameters
    ----------
    state : dict of str to torch.Tensor
        The state dict, with the weights that the codes stand for. Tied tensors are one
        tensor.
    quantized : dict of str to QuantizedTensor
        Codes, steps and bits, by parameter name.
    extra : dict
        As it was saved.
    """

    state: dict[str, torch.Tensor]
    quantized: dict[str, QuantizedTensor]
    extra: dict[str, Any]


def save_quantized(
    path: str | os.PathLike[str],
    module: nn.Module | Mapping[str, torch.Tensor],
    quantized: Mapping[str, QuantizedTensor],
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a quantized network to one small file.

    Codes are coded by the cheapest of several models: frequencies of the layer, of each
    output or input channel or place in a kernel, or of what precedes in the channel,
    all learned on the way, so that no table is stored; gaps between non-zeros where
    these are rare; symbols of equally many bits; or zlib. Bits that follow from the
    codes are not stored. Everything else is stored as it is, without loss.

    Reading the file runs no code. A checksum covers all of it, and it replaces an older
    one only when it is complete.

    Parameters
    ----------
    path : str or path-like
        The file.
    module : nn.Module or dict of str to torch.Tensor
        The network or its state dict, with the weights that the codes stand for.
    quantized : dict of str to QuantizedTensor
        Codes by parameter name.
    extra : dict, default=None
        Anything that JSON can hold.

    Raises
    ------
    ValueError
        If a quantized tensor has no parameter, or another value than this.
    TypeError
        If the state or `extra` hold something that could only be pickled.

    See Also
    --------
    load_quantized : Reads it.
    quantized_sizes : Says where its bits go.

    Examples
    --------
    >>> import tempfile, torch
    >>> from sklearn_pb.export import load_quantized, save_quantized
    >>> from sklearn_pb.quantizers import QuantizedTensor
    >>> codes = torch.tensor([[1, -1, 1, 1]], dtype=torch.int32)
    >>> bits = torch.tensor(1, dtype=torch.uint8)
    >>> quantized = QuantizedTensor(codes, torch.tensor(0.5), bits)
    >>> layer = torch.nn.Linear(4, 1)
    >>> _ = layer.weight.data.copy_(quantized.dequantize())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_quantized(f"{folder}/layer", layer, {"weight": quantized})
    ...     loaded = load_quantized(f"{folder}/layer")
    >>> loaded.state["weight"]
    tensor([[ 0.5000, -0.5000,  0.5000,  0.5000]])
    """
    contents = FileParts.of(module, quantized, extra).sections().contents()
    with replaced_when_whole(path) as partial, open(partial, "wb") as file:
        file.write(contents)


def load_quantized(
    path: str | os.PathLike[str], module: nn.Module | None = None
) -> QuantizedFile:
    """Read what `save_quantized` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    module : nn.Module, default=None
        A network of the same architecture to load the state into.

    Returns
    -------
    file : QuantizedFile
        State, codes and what else was saved; bit for bit, except that a zero comes
        back with the sign that its step gives it.

    Raises
    ------
    ExportError
        If the file is damaged, or not one of ours.
    OSError
        If there is no such file.
    RuntimeError
        If the state does not fit the network.
    """
    with open(path, "rb") as file:
        header, data = unseal(file.read(), os.fspath(path))
    try:
        found = _parse(header, data)
    except (LookupError, TypeError, ValueError, RuntimeError, zlib.error) as error:
        raise ExportError(f"{os.fspath(path)} makes no sense: {error}") from error
    if module is not None:
        module.load_state_dict(found.state)
    return found


def _parse(header: Mapping[str, Any], data: bytes) -> QuantizedFile:
    names, begin = header["quantized"], header["bytes"]
    tensors = unpack_tensors(header["tensors"], data[begin:])
    codes = read_codes(header["codes"], data[:begin], tensors[: len(names)])
    quantized = dict(zip(names, codes, strict=True))
    values = {
        name: tensor.dequantize().to(dtype_of(header["types"].get(name, "float32")))
        for name, tensor in quantized.items()
    }
    sources = {name: source[0] if source else name for name, *source in header["state"]}
    plain = [
        name
        for name, source in sources.items()
        if name == source and name not in quantized
    ]
    values |= zip(plain, tensors[len(names) :], strict=True)
    state = {name: values[source] for name, source in sources.items()}
    return QuantizedFile(state, quantized, header["extra"])
