"""FixedMask: what is given is what is trained, whatever trains it."""

import math
import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from sklearn_pb import MaskPruner, minimize
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.functions import QuadraticFunction
from sklearn_pb.masks import SingleWeights, given_variables, resolve_granularity
from sklearn_pb.methods import FixedMask, SearchSpace, Weights, redrawn, resolve_method
from sklearn_pb.utils import RandomStream

X, Y = load_digits(return_X_y=True)
X, Y = X[:300] / 16, Y[:300]


class TwoLayers(nn.Module):
    def __init__(self, n_outputs=10):
        super().__init__()
        self.hidden = nn.Linear(64, 12)
        self.norm = nn.BatchNorm1d(12)
        self.output = nn.Linear(12, n_outputs)

    def forward(self, X):
        return self.output(torch.relu(self.norm(self.hidden(X))))


class Watch(Callback):
    """Keep the masked weights of every training pass."""

    def initialize(self):
        self.patterns = set()
        return self

    def on_grad_computed(self, net, named_parameters=None, batch=None, **kwargs):
        mask = net.module_.mask
        self.patterns.add(tuple(mask.tolist()))


def make_net(module=TwoLayers, **settings):
    defaults = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "optimizer__weight_decay": 1e-2,
        "lr": 0.1,
        "max_epochs": 3,
        "batch_size": 64,
        "train_split": None,
        "verbose": 0,
    }
    return NeuralNetClassifier(module, **{**defaults, **settings})


def random_masks(density=0.2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(parameter.shape, generator=generator) < density
        for name, parameter in TwoLayers().named_parameters()
        if parameter.ndim == 2
    }


def search(masks, seed=0, granularity="weight", quota=None, **options):
    """A search over the masks of TwoLayers."""
    module = TwoLayers()
    names = ["hidden.weight", "output.weight"]
    example = torch.zeros(2, 64)
    layout = resolve_granularity(granularity).layout(module, names, example)
    weights = Weights(
        lambda power: torch.zeros(layout.n_variables),
        layout.counts(),
        layout.layers,
        lambda masks, strict: given_variables(layout, masks, strict),
    )
    space = SearchSpace(
        layout.n_variables, RandomStream(seed), quota=quota, weights=weights
    )
    return FixedMask(masks, **options).start(space), layout


def test_the_mask_stays_through_momentum_decay_and_fine_tuning():
    masks = random_masks()
    net = make_net(callbacks=[("watch", Watch())])
    pruner = MaskPruner(net, method=FixedMask(masks), finetune=0.5, random_state=0)
    pruner.fit(X, Y)
    watch = dict(pruner.estimator_.callbacks_)["watch"]
    flat = torch.cat([mask.flatten() for mask in masks.values()])
    assert watch.patterns == {tuple(flat.float().tolist())}
    for name, mask in masks.items():
        assert torch.equal(pruner.masks_[name], mask)
        assert torch.equal(pruner.estimator_.module_.get_parameter(name) != 0, mask)
    sparsities = [row["sparsity"] for row in pruner.history_]
    assert sparsities == pytest.approx([pruner.sparsity_] * 3)


def test_weights_are_fresh_and_learn():
    """Training from the same seed without epochs shows where the weights began."""
    masks = random_masks(0.5)
    fitted = {
        lr: MaskPruner(make_net(lr=lr), method=FixedMask(masks), random_state=5)
        .fit(X, Y)
        .estimator_.module_.hidden.weight.detach()
        for lr in (0.0, 0.1)
    }
    mask = masks["hidden.weight"]
    assert fitted[0.0][mask].abs().max() <= 1 / math.sqrt(64)  # Linear's initial range
    assert (fitted[0.1] - fitted[0.0])[mask].abs().min() > 0


def test_names_that_are_not_given_are_kept_whole():
    masks = {"hidden.weight": random_masks()["hidden.weight"]}
    pruner = MaskPruner(make_net(), method=FixedMask(masks), random_state=0).fit(X, Y)
    assert pruner.masks_["output.weight"].all()
    assert torch.equal(pruner.masks_["hidden.weight"], masks["hidden.weight"])
    dense = MaskPruner(make_net(), method=FixedMask({}), random_state=0).fit(X, Y)
    assert dense.sparsity_ == 0.0


@pytest.mark.parametrize("shuffle", ["layer", "global"])
@pytest.mark.parametrize("granularity", ["weight", "block", "channel"])
def test_a_shuffled_mask_keeps_the_counts(granularity, shuffle):
    generator = torch.Generator().manual_seed(0)
    _, layout = search({}, granularity=granularity)
    variables = torch.rand(layout.n_variables, generator=generator) < 0.4
    masks = layout.masks(variables)
    drawn = []
    for seed in range(2):
        searched, _ = search(masks, seed, granularity, shuffle=shuffle)
        drawn.append(searched.harden())
        sizes = layout.layers if shuffle == "layer" else [layout.n_variables]
        for one, given in zip(
            drawn[-1].split(sizes), variables.split(sizes), strict=True
        ):
            assert one.sum() == given.sum()
        assert torch.equal(searched.mask(), drawn[-1].float())
    assert not torch.equal(drawn[0], variables)
    assert not torch.equal(drawn[0], drawn[1])
    again, _ = search(masks, 1, granularity, shuffle=shuffle)
    assert torch.equal(again.harden(), drawn[1])


def test_a_global_shuffle_moves_ones_between_layers():
    masks = random_masks()
    masks["output.weight"] = torch.ones(10, 12, dtype=torch.bool)
    searched, layout = search(masks, shuffle="global")
    hidden, output = searched.harden().split(layout.layers)
    assert 10 < output.sum() < 60  # 120 of 120 were given, 29 are the expectation
    assert hidden.sum() + output.sum() == sum(int(m.sum()) for m in masks.values())


