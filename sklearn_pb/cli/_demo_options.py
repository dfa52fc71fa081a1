"""The options of the demo, and what its help says."""

from __future__ import annotations

import argparse
from typing import Any

from ..methods import PRESETS

_DESCRIPTION = """\
Prune a small network by several methods and to several sparsities, compare them by
cross-validation, test the sparsest good one, and quantize it into one small file."""
_EPILOG = """\
what happens
  1. A fifth of the rows is put aside for the end (or the test part of a file is).
  2. GridSearchCV tries every method with every sparsity, and the dense network, each
     on every fold of the other rows. Sparsity is the fraction of weights that is zero.
  3. You get a table, pictures and a CSV file. The sparsest network that loses at
     most two points of accuracy is trained again and scored on the rows put aside.
  4. Its weights get three bits on average, the zeros none. It is saved and loaded
     again, and a table shows size and accuracy of each stage.

methods
  continuous        learn soft masks that harden while the network trains
  straight-through  learn from sampled masks, as if rounding had a slope of one
  loorf, arms       learn from the losses of sampled masks alone (slower: ten more
                    forward passes a step)
  gmp               remove the smallest weights little by little
  magnitude         remove the smallest weights at once, then go on training

examples
  python -m sklearn_pb demo
  python -m sklearn_pb demo --methods continuous gmp --sparsities 0.9 0.99
  python -m sklearn_pb demo --data breast_cancer --epochs 30
  python -m sklearn_pb demo --data fashion_mnist --data-home FOLDER
  python -m sklearn_pb demo --data mine.npz     (arrays X and y, labels in y)
"""
METHODS = ("continuous", "straight-through", "loorf", "arms", "gmp", "magnitude")
SPARSITIES = (0.8, 0.9, 0.95, 0.98)


def add_demo(commands: Any) -> None:
    """Add the parser of the demo.

    Parameters
    ----------
    commands : argparse subparsers
        Where to add it.
    """
    parser = commands.add_parser(
        "demo",
        help="prune a network by several methods, compare them, and quantize it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_data(parser.add_argument_group("data"))
    _add_search(parser.add_argument_group("search"))
    _add_running(parser.add_argument_group("running"))


def _add_data(group: Any) -> None:
    group.add_argument(
        "--data",
        metavar="NAME|FILE.npz",
        default="digits",
        help="digits, breast_cancer, iris or wine of scikit-learn; a .npz file; or the "
        "name of one in --data-home (default: digits)",
    )
    group.add_argument(
        "--data-home",
        metavar="DIR",
        help="folder of named .npz files (default: $SKLEARN_PB_DATA)",
    )
    group.add_argument(
        "--max-rows",
        metavar="N",
        type=_positive,
        default=4000,
        help="train on at most this many rows, drawn class by class (default: 4000)",
    )


def _add_search(group: Any) -> None:
    group.add_argument(
        "--methods",
        metavar="METHOD",
        nargs="+",
        choices=sorted(name for name in PRESETS if PRESETS[name]().fits_networks),
        default=METHODS,
        help=f"which to compare (default: {' '.join(METHODS)})",
    )
    group.add_argument(
        "--sparsities",
        metavar="S",
        nargs="+",
        type=_sparsity,
        default=SPARSITIES,
        help="fractions of zeros between 0 and 1 (default: "
        f"{' '.join(map(str, SPARSITIES))})",
    )
    group.add_argument(
        "--epochs",
        metavar="N",
        type=_positive,
        help="epochs of each fit (default: enough for about 600 training steps)",
    )
    group.add_argument(
        "--folds",
        metavar="N",
        type=_at_least_two,
        default=3,
        help="folds of the cross-validation (default: 3)",
    )
    group.add_argument(
        "--seed",
        metavar="N",
        type=_natural,
        default=0,
        help="seed of splits, weights and masks (default: 0)",
    )


def _add_running(group: Any) -> None:
    group.add_argument(
        "--n-jobs",
        metavar="N",
        type=_positive,
        default=2,
        help="fits at the same time (default: 2)",
    )
    group.add_argument(
        "--out",
        metavar="DIR",
        default="demo_output",
        help="where to save pictures and table (default: demo_output)",
    )


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a whole number of at least {least}"
        )
    return number


def _natural(text: str) -> int:
    return _whole(text, 0)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _at_least_two(text: str) -> int:
    return _whole(text, 2)


def _sparsity(text: str) -> float:
    try:
        sparsity = float(text)
    except ValueError:
        sparsity = -1
    if not 0 < sparsity < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a fraction between 0 and 1, such as 0.95"
        )
    return sparsity
