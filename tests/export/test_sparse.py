"""Sparse layers compute what the dense ones did, and are chosen by the clock."""

import copy
import io
import pickle

import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from sklearn_pb.exceptions import ExportError
from sklearn_pb.export import (
    Latency,
    SparseConv,
    SparseLinear,
    is_n_of_m,
    layout_choices,
    sparsify,
    to_semi_structured,
)
from sklearn_pb.export import _sparse_layers as layers
from sklearn_pb.export import _sparsify as sparsifying

ONE_THREAD = {"threads": 1}


def zero_out(module, sparsity, seed=0):
    """Set a fraction of each matrix of weights to zero, at random."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim >= 2:
                drawn = torch.rand(parameter.shape, generator=generator)
                parameter.mul_(drawn >= sparsity)
    return module


def draw(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def sparse_layers(module):
    kinds = (SparseLinear, SparseConv)
    return [part for part in module.modules() if isinstance(part, kinds)]


@torch.no_grad()
def largest_error(first, second, *inputs):
    return float((first(*inputs) - second(*inputs)).abs().max())


@pytest.mark.parametrize("sparsity", [0.5, 0.9])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_outputs_agree(name, sparsity):
    module, inputs = ARCHITECTURES[name]()
    zero_out(module, sparsity)
    sparse = sparsify(module, inputs, layout="csr")
    assert sparse_layers(sparse) and not sparse_layers(module)
    assert largest_error(module, sparse, *inputs) < 1e-5
    one = [x[:1] for x in inputs]  # another way through the layers
    assert largest_error(module, sparse, *one) < 1e-5


@pytest.mark.parametrize("name", ["lenet-5", "transformer", "resnet-20"])
def test_weights_are_the_same_numbers(name):
    module, inputs = ARCHITECTURES[name]()
    zero_out(module, 0.8)
    sparse = sparsify(module, inputs, layout="csr")
    for path, layer in sparse.named_modules():
        if isinstance(layer, (SparseLinear, SparseConv)):
            dense = module.get_submodule(path)
            wanted = dense.weight.flatten(1)
            assert torch.equal(layer.matrix.to_dense(), wanted)
            assert layer.matrix.n_nonzeros == int(wanted.count_nonzero())


CONVOLUTIONS = {
    "stride and dilation": (nn.Conv1d(4, 6, 3, 2, 2, 2), (3, 4, 17)),
    "groups": (nn.Conv2d(4, 6, (3, 5), padding=(1, 2), groups=2), (3, 4, 9, 11)),
    "depthwise": (nn.Conv2d(4, 4, 3, padding="same", groups=4), (3, 4, 9, 11)),
    "valid": (nn.Conv2d(4, 8, 3, padding="valid", bias=False), (1, 4, 9, 11)),
    "reflected": (
        nn.Conv2d(4, 8, 3, 2, padding=1, padding_mode="reflect"),
        (5, 4, 9, 11),
    ),
    "circular": (
        nn.Conv3d(4, 8, 3, padding=1, padding_mode="circular"),
        (5, 4, 5, 6, 7),
    ),
    "pointwise": (nn.Conv2d(4, 8, 1), (5, 4, 9, 11)),
    "pointwise with stride": (nn.Conv2d(4, 8, 1, stride=2), (5, 4, 9, 11)),
    "without a batch": (nn.Conv2d(4, 8, 3), (4, 9, 11)),
}


@pytest.mark.parametrize("table", [100, layers.TABLE])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, table, monkeypatch):
    monkeypatch.setattr(layers, "TABLE", table)  # few lines at a time, or all
    monkeypatch.setattr(layers, "WIDTH", min(table, 64))
    conv, shape = CONVOLUTIONS[name]
    conv = zero_out(copy.deepcopy(conv), 0.6)
    sparse, x = SparseConv(conv), draw(*shape)
    assert sparse(x).shape == conv(x).shape
    assert sparse(x).is_contiguous()
    assert largest_error(conv, sparse, x) < 1e-5
    if x.ndim == 4:
        channels_last = x.contiguous(memory_format=torch.channels_last)
        assert largest_error(conv, sparse, channels_last) < 1e-5


@pytest.mark.parametrize(
    "shape", [(5,), (1, 5), (7, 5), (2, 100, 5), (0, 5), (1, 1, 5)]
)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_takes_any_shape(shape, bias):
    linear = zero_out(nn.Linear(5, 3, bias=bias), 0.5)
    sparse, x = SparseLinear(linear), draw(*shape)
    torch.testing.assert_close(sparse(x), linear(x).detach(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_layer_of_zeros_gives_its_bias(rows):
    linear = nn.Linear(5, 3)
    nn.init.zeros_(linear.weight)
    sparse = SparseLinear(linear)
    assert torch.equal(sparse(draw(rows, 5)), linear.bias.detach().expand(rows, 3))


def test_gradients_reach_the_input():
    linear = zero_out(nn.Linear(5, 3), 0.5).double()
    for rows in (1, 4):
        x = draw(rows, 5).double().requires_grad_()
        y = x.detach().clone().requires_grad_()
        SparseLinear(linear)(x).square().sum().backward()
        linear(y).square().sum().backward()
        torch.testing.assert_close(x.grad, y.grad)


@pytest.fixture(name="sparse")
def make_sparse():
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(27, 4))
    zero_out(network, 0.7)
    return sparsify(network, draw(2, 2, 5, 5), layout="csr")


@pytest.mark.parametrize("rows", [1, 3])
def test_copies_and_files(sparse, rows):
    x = draw(rows, 2, 5, 5)
    wanted = sparse(x)
    file = io.BytesIO()
    torch.save(sparse, file)
    file.seek(0)
    for other in (
        copy.deepcopy(sparse),
        pickle.loads(pickle.dumps(sparse)),
        torch.load(file, weights_only=False),
    ):
        assert torch.equal(other(x), wanted)


@pytest.mark.parametrize("assign", [False, True])
def test_state_dict(sparse, assign):
    state = sparse.state_dict()
    other = copy.deepcopy(sparse)
    x = draw(1, 2, 5, 5)
    other[2].matrix.values.zero_()
    assert torch.equal(other(x)[0], sparse[2].bias)
    other.load_state_dict(state, assign=assign)
    assert torch.equal(other(x), sparse(x))
    assert other.double()(x.double()).dtype == torch.float64


def test_copies_share_nothing(sparse):
    x = draw(1, 2, 5, 5)
    before = sparse(x)
    copy.deepcopy(sparse)[2].matrix.values.zero_()
    assert torch.equal(sparse(x), before)


def test_a_large_sparse_layer_is_chosen_and_a_small_one_is_not():
    network = nn.Sequential(nn.Linear(8, 1500), nn.ReLU(), nn.Linear(1500, 1500))
    with torch.no_grad():
        network[0].weight[:, 4:] = 0.0
        network[2].weight[:, 10:] = 0.0
    x = draw(16, 8)
    sparse = sparsify(network, x, **ONE_THREAD)
    choices = layout_choices(sparse)
    assert list(choices) == ["0", "2"]
    assert isinstance(sparse[2], SparseLinear)
    large = choices["2"]
    assert large.layout == "csr"
    assert large.speedup > 2
    assert 0 < large.sparse_seconds < large.dense_seconds
    assert large.input_shape == (16, 1500)
    assert large.threads == 1
    assert str(large) in repr(sparse)
    assert "99.33 % zeros" in repr(sparse)
    assert largest_error(network, sparse, x) < 1e-5


@pytest.mark.parametrize("speedup, layout", [(1.21, "csr"), (1.19, "dense")])
def test_the_clock_decides(speedup, layout, monkeypatch):
    def fake_clock(actions, repeats):
        assert list(actions) == ["dense", "csr"] and repeats == 15
        return {"dense": Latency((speedup,)), "csr": Latency((1.0,))}

    monkeypatch.setattr(sparsifying, "time_in_turn", fake_clock)
    sparse = sparsify(zero_out(nn.Linear(4, 4), 0.6), draw(2, 4))
    assert isinstance(sparse, SparseLinear) == (layout == "csr")
    (choice,) = layout_choices(sparse).values()
    assert (choice.layout, choice.speedup) == (layout, speedup)


def test_layers_with_few_zeros_are_not_even_timed(monkeypatch):
    monkeypatch.setattr(sparsifying, "time_in_turn", None)
    sparse = sparsify(zero_out(nn.Linear(40, 40), 0.3), draw(2, 40))
    assert type(sparse) is nn.Linear
    assert layout_choices(sparse) == {}


def test_layers_that_do_more_than_multiply_stay_dense():
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    nn.utils.parametrizations.weight_norm(network[0])
    network[1].register_forward_hook(lambda layer, inputs, output: 2 * output)
    sparse = sparsify(network, draw(2, 4), layout="csr")
    assert sparse_layers(sparse) == [sparse[2]]
    assert largest_error(network, sparse, draw(2, 4)) < 1e-6


def test_a_layer_with_two_names_stays_one_layer():
    layer = nn.Linear(4, 4)
    network = nn.Sequential(layer, nn.ReLU(), layer)
    sparse = sparsify(network, draw(2, 4), layout="csr")
    assert sparse[0] is sparse[2]
    assert len(sparse_layers(sparse)) == 1


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    sparse = sparsify(network, draw(2, 4), layout="csr")
    assert network.training and not sparse.training
    assert type(network[0]) is nn.Linear
    assert not network[0]._forward_hooks


def test_threads_are_put_back():
    before = torch.get_num_threads()
    sparsify(zero_out(nn.Linear(4, 4), 0.6), draw(2, 4), threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layout": "bsr"}, "layout='bsr'"),
        ({"min_sparsity": 2}, "min_sparsity=2"),
        ({"min_speedup": -1}, "min_speedup=-1"),
        ({"repeats": 0}, "repeats=0"),
        ({"threads": 0}, "threads=0"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        sparsify(nn.Linear(4, 4), draw(2, 4), **options)


def test_other_devices_are_refused():
    with pytest.raises(ValueError, match="parameters on meta"):
        sparsify(nn.Linear(4, 4, device="meta"), draw(2, 4))


def brute_force(weight, n, m):
    """Count cell by cell along the second axis."""
    return all(
        int(cell.count_nonzero()) <= n
        for row in weight.movedim(1, -1).reshape(-1, weight.shape[1])
        for cell in row.split(m)
    )


@pytest.mark.parametrize("shape", [(6, 8), (3, 10), (2, 7, 2, 3)])
def test_n_of_m(shape):
    seen = set()
    for seed in range(30):
        drawn = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        weight = (drawn > 0.3 + 0.02 * seed) * drawn
        fits = is_n_of_m(weight, 2, 4)
        assert fits == brute_force(weight, 2, 4)
        assert is_n_of_m(weight.movedim(1, 0), 2, 4, axis=0) == fits
        seen.add(fits)
    assert seen == {True, False}
    assert is_n_of_m(torch.zeros(4, 0), 2, 4)


@pytest.mark.parametrize("n, m, axis", [(0, 4, 1), (5, 4, 1), (1, 0, 1), (2, 4, 2)])
def test_n_of_m_refuses(n, m, axis):
    with pytest.raises(ValueError):
        is_n_of_m(torch.zeros(2, 4), n, m, axis)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_semi_structured_needs_a_gpu():
    with pytest.raises(RuntimeError, match="needs a CUDA device"):
        to_semi_structured(nn.Linear(4, 4))


@pytest.mark.gpu
def test_semi_structured():
    network = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 32))
    with torch.no_grad():
        network[0].weight.view(64, -1, 4)[..., :2] = 0.0
    network = network.cuda().half()
    sparse = to_semi_structured(network)
    x = draw(32, 128).cuda().half()
    torch.testing.assert_close(sparse(x), network(x), atol=1e-2, rtol=1e-2)
    assert type(sparse[0].weight.data) is not torch.Tensor
    assert type(sparse[2].weight) is nn.Parameter
    with pytest.raises(ExportError, match="more than 2 of 4"):
        to_semi_structured(network[2])
