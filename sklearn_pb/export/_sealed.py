"""A file of a header and bytes, whose every bit a checksum covers."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from typing import Any

from ..exceptions import ExportError

MAGIC = b"\x93SKPBQ\r\n"  # no text, and damaged by transfer as text
FORMAT = 1
DIGEST_BYTES = 16
# What headers are full of, so that short ones are packed as well as long ones. Part of
# the format: with other words its files cannot be read.
WORDS = (
    b'"num_batches_tracked"],"running_var"],"running_mean"],["deflate",["sparse",'
    b'["digits",["constant",["raw",["empty"],"zeros","map"],"codes",0,0,0,0,"layers.'
    b'"fc"downsample.conv2"bn1"module.features.classifier.,1,1,1,1,float16""int64",'
    b'],"types":{},"state":[[".bias"],[".weight"],"bytes":,"codes":[[,["model",1,-3,7,'
    b'"tensors":[[["float32",[1,1]],[],["uint8",]]],"extra":{}}{"quantized":["0.weight'
)
_LEAD = struct.Struct(f"<8sB{DIGEST_BYTES}sI")  # magic, format, digest, header's bytes


def seal(header: dict[str, Any], data: bytes) -> bytes:
    """Return the contents of a file.

    Parameters
    ----------
    header : dict
        Anything that JSON can hold.
    data : bytes
        What follows it.

    Returns
    -------
    contents : bytes
        With a checksum over header and data.

    Raises
    ------
    TypeError
        If the header does not fit into JSON.
    """
    try:
        text = json.dumps(header, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TypeError(f"extra must fit into JSON: {error}.") from error
    packed = _squeezed(text.encode())
    lead = _LEAD.pack(MAGIC, FORMAT, _digest(packed, data), len(packed))
    return lead + packed + data


def unseal(contents: bytes, path: str) -> tuple[dict[str, Any], bytes]:
    """Return header and data of a file, if not a bit of it was changed.

    Parameters
    ----------
    contents : bytes
        What `seal` returned.
    path : str
        The file, for messages.

    Returns
    -------
    header : dict
        The header.
    data : bytes
        What followed it.

    Raises
    ------
    ExportError
        If the file is another one, was altered, or ends too early.
    """
    if len(contents) < _LEAD.size or contents[: len(MAGIC)] != MAGIC:
        raise ExportError(f"{path} was not written by save_quantized, or is damaged.")
    _, number, digest, n_bytes = _LEAD.unpack_from(contents)
    if number != FORMAT:
        raise ExportError(
            f"{path} has format {number}, and this version reads format {FORMAT}."
        )
    packed = contents[_LEAD.size : _LEAD.size + n_bytes]
    data = contents[_LEAD.size + n_bytes :]
    if len(packed) != n_bytes or _digest(packed, data) != digest:
        raise ExportError(
            f"{path} was altered or cut off: its contents do not match its checksum."
        )
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS, WORDS)
    return json.loads(unpacker.decompress(packed)), data


def _squeezed(text: bytes) -> bytes:
    strategy = zlib.Z_DEFAULT_STRATEGY
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy, WORDS)
    return packer.compress(text) + packer.flush()


def _digest(packed: bytes, data: bytes) -> bytes:
    digest = hashlib.blake2b(struct.pack("<I", len(packed)), digest_size=DIGEST_BYTES)
    digest.update(packed)
    digest.update(data)
    return digest.digest()