def test_all_masks_with_these_counts_are_equally_likely():
    mask = torch.tensor([1, 1, 0, 0, 1, 0], dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    n = 6000
    seen = Counter(
        tuple(redrawn(mask, [4, 2], generator).nonzero().flatten().tolist())
        for _ in range(n)
    )
    possible = {(*a, b) for a in combinations(range(4), 2) for b in (4, 5)}
    assert set(seen) == possible
    expected = n / len(possible)
    chi_square = sum((count - expected) ** 2 / expected for count in seen.values())
    assert chi_square < 31.3  # 11 degrees of freedom, p = 0.001


def test_a_shuffle_leaves_a_channel_to_every_layer():
    masks = {
        "hidden.weight": torch.zeros(12, 64, dtype=torch.bool),
        "hidden.bias": torch.zeros(12, dtype=torch.bool),
    }
    for mask in masks.values():
        mask[3] = True
    net = make_net(module=TwoLayers)
    method = FixedMask(masks, shuffle="global", strict=False)
    pruner = MaskPruner(net, method=method, granularity="channel", random_state=1)
    rows = pruner.fit(X, Y).masks_["hidden.weight"].any(1)
    assert rows.sum() == 1
    norm = pruner.estimator_.module_.norm
    assert torch.equal(norm.weight != 0, rows)


def test_a_pattern_is_kept_by_shuffles_and_asked_of_masks():
    pattern = {name: torch.zeros_like(m) for name, m in random_masks().items()}
    for mask in pattern.values():
        mask[:, ::2] = True
    method = FixedMask(pattern, shuffle="layer")
    pruner = MaskPruner(make_net(), method=method, granularity="2:4", random_state=0)
    for name, mask in pruner.fit(X, Y).masks_.items():
        assert not torch.equal(mask, pattern[name])
        cells = mask.view(mask.shape[0], -1, 4)
        assert (cells.sum(2) == 2).all()
    wrong = clone(pruner).set_params(method=FixedMask(random_masks()))
    with pytest.raises(ValueError, match="do not keep what the granularity"):
        wrong.fit(X, Y)


def test_other_shapes_are_an_error_or_kept_whole():
    masks = random_masks()
    net = make_net(module__n_outputs=11)
    strict = MaskPruner(net, method=FixedMask(masks), random_state=0)
    message = (
        "'output.weight' has shape (10, 12), the parameter (11, 12). Masked are "
        "'hidden.weight', 'output.weight'"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        strict.fit(X, Y)
    method = FixedMask(masks, strict=False, shuffle="global")
    pruner = clone(strict).set_params(method=method).fit(X, Y)
    assert pruner.masks_["output.weight"].all()
    kept = pruner.masks_["hidden.weight"]
    assert kept.sum() == masks["hidden.weight"].sum()
    assert not torch.equal(kept, masks["hidden.weight"])


def test_masks_of_another_network_are_an_error():
    masks = {"conv.weight": torch.ones(3, 3, dtype=torch.bool)}
    for strict, what in ((True, "masks do not fit"), (False, "no mask fits")):
        with pytest.raises(ValueError, match=f"{what} .*'conv.weight' is no parameter"):
            search(masks, strict=strict)


def test_masks_of_another_granularity_are_an_error():
    with pytest.raises(ValueError, match=r"only a part of .* variables"):
        search(random_masks(), granularity="block")


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (None, "masks=None must be a dict"),
        ({"a": torch.ones(2)}, r"masks\['a'\] must be .* not torch.float32"),
        ({"a": [True]}, r"masks\['a'\] must be .* not list"),
    ],
)
def test_what_is_no_mask_is_refused(masks, message):
    with pytest.raises(TypeError, match=message):
        resolve_method(FixedMask(masks))


def test_parameters_that_make_no_sense_are_refused():
    with pytest.raises(
        ValueError, match=r"shuffle='rows' is unknown; .* global, layer"
    ):
        resolve_method(FixedMask({}, shuffle="rows"))
    pruner = MaskPruner(make_net(), method=FixedMask({}), sparsity=0.5)
    with pytest.raises(ValueError, match=r"sparsity=0.5 has no effect with FixedMask"):
        pruner.fit(X, Y)
    pruner = MaskPruner(make_net(), method=FixedMask({}), constraint=L0Penalty())
    with pytest.raises(ValueError, match="which learns no mask"):
        pruner.fit(X, Y)


def test_a_function_without_a_network_has_no_parameters_to_mask():
    with pytest.raises(ValueError, match="needs a network"):
        FixedMask({}).start(SearchSpace(3, RandomStream(0)))
    with pytest.raises(ValueError, match="the weights of a network"):
        minimize(QuadraticFunction(np.eye(3)), method=FixedMask({}))


def test_the_given_masks_are_not_changed_and_clone_copies_them():
    masks = random_masks()
    before = {name: mask.clone() for name, mask in masks.items()}
    method = FixedMask(masks, shuffle="layer")
    MaskPruner(make_net(), method=method, random_state=0).fit(X, Y)
    assert all(torch.equal(masks[name], before[name]) for name in masks)
    copy = clone(method)
    assert copy.masks["hidden.weight"] is not masks["hidden.weight"]
    assert torch.equal(copy.masks["hidden.weight"], masks["hidden.weight"])


def test_variables_of_given_masks_are_those_of_the_layout():
    module = TwoLayers()
    layout = SingleWeights().layout(module, ["hidden.weight", "output.weight"])
    masks = random_masks()
    kept, named = given_variables(layout, masks)
    assert torch.equal(kept, layout.variables(masks))
    assert named.all()
