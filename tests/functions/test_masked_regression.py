import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch

from sklearn_pb.functions import MaskedNNRegression
from sklearn_pb.testing import check_function

HIDDEN = (6, 5)


@pytest.fixture(scope="module")
def small():
    return make()


def make(**keywords):
    settings = {
        "n_train": 60,
        "n_validation": 40,
        "n_features": 4,
        "hidden_layer_sizes": HIDDEN,
        "target_layer_sizes": (9, 8, 7),
    }
    return MaskedNNRegression(**{**settings, **keywords})


def masks(J, n=6, density=0.5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand((n, J.n_variables), generator=generator)
    return (uniform < density).to(dtype)


def torch_network(weights, sizes):
    """The described network out of torch's own modules, in training mode."""
    modules, place = [], 0
    for before, after in pairwise(sizes):
        linear = torch.nn.Linear(before, after, bias=False).double()
        part = weights[place : place + before * after]
        linear.weight.data = part.reshape(after, before).clone()
        modules.append(linear)
        place += before * after
        if len(modules) < 3 * (len(sizes) - 2) + 1:
            norm = torch.nn.BatchNorm1d(after, affine=False, track_running_stats=False)
            modules += [norm, torch.nn.LeakyReLU(0.01)]
    assert place == len(weights)
    return torch.nn.Sequential(*modules)


def test_costs_are_those_of_torch_modules(small):
    weights, sizes = small._backbone["weights"], (4, *HIDDEN, 1)
    assert small.n_variables == len(weights) == 4 * 6 + 6 * 5 + 5
    for J in (small, small.validation, small.minibatch(3, 20)):
        X, y = J._data["inputs"].T, J._data["y"]
        Z = masks(J)
        expected = [
            (torch_network(z * weights, sizes)(X)[:, 0] - y).abs().mean() for z in Z
        ]
        torch.testing.assert_close(J(Z), torch.stack(expected))


def test_the_targets_are_those_of_a_network_of_signs():
    J = make(target_layer_sizes=(9, 8))
    sizes = (4, 9, 8, 1)
    generator = J._stream.child(2).torch_generator()
    coins = torch.randint(2, (4 * 9 + 9 * 8 + 8,), generator=generator)
    network = torch_network(2.0 * coins.double() - 1, sizes)
    train = network(J._data["inputs"].T)[:, 0]
    held_out = network(J.validation._data["inputs"].T)[:, 0]
    low, high = train.min(), train.max()
    torch.testing.assert_close(J._data["y"], (train - low) / (high - low))
    torch.testing.assert_close(J.validation._data["y"], (held_out - low) / (high - low))


def test_data_are_as_described():
    J = make(n_train=4000, n_validation=3000)
    X, y = J._data["inputs"], J._data["y"]
    assert X.shape == (4, 4000)
    assert J.validation._data["inputs"].shape == (4, 3000)
    assert X.abs().max() <= 1
    assert X.mean().abs() < 0.02
    assert X.var().item() == pytest.approx(1 / 3, abs=0.01)
    assert (y.min(), y.max()) == (0, 1)


def test_the_full_benchmark_has_8050_variables_with_xavier_weights():
    J = MaskedNNRegression(200, 100, target_layer_sizes=(10,))
    assert J.n_variables == 8050
    weights = J._backbone["weights"]
    parts = weights.split([500, 2500, 2500, 2500, 50])
    for part, ends in zip(parts, [60, 100, 100, 100, 51], strict=True):
        spread = np.sqrt(2 / ends)
        assert part.std().item() == pytest.approx(spread, rel=4 / len(part) ** 0.5)


def test_contract(small):
    check_function(small)
    check_function(small.validation)
    check_function(small.minibatch(0, 10))


def test_gradient_of_the_mask(small):
    generator = torch.Generator().manual_seed(0)
    Z = torch.rand((2, small.n_variables), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(small, Z.requires_grad_(), fast_mode=True)


def test_a_network_without_weights_predicts_zero(small):
    none = torch.zeros(1, small.n_variables, dtype=torch.float64)
    torch.testing.assert_close(small(none)[0], small._data["y"].mean())


def test_an_epoch_goes_once_through_the_data():
    J = make(n_train=50)

    def epoch(number):
        first = number * 5
        batches = [J.minibatch(first + k, 10)._data["inputs"].T for k in range(5)]
        return torch.cat(batches)

    everything = sorted_rows(J._data["inputs"].T)
    first, second = epoch(0), epoch(1)
    assert torch.equal(sorted_rows(first), everything)
    assert torch.equal(sorted_rows(second), everything)
    assert not torch.equal(first, second)


def sorted_rows(X):
    return X[X[:, 0].argsort()]


def test_a_batch_depends_on_its_number_alone(small):
    Z = masks(small)
    late = small.minibatch(7, 25)(Z)
    for step in range(3):
        small.minibatch(step, 25)
    assert torch.equal(small.minibatch(7, 25)(Z), late)
    assert torch.equal(make().minibatch(7, 25)(Z), late)
    assert not torch.equal(small.minibatch(6, 25)(Z), late)


def test_the_whole_data_as_one_batch(small):
    Z = masks(small)
    torch.testing.assert_close(small.minibatch(4, 60)(Z), small(Z))


def test_the_seed_decides_and_global_state_does_not(small):
    state = torch.get_rng_state()
    Z = masks(small)
    assert torch.equal(make()(Z), small(Z))
    assert not torch.equal(make(random_state=1)(Z), small(Z))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(pickle.loads(pickle.dumps(small))(Z), small(Z))


def test_chunks_do_not_change_the_costs(small, monkeypatch):
    Z = masks(small)
    whole = small(Z)
    monkeypatch.setitem(small._evaluate.__globals__, "_CHUNK_CELLS", 1)
    torch.testing.assert_close(small(Z), whole)


def test_single_precision_is_close(small):
    Z = masks(small)
    torch.testing.assert_close(small(Z.float()).double(), small(Z), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"n_train": 1}, ValueError, "n_train=1"),
        ({"n_validation": 2.5}, TypeError, r"n_validation=2\.5"),
        ({"n_features": 0}, ValueError, "n_features=0"),
        ({"hidden_layer_sizes": 50}, TypeError, "hidden_layer_sizes.*got 50"),
        ({"target_layer_sizes": (5, 0)}, ValueError, r"target_layer_sizes\[1\]=0"),
    ],
)
def test_bad_sizes_are_named(keywords, error, message):
    with pytest.raises(error, match=message):
        make(**keywords)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1,), ValueError, "step=-1"),
        ((0, 61), ValueError, "batch_size=61"),
        ((0, 1), ValueError, "batch_size=1"),
        ((1.5, 10), TypeError, r"step=1\.5"),
    ],
)
def test_bad_batches_are_named(small, arguments, error, message):
    with pytest.raises(error, match=message):
        small.minibatch(*arguments)


@pytest.mark.slow
def test_straight_through_learns_on_the_full_benchmark():
    """2000 batches by RMSprop, as in section 6.2.4: better than any constant."""
    J = MaskedNNRegression()
    logits = torch.zeros(1, J.n_variables, requires_grad=True)
    optimizer = torch.optim.RMSprop([logits], lr=0.1)
    generator = torch.Generator().manual_seed(0)

    def samples(n):
        theta = torch.sigmoid(logits).detach().expand(n, -1)
        return torch.bernoulli(theta, generator=generator)

    for step in range(2000):
        optimizer.zero_grad()
        J.minibatch(step)(samples(10) + logits - logits.detach()).mean().backward()
        optimizer.step()
    # The best of five masks on 500 observations is the one that is reported.
    found = samples(5)
    best = J.minibatch(0, 500)(found).argmin()
    y = J.validation._data["y"]
    constant = (y - y.median()).abs().mean().item()
    assert J.validation(found)[best] < constant
