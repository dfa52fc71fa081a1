"""SMOL beyond classifiers of images: a small Transformer, and a DCGAN's generator.

The Transformer predicts the next byte of a text from those before it. The generator is
trained against a critic of full precision, which is part of the loss; only the
generator is quantized, as in Savarese (2025), section 5.4.2. Its images are judged by
the Frechet distance between features of a classifier for images drawn and real ones,
which is what FID is with another classifier: compare its numbers here only.

    python other_networks.py --data-home DIR --work-dir RUNS
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from critics import AdversarialLoss, Generator, features_of, frechet_distance
from running import Records, load_images, write_table
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer

CONTEXT, NOISE = 32, 64
DENSE = "dense"


class ByteTransformer(nn.Module):
    """Two blocks of attention over the last bytes; gives the next one.

    Parameters
    ----------
    n_bytes : int
        Different bytes.
    width : int, default=64
        Size of the representation.
    """

    def __init__(self, n_bytes: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_bytes, width)
        self.places = nn.Parameter(0.02 * torch.randn(CONTEXT, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.1, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_bytes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return logits of the next byte."""
        hidden = self.blocks(self.embedding(X) + self.places)
        return self.head(self.norm(hidden[:, -1]))


def text_rows(options: argparse.Namespace) -> tuple[Any, Any, int]:
    """Windows of a text with the byte behind each, to train and to test on."""
    arrays = np.load(Path(options.data_home) / "text" / f"{options.text}.npz")
    known = np.unique(arrays["train"])
    rng = np.random.default_rng(0)

    def windows(part: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        text = np.searchsorted(known, arrays[part])
        starts = rng.integers(len(text) - CONTEXT, size=n)
        rows = np.lib.stride_tricks.sliding_window_view(text, CONTEXT + 1)[starts]
        seen = np.isin(arrays[part][starts + CONTEXT], known)
        return rows[seen, :-1].astype(np.int64), rows[seen, -1].astype(np.int64)

    train = windows("train", options.rows)
    test = windows("test", 5000)
    keep = np.isin(test[1], np.unique(train[1]))
    return train, (test[0][keep], test[1][keep]), len(known)


def transformer(options: argparse.Namespace) -> tuple[Any, Any]:
    """A net and a function that fits, scores and says what it scored."""
    train, test, n_bytes = text_rows(options)
    net = NeuralNetClassifier(
        ByteTransformer,
        module__n_bytes=n_bytes,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=2e-3,
        max_epochs=options.epochs,
        batch_size=128,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=options.device,
    )

    def score(estimator: Any) -> dict[str, float]:
        fitted = estimator.fit(*train)
        chances = fitted.predict_proba(test[0])
        places = np.searchsorted(fitted.classes_, test[1])
        right = chances[np.arange(len(places)), places]
        bits = float(-np.log2(np.maximum(right, 1e-12)).mean())
        return {"bits_a_byte": round(bits, 4)}

    return net, score


def generator(options: argparse.Namespace) -> tuple[Any, Any]:
    """As `transformer`, for the generator of a DCGAN."""
    (images, _), (held_out, _) = load_images(options)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((len(images), NOISE)).astype(np.float32)
    # In the order in which they come, an image is the company of any noise.
    targets = 2 * images.reshape(len(images), -1) - 1
    net = NeuralNetRegressor(
        Generator,
        module__n_inputs=NOISE,
        criterion=AdversarialLoss,
        optimizer=torch.optim.Adam,
        optimizer__betas=(0.5, 0.999),
        lr=5e-4,
        max_epochs=options.epochs,
        batch_size=128,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=options.device,
    )
    features = features_of(options)
    real = features(held_out[:2000])

    def score(estimator: Any) -> dict[str, float]:
        estimator.fit(noise, targets)
        fresh = rng_noise(2000)
        drawn = estimator.predict(fresh).reshape(2000, 1, 28, 28)
        distance = frechet_distance(features((drawn + 1) / 2), real)
        return {"frechet": round(float(distance), 3)}

    return net, score


def rng_noise(n: int) -> np.ndarray:
    """Noise that no training has seen; the same for all generators."""
    return np.random.default_rng(2).standard_normal((n, NOISE)).astype(np.float32)


KINDS = {"transformer": transformer, "generator": generator}


def main() -> None:
    """Run what is not yet done; write results/NAME.csv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data-home", required=True)
    add("--work-dir", type=Path, required=True)
    add("--name", default="quantization_other_networks")
    add("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    add("--data", default="fashion_mnist", help="images that the generator draws")
    add("--text", default="tinyshakespeare")
    add("--rows", type=int, default=20_000)
    add("--epochs", type=int, default=16)
    add("--seeds", type=int, default=3)
    add("--bits", nargs="+", type=float, default=[1.0, 2.0, 4.0])
    add("--device", default="cpu")
    options = parser.parse_args()
    records = Records(options.work_dir / f"{options.name}.jsonl")
    for kind in options.kinds:
        net, score = KINDS[kind](options)
        for bits in (DENSE, *options.bits):
            for seed in range(options.seeds):
                which = {"kind": kind, "bits": bits, "seed": seed}
                if not records.find(**which):
                    estimator = _estimator(net, bits, seed)
                    records.add(which | score(estimator) | _sizes(estimator))
    print(write_table(options.name, _rows(records.rows)))


def _estimator(net: Any, bits: float | str, seed: int) -> Any:
    if bits == DENSE:
        return MaskPruner(net, method="magnitude", sparsity=0.0, random_state=seed)
    return MixedPrecisionQuantizer(net, target_bits=bits, random_state=seed)


def _sizes(estimator: Any) -> dict[str, float]:
    if not hasattr(estimator, "sizes_"):
        return {}
    sizes = estimator.sizes_
    return {
        "mean_bits": round(sizes.mean_bits, 4),
        "file_bits": round(sizes.file_bits / sizes.weights, 4),
    }


def _rows(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["kind"], run["bits"]), []).append(run)
    rows = []
    for (kind, bits), found in groups.items():
        measure = "bits_a_byte" if kind == "transformer" else "frechet"
        scores = [run[measure] for run in found]
        row = {"network": kind, "bits": bits, "measure": measure}
        row |= {"mean": round(mean(scores), 3), "seeds": len(scores)}
        row["std"] = round(stdev(scores), 3) if len(scores) > 1 else 0.0
        for name in ("mean_bits", "file_bits"):
            sizes = [run[name] for run in found if name in run]
            row[name] = round(mean(sizes), 3) if sizes else ""
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
