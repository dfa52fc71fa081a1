"""Hidden units of recurrent layers are channels that can be cut out."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sklearn_pb.export import compact, count_macs, trace_channels

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]
CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell]
X = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(0))
LENGTHS = torch.tensor([7, 3, 5, 2])


class Net(nn.Module):
    """A function of modules, which gets itself and the input."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, x)


def made(function, **modules):
    """A network with weights of its own kind, the same at every call."""
    net = Net(function, **modules).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return net


def cleared_and_compact(net, x=X):
    """Clear every third channel, and return the groups and the compact network."""
    groups = trace_channels(net, x)
    whole = copy.deepcopy(net)
    for group in groups:
        group.clear_(net, torch.arange(group.n_channels) % 3 == 0)
    smaller = compact(net, x)
    with torch.no_grad():
        if groups:
            assert (whole(x) - net(x)).abs().max() > 1e-3
        for inputs in (x, x[:1], torch.cat([x, 2 * x])):  # batches of other sizes
            torch.testing.assert_close(smaller(inputs), net(inputs), rtol=0, atol=1e-5)
    return groups, smaller


def names_of(net, x=X):
    return [group.name for group in trace_channels(net, x)]


def outputs(net, x):
    return net.read(net.rnn(x)[0].mean(1))


def last_output(net, x):
    return net.read(net.rnn(x)[0][:, -1])


def last_states(net, x):
    states = net.rnn(x)[1]
    states = states[0] if isinstance(net.rnn, nn.LSTM) else states
    backwards = [states[-2]] if net.rnn.bidirectional else []
    return net.read(torch.cat([*backwards, states[-1]], 1))


@pytest.mark.parametrize("reading", [outputs, last_output, last_states])
@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("layer", LAYERS)
def test_units_go_out_of_all_layers_and_directions(
    layer, num_layers, both_ways, reading
):
    rnn = layer(5, 6, num_layers=num_layers, bidirectional=both_ways, batch_first=True)
    width = 12 if both_ways else 6
    net = made(reading, rnn=rnn, read=nn.Linear(width, 3))
    [group], smaller = cleared_and_compact(net)
    assert (group.name, group.n_channels) == ("rnn", 6)
    assert {name for name, _, _ in group.slices} == {
        f"rnn.{name}" for name, _ in rnn.named_parameters()
    }
    assert type(smaller.rnn) is layer and smaller.rnn.hidden_size == 4
    like = layer(5, 4, num_layers=num_layers, bidirectional=both_ways, batch_first=True)
    assert [p.shape for p in smaller.rnn.parameters()] == [
        p.shape for p in like.parameters()
    ]
    assert smaller.read.in_features == 4 * width // 6
    short = X[:, :3]
    with torch.no_grad():
        torch.testing.assert_close(smaller(short), net(short), rtol=0, atol=1e-5)


def test_rows_of_the_gates_and_columns_of_what_reads():
    """By hand: units 1, 2, 4 and 5 of 6 in an LSTM of one layer."""
    net = made(last_output, rnn=nn.LSTM(5, 6, batch_first=True), read=nn.Linear(6, 3))
    _, smaller = cleared_and_compact(net)
    units = torch.tensor([1, 2, 4, 5])
    rows = torch.cat([units + 6 * gate for gate in range(4)])
    by_hand = nn.LSTM(5, 4, batch_first=True)
    with torch.no_grad():
        by_hand.weight_ih_l0.copy_(net.rnn.weight_ih_l0[rows])
        by_hand.weight_hh_l0.copy_(net.rnn.weight_hh_l0[rows][:, units])
        by_hand.bias_ih_l0.copy_(net.rnn.bias_ih_l0[rows])
        by_hand.bias_hh_l0.copy_(net.rnn.bias_hh_l0[rows])
    for name, value in by_hand.state_dict().items():
        assert torch.equal(smaller.rnn.state_dict()[name], value)
    assert torch.equal(smaller.read.weight, net.read.weight[:, units])
    macs = {name: layer.macs for name, layer in count_macs(smaller, X).items()}
    assert macs == {"rnn": 7 * (16 * 5 + 16 * 4), "read": 12}


