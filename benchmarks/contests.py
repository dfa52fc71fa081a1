"""What contests share: networks, data, nets, and files of the runs that are done."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from networks import (
    VGG16,
    VGG19,
    Conv6,
    LeNet300100,
    ResNet20,
    ResNet32,
    SmallConv,
    StridedConv,
)
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb.datasets import load_arrays

NETWORKS = {
    "lenet-300-100": LeNet300100,
    "small-conv": SmallConv,
    "strided-conv": StridedConv,
    "conv-6": Conv6,
    "resnet-20": ResNet20,
    "resnet-32": ResNet32,
    "vgg-16": VGG16,
    "vgg-19": VGG19,
}
Part = tuple[np.ndarray, np.ndarray]


def load_images(options: argparse.Namespace) -> tuple[Part, Part]:
    """Rows to train on, in a fixed random order, and rows to test on.

    Parameters
    ----------
    options : argparse.Namespace
        With data, data_home and rows.
    """
    found = load_arrays(options.data, data_home=options.data_home, scale=True)
    rows = np.random.default_rng(0).permutation(len(found.X))[: options.rows]
    train = images(found.X[rows]), found.y[rows]
    return train, (images(found.X_test), found.y_test)


def images(X: np.ndarray) -> np.ndarray:
    """Rows of images as networks take them, channels first.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, height, width) or (n, height, width, 3)
        As they are stored.
    """
    X = X.astype(np.float32)
    if X.ndim == 3:
        return X[:, None]
    return np.moveaxis(X, -1, 1).copy() if X.shape[-1] == 3 else X


def fresh_net(options: argparse.Namespace, epochs: int) -> NeuralNetClassifier:
    """A net that is not yet trained.

    Parameters
    ----------
    options : argparse.Namespace
        With network, batch_size and device.
    epochs : int
        How long it trains.
    """
    return NeuralNetClassifier(
        NETWORKS[options.network],
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=options.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=options.device,
    )


class Records:
    """A file with a line for each thing that is done.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = [json.loads(line) for line in lines if line.endswith("}")]

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write a line, which a kill may cut short without harm to others."""
        with self.path.open("a") as file:
            file.write("\n" + json.dumps(row))
        self.rows.append(row)
        print(self.path.stem, row, flush=True)
        return row

    def find(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the rows that have all of these entries."""
        return [row for row in self.rows if wanted.items() <= row.items()]
