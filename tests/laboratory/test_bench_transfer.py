"""The bench of transferred architectures: its masks, and the numbers of the source."""

import argparse

import numpy as np
import pytest
from pruning.bench_transfer import find_mask, table

OPTIONS = argparse.Namespace(
    network="lenet-300-100", old_epochs=1, imp_rate=0.5, device="cpu"
)


@pytest.fixture(name="task")
def make_task():
    X = np.random.default_rng(0).normal(size=(40, 1, 28, 28)).astype(np.float32)
    y = np.arange(40) % 4
    return X, y, X[:8], y[:8]


@pytest.mark.parametrize(
    "method, sparsity, rounds",
    [("imp", 0.75, 2), ("imp", 0.5, 1), ("magnitude", 0.9, 0)],
)
def test_masks_have_the_sparsity_that_is_asked_for(method, sparsity, rounds, task):
    found = find_mask(method, sparsity, 0, task, OPTIONS)
    kept = sum(int(mask.sum()) for mask in found.masks_.values())
    total = sum(mask.numel() for mask in found.masks_.values())
    assert kept == pytest.approx((1 - sparsity) * total, abs=1)
    assert getattr(found, "ticket_", found) is found or found.ticket_.round == rounds


def test_numbers_of_the_source_stand_beside_those_of_the_same_method():
    rows = [
        {"architecture": name, "wanted": 0.9, "n_samples": 500, "score": score}
        for name, score in [
            ("two-temperature reshuffled", 0.5),
            ("imp reshuffled", 0.25),
            ("imp reshuffled", 0.75),
            ("imp", 0.5),
            ("dense", 1.0),
        ]
    ]
    seen = {row["architecture"]: row for row in table(rows)}
    assert seen["imp reshuffled"]["source_vgg19_cifar"] == 10.0
    assert seen["two-temperature reshuffled"]["source_vgg19_cifar"] == 49.7
    assert seen["imp"]["source_vgg19_cifar"] == ""
    assert seen["imp reshuffled"]["accuracy_mean"] == 50.0
    assert seen["imp reshuffled"]["accuracy_std"] == 25.0
    assert seen["dense"]["sparsity"] == 0.0