def test_what_reads_a_unit_is_named():
    rnn = nn.GRU(5, 2, num_layers=2, bidirectional=True, batch_first=True)
    net = made(outputs, rnn=rnn, read=nn.Linear(4, 3))
    [group] = trace_channels(net, X)
    assert {index.tolist() == [0, 1] * (len(index) // 2) for *_, index in group.slices}
    inputs = {(name, axis): index.tolist() for name, axis, index in group.inputs}
    both = ("", "_reverse")
    assert inputs == {
        **{(f"rnn.weight_hh_l{i}{way}", 1): [0, 1] for i in (0, 1) for way in both},
        **{(f"rnn.weight_ih_l1{way}", 1): [0, 1, 0, 1] for way in both},
        ("read.weight", 1): [0, 1, 0, 1],
    }


@pytest.mark.parametrize("layer", LAYERS)
def test_channels_that_a_recurrent_layer_reads(layer):
    def function(net, x):
        x = net.norm(net.conv(x.transpose(1, 2)).relu()).transpose(1, 2)
        return net.read(net.rnn(x)[0][:, -1])

    net = made(
        function,
        conv=nn.Conv1d(5, 9, 3, padding=1),
        norm=nn.BatchNorm1d(9),
        rnn=layer(9, 6, batch_first=True, bidirectional=True),
        read=nn.Linear(12, 3),
    )
    groups, smaller = cleared_and_compact(net)
    assert [(g.name, g.n_channels) for g in groups] == [("conv", 9), ("rnn", 6)]
    assert (smaller.rnn.input_size, smaller.rnn.hidden_size) == (6, 4)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_state_that_is_handed_on_couples_the_units(layer, both_ways):
    def function(net, x):
        _, states = net.encoder(x)
        return net.read(net.decoder(x, states)[0])

    settings = {"num_layers": 2, "bidirectional": both_ways, "batch_first": True}
    net = made(
        function,
        encoder=layer(5, 6, **settings),
        decoder=layer(5, 6, **settings),
        read=nn.Linear(12 if both_ways else 6, 3),
    )
    [group], smaller = cleared_and_compact(net)
    assert group.name == "encoder" and group.n_channels == 6
    assert smaller.encoder.hidden_size == smaller.decoder.hidden_size == 4


def test_layers_on_top_of_each_other():
    def function(net, x):
        x = net.first(x)[0]
        return net.read(x[:, -1] + net.second(x)[0][:, -1])

    net = made(
        function,
        first=nn.LSTM(5, 3, batch_first=True, bidirectional=True),
        second=nn.GRU(6, 6, batch_first=True),
        read=nn.Linear(6, 2),
    )
    groups, smaller = cleared_and_compact(net)
    # The sum couples unit j of the second layer with j of the first, or j - 3 there.
    assert [(group.name, group.n_channels) for group in groups] == [("first", 3)]
    assert smaller.first.hidden_size == 2 and smaller.second.hidden_size == 4


def packed_outputs(net, x):
    packed = pack_padded_sequence(
        x, LENGTHS[: len(x)], batch_first=True, enforce_sorted=False
    )
    padded, _ = pad_packed_sequence(net.rnn(packed)[0], batch_first=True)
    return net.read(padded.sum(1))


def packed_states(net, x):
    packed = pack_padded_sequence(
        x, LENGTHS[: len(x)], batch_first=True, enforce_sorted=False
    )
    return net.read(net.rnn(packed)[1].sum(0))


@pytest.mark.parametrize("function", [packed_outputs, packed_states])
@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU])
def test_packed_sequences(layer, function):
    rnn = layer(5, 6, num_layers=2, batch_first=True)
    net = made(function, rnn=rnn, read=nn.Linear(6, 3))
    groups = trace_channels(net, X)
    assert [group.n_channels for group in groups] == [6]
    groups[0].clear_(net, torch.arange(6) < 4)
    smaller = compact(net, X)
    assert smaller.rnn.hidden_size == 2
    with torch.no_grad():
        torch.testing.assert_close(smaller(X), net(X), rtol=0, atol=1e-5)


