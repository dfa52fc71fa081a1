"""Files of quantized networks against general packers, and the time that coding takes.

Three networks are trained on the digits of scikit-learn with every method, and codes of
known sources, of a million weights each, show the extremes. Packers are given all codes
of a network in one string, in bytes or in words of two bytes where codes need them.
"entropy" is the information content given the best model that the file knows of each
tensor; "order0" the entropy of the frequencies of each tensor, which no file has at
hand. Sizes are bytes. zstd is tried where it can be imported.

    python bench_file.py
"""

from __future__ import annotations

import argparse
import lzma
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MixedPrecisionQuantizer
from sklearn_pb.export import load_quantized, quantized_sizes, save_quantized
from sklearn_pb.quantizers import QuantizedTensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from reporting import write_table

Codes = dict[str, QuantizedTensor]
State = dict[str, torch.Tensor]

METHODS = {
    "smol-channel": {"granularity": "channel", "target_bits": 2.0},
    "smol-block": {"granularity": "block", "target_bits": 2.0},
    "smol-parameter": {"granularity": "parameter", "target_bits": 1.5},
    "smol-layer": {"granularity": "layer", "target_bits": 3.0},
    **{
        f"{method}-{bits}": {"method": method, "initial_bits": bits}
        for method in ("dorefa", "lsq", "post-training")
        for bits in (2, 4, 8)
    },
}
SOURCES = {
    "one percent of signs": (0.005, 0.99, 0.005),
    "one in a thousand": (0.0005, 0.999, 0.0005),
    "three equal": (1 / 3, 1 / 3, 1 / 3),
    "sixteen equal": (1 / 16,) * 16,
    "all bytes": (1 / 256,) * 256,
}


def main() -> None:
    """Measure everything and write the table."""
    options = parse_arguments()
    rows = []
    for network, method, state, quantized in (*trained(options.epochs), *drawn()):
        row = {"network": network, "method": method, **measure(state, quantized)}
        print(row, flush=True)
        rows.append(row)
    print(write_table(options.name, rows))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--name", default="quantized_files")
    return parser.parse_args()


def trained(epochs: int) -> Iterator[tuple[str, str, State, Codes]]:
    """Yield networks trained on the digits, with each method."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    for network, build in NETWORKS.items():
        for method, settings in METHODS.items():
            torch.manual_seed(0)
            net = NeuralNetClassifier(
                build(),
                criterion=nn.CrossEntropyLoss,
                optimizer=torch.optim.Adam,
                lr=0.003,
                max_epochs=epochs,
                batch_size=64,
                train_split=None,
                verbose=0,
            )
            quantizer = MixedPrecisionQuantizer(net, random_state=0, **settings)
            quantizer.fit(X, y)
            state = quantizer.estimator_.module_.state_dict()
            yield network, method, state, quantizer.quantized_


def drawn(
    shape: tuple[int, int] = (1000, 1000),
) -> Iterator[tuple[str, str, State, Codes]]:
    """Yield codes of known sources, as a layer of that shape."""
    for name, probabilities in SOURCES.items():
        symbols = np.arange(len(probabilities)) - len(probabilities) // 2
        draws = np.random.default_rng(0).choice(symbols, shape, p=probabilities)
        codes = torch.from_numpy(draws).to(torch.int32)
        bits = torch.tensor(len(probabilities).bit_length(), dtype=torch.uint8)
        tensor = QuantizedTensor(codes, torch.tensor(0.1), bits)
        yield "a million", name, {"weight": tensor.dequantize()}, {"weight": tensor}


def mlp(hidden: int) -> nn.Module:
    """Return a perceptron for the digits."""
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def conv() -> nn.Module:
    """Return a small convolutional network with batch norm for the digits."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8))]
    for n_in, n_out in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(n_out), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*layers)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp of 518": lambda: mlp(7),
    "mlp of 9,472": lambda: mlp(128),
    "conv of 23,824": conv,
}


def measure(state: State, quantized: Codes) -> dict[str, object]:
    """Return sizes in bytes, and seconds to save and to load."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        save_quantized(f"{folder}/file", state, quantized)
        saved = time.perf_counter()
        loaded = load_quantized(f"{folder}/file")
        seconds = saved - begin, time.perf_counter() - saved
    assert all(torch.equal(loaded.state[name], state[name]) for name in state)
    sizes = quantized_sizes(state, quantized)
    coded = (sizes.codes + sizes.bit_maps) / 8
    packed = packers(quantized)
    known = [size for size in packed.values() if size is not None]
    return {
        "weights": sizes.weights,
        "mean_bits": round(sizes.mean_bits, 3),
        "file": sizes.file_bytes,
        "header": round(sizes.header / 8),
        "codes": round(coded),
        "entropy": round(sizes.entropy_bits / 8),
        "over_entropy": round(coded / max(1.0, sizes.entropy_bits / 8), 4),
        "order0": round(order0(quantized)),
        **packed,
        "best_packer_over_codes": round(min(known) / coded, 3),
        "save_seconds": round(seconds[0], 3),
        "load_seconds": round(seconds[1], 3),
    }


def order0(quantized: Codes) -> float:
    """Return the bytes of the entropy of the frequencies in each tensor."""
    total = 0.0
    for tensor in quantized.values():
        counts = tensor.codes.unique(return_counts=True)[1].double()
        total += float((counts * (counts.sum() / counts).log2()).sum()) / 8
    return total


def packers(quantized: Codes) -> dict[str, int | None]:
    """Return the bytes that general packers make of all codes."""
    arrays = [tensor.codes.numpy() for tensor in quantized.values()]
    small = all(array.min() >= -128 and array.max() <= 127 for array in arrays)
    text = b"".join(
        array.astype("<i1" if small else "<i2").tobytes() for array in arrays
    )
    chain = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0}]
    found: dict[str, int | None] = {
        "zlib": len(zlib.compress(text, 9)),
        "lzma": len(lzma.compress(text, lzma.FORMAT_RAW, filters=chain)),
        "zstd": None,
    }
    try:
        packer = import_module("zstandard").ZstdCompressor(level=22)
    except ImportError:
        return found
    return found | {"zstd": len(packer.compress(text))}


if __name__ == "__main__":
    main()
