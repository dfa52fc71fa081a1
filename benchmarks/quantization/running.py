"""What the scripts beside the contest share: their command line, and SMOL on a net."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from contests import NETWORKS, Part, Records, fresh_net, load_images
from reporting import RESULTS, write_table

from sklearn_pb import MixedPrecisionQuantizer

__all__ = [
    "RESULTS",
    "Records",
    "fresh_net",
    "images_and_records",
    "load_images",
    "parser_for",
    "smol",
    "write_table",
]


def parser_for(description: str | None, name: str) -> argparse.ArgumentParser:
    """The options that the scripts have in common; `name` is that of the results."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="fashion_mnist")
    add("--data-home", default=None)
    add("--work-dir", type=Path, required=True)
    add("--name", default=name)
    add("--network", choices=NETWORKS, default="strided-conv")
    add("--rows", type=int, default=20_000)
    add("--epochs", type=int, default=16)
    add("--seeds", type=int, default=3)
    add("--batch-size", type=int, default=128)
    add("--device", default="cpu")
    return parser


def images_and_records(options: argparse.Namespace) -> tuple[Part, Part, Records]:
    """Rows to train and to test on, and the file of what is done."""
    train, test = load_images(options)
    folder = options.work_dir / options.data / options.network
    return train, test, Records(folder / f"{options.name}.jsonl")


def smol(options: argparse.Namespace, seed: int, **settings: Any) -> Any:
    """SMOL with a precision a weight, around a fresh net."""
    settings = {"granularity": "parameter", **settings}
    net = fresh_net(options, options.epochs)
    return MixedPrecisionQuantizer(net, random_state=seed, **settings)