def step_by_step(net, x):
    state = None
    for t in range(x.shape[1]):
        state = net.rnn(x[:, t], state)
    return net.read(state[0] if isinstance(state, tuple) else state)


@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell):
    net = made(step_by_step, rnn=cell(5, 6), read=nn.Linear(6, 3))
    [group], smaller = cleared_and_compact(net)
    assert group.n_channels == 6
    assert type(smaller.rnn) is cell and smaller.rnn.hidden_size == 4


def zeros_of_its_size(net, x):
    state = x.new_zeros(1, len(x), net.rnn.hidden_size)
    return net.read(net.rnn(x, state)[0][:, -1])


def zeros_of_size_six(net, x):
    return net.read(net.rnn(x, x.new_zeros(1, len(x), 6))[0][:, -1])


def ones_of_its_size(net, x):
    state = x.new_ones(1, len(x), net.rnn.hidden_size)
    return net.read(net.rnn(x, state)[0][:, -1])


def learned_state(net, x):
    state = net.read.weight[:1].expand(len(x), -1)[None].contiguous()
    return net.read(net.rnn(x, state)[0][:, -1])


def state_of_a_layer(net, x):
    return net.read(net.rnn(x, net.begin(x[:, 0]).tanh()[None])[0][:, -1])


def normed(net, x):
    return net.read(nn.functional.layer_norm(net.rnn(x)[0][:, -1], (6,)))


def given_out(net, x):
    return net.read(net.rnn(x)[0]), net.rnn(x)[1]


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (zeros_of_its_size, ["rnn"]),
        (state_of_a_layer, ["rnn"]),
        (zeros_of_size_six, []),
        (ones_of_its_size, []),
        (learned_state, []),
        (normed, []),
        (given_out, []),
    ],
)
def test_first_states_and_what_sees_all_units(function, found):
    rnn = nn.GRU(5, 6, batch_first=True)
    net = made(function, rnn=rnn, read=nn.Linear(6, 3), begin=nn.Linear(5, 6))
    assert names_of(net) == found
    if found:
        cleared_and_compact(net)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
def test_layers_whose_units_stay():
    projected = nn.LSTM(5, 6, proj_size=4, batch_first=True)
    assert names_of(made(outputs, rnn=projected, read=nn.Linear(4, 3))) == []
    parametrized = nn.GRU(5, 6, batch_first=True)
    parametrizations.orthogonal(parametrized, "weight_hh_l0")
    net = Net(outputs, rnn=parametrized, read=nn.Linear(6, 3)).eval()
    assert names_of(net) == []
    tied = made(
        lambda net, x: net.read(net.second(net.first(x)[0])[0]),
        first=nn.RNN(5, 5, batch_first=True),
        second=nn.RNN(5, 5, batch_first=True),
        read=nn.Linear(5, 3),
    )
    assert names_of(tied) == ["first", "second"]
    tied.second.weight_hh_l0 = tied.first.weight_hh_l0
    assert names_of(tied) == []


def test_frozen_layers_stay_frozen_and_gradients_flow():
    net = made(last_output, rnn=nn.GRU(5, 6, 2, batch_first=True), read=nn.Linear(6, 3))
    net.rnn.bias_hh_l1.requires_grad_(False)
    _, smaller = cleared_and_compact(net)
    frozen = [n for n, p in smaller.named_parameters() if not p.requires_grad]
    assert frozen == ["rnn.bias_hh_l1"]
    smaller.train()(X).square().sum().backward()
    trained = [p.grad.abs().sum() > 0 for p in smaller.parameters() if p.requires_grad]
    assert all(trained)
