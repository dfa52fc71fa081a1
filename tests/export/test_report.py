"""Reports count what is there, against numbers found another way."""

import json
import sys
import time

import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from sklearn_pb.export import (
    Latency,
    LayerReport,
    NetworkReport,
    Report,
    compact,
    count_macs,
    measure_latency,
    report,
    save_packed,
    trace_channels,
)
from sklearn_pb.export._latency import readable_seconds, time_in_turn


@pytest.fixture(name="network")
def make_network():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 50)
    )
    with torch.no_grad():
        network[3].weight[:, 2:] = 0.0
    return network


X = torch.ones(8, 1, 5, 5)


def test_layers_by_hand(network):
    costs = report(network, None, X, latency=False)
    conv, linear, rest = costs.layers
    assert (conv.name, conv.kind, conv.shape) == ("0.weight", "Conv2d", (4, 1, 3, 3))
    assert (conv.weights, conv.nonzeros, conv.sparsity) == (36, 36, 0.0)
    assert (conv.macs, conv.effective_macs) == (36 * 9.0, 36 * 9.0)
    assert (conv.n_bytes, conv.packed_bytes) == (144, 144)
    assert (linear.weights, linear.nonzeros) == (1800, 100)
    assert linear.sparsity == pytest.approx(1 - 1 / 18)
    assert (linear.macs, linear.effective_macs) == (1800.0, 100.0)
    assert (linear.n_bytes, linear.packed_bytes) == (7200, 100 * 5)
    assert linear.choice is None
    assert (rest.name, rest.kind, rest.weights) == ("(the rest)", "", 4 + 4 + 4 + 50)
    assert rest.macs == 0.0


def test_masks_say_what_is_kept(network):
    mask = torch.zeros(50, 36, dtype=torch.bool)
    mask[:, :3] = True
    costs = report(network, {"3.weight": mask}, X, latency=False)
    assert costs.layers[1].nonzeros == 150
    assert costs.layers[1].effective_macs == 150.0
    assert costs.layers[2].nonzeros == costs.layers[2].weights  # zero but not pruned


@pytest.mark.parametrize("name", ["transformer", "lstm", "tied-language-model"])
def test_totals_are_those_of_the_network(name):
    module, inputs = ARCHITECTURES[name]()
    total = report(module, None, inputs, latency=False).total
    macs = sum(layer.macs for layer in count_macs(module, inputs).values())
    assert total.macs == pytest.approx(macs)
    assert total.effective_macs == pytest.approx(macs)
    assert total.weights == sum(p.numel() for p in module.parameters())
    assert total.n_bytes == 4 * total.weights


def test_packed_bytes_are_those_on_disk(network, tmp_path):
    pytest.importorskip("safetensors")
    total = report(network, None, X, latency=False).total
    save_packed(tmp_path / "file", network)
    with (tmp_path / "file").open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    buffers = sum(b.numel() * b.element_size() for b in network.buffers())
    # Short tensors stay dense in the file, where their second part costs too much.
    contents = (tmp_path / "file").stat().st_size - 8 - header - buffers
    assert total.packed_bytes <= contents <= total.packed_bytes + 128


def test_networks(network):
    pytest.importorskip("torch_pruning")
    (group,) = trace_channels(network, X)
    cleared = torch.tensor([True, True, False, False])
    group.clear_(network, cleared)
    small = compact(network, X)
    costs = report(network, None, X, latency=False, compacted=small)
    dense, sparse, compacted = costs.networks.values()
    assert dense == NetworkReport(36 + 1800 + 62, 4 * 1898, 36 * 9.0 + 1800)
    assert sparse.weights == costs.total.nonzeros
    assert sparse.macs == costs.total.effective_macs < dense.macs
    assert compacted.weights == sum(p.numel() for p in small.parameters())
    assert compacted.macs == 18 * 9.0 + 900
    assert costs.speedup("compact") is None


def test_times_are_taken_in_turn(network):
    costs = report(network, None, X, repeats=3, threads=1, compacted=network)
    assert [len(way.latency.seconds) for way in costs.networks.values()] == [3, 3, 3]
    assert costs.speedup("dense") == 1.0
    assert costs.speedup("compact") > 0
    assert costs.threads == 1
    choice = costs.layers[1].choice
    assert choice.input_shape == (8, 36) and choice.threads == 1
    frame = costs.to_frame()
    assert frame.loc["3.weight", "layout"] == choice.layout
    assert "Times are medians, taken in turn, of a batch of 8 with 1 thread." in str(
        costs
    )


def test_text():
    layers = (
        LayerReport("a.weight", "Linear", (20, 50), 1000, 50, 4000, 250, 1e3, 50.0),
        LayerReport("(the rest)", "", (), 20, 20, 80, 80, 0.0, 0.0),
    )
    networks = {
        "dense": NetworkReport(1020, 4080, 1000.0, Latency((2e-3, 4e-3, 2e-3))),
        "sparse": NetworkReport(70, 330, 50.0, Latency((1e-3, 1e-3, 1e-3))),
        "compact": NetworkReport(70, 330, 50.0),
    }
    lines = str(Report(layers, networks, 64, 2)).splitlines()
    assert lines == [
        "layer       kind      shape  non-zeros  weights     zero  bytes  packed  "
        "multiply-adds  effective",
        "----------  ------  -------  ---------  -------  -------  -----  ------  "
        "-------------  ---------",
        "a.weight    Linear  20 x 50         50    1,000     95 %  4,000     250  "
        "        1,000         50",
        "(the rest)                          20       20      0 %     80      80  "
        "            0          0",
        lines[1],
        "total                               70    1,020  93.14 %  4,080     330  "
        "        1,000         50",
        "",
        "network  weights  bytes  multiply-adds  time  speed-up",
        "-------  -------  -----  -------------  ----  --------",
        "dense      1,020  4,080          1,000  2 ms      1.00",
        "sparse        70    330             50  1 ms      2.00",
        "compact       70    330             50",
        "",
        "Times are medians, taken in turn, of a batch of 64 with 2 threads.",
    ]


def test_the_dict_is_plain(network):
    costs = report(network, None, X, repeats=2)
    plain = json.loads(json.dumps(costs.to_dict()))
    assert plain["networks"]["sparse"]["speedup"] == costs.speedup("sparse")
    assert plain["layers"][1]["dense_seconds"] == costs.layers[1].choice.dense_seconds
    assert plain["total"]["weights"] == 1898


def test_frame_needs_pandas(network, monkeypatch):
    costs = report(network, None, X, latency=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        costs.to_frame()


@pytest.mark.gpu
def test_only_networks_on_the_cpu_are_made_sparse(network):
    costs = report(network.cuda(), None, X.cuda(), repeats=1)
    assert costs.networks["dense"].latency and not costs.networks["sparse"].latency
    assert costs.layers[1].packed_bytes == 500


@pytest.mark.parametrize(
    "masks, options, message",
    [
        ({"x": torch.ones(1)}, {}, "masks has 'x', which is no parameter"),
        ({"3.weight": torch.ones(1)}, {}, r"has shape \(1,\), but the parameter"),
        (None, {"repeats": 0}, "repeats=0"),
        (None, {"threads": 0}, "threads=0"),
        (None, {"n_samples": 0}, "n_samples=0"),
    ],
)
def test_bad_parameters(network, masks, options, message):
    with pytest.raises(ValueError, match=message):
        report(network, masks, X, **options)


def test_ratios_pair_the_turns():
    slow = Latency((2.0, 20.0, 6.0))  # the second turn was a bad one for all
    fast = Latency((1.0, 10.0, 2.0))
    assert slow.median == 6.0
    assert slow.over(fast) == 2.0


def test_actions_run_in_turn():
    calls = []
    actions = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    times = time_in_turn(actions, 3, warmup=1)
    assert calls == ["a", "b", "b", "a"] * 2
    assert {name: len(time.seconds) for name, time in times.items()} == {"a": 3, "b": 3}


def test_latency_of_a_network_that_sleeps():
    class Sleeper(nn.Module):
        def __init__(self, seconds):
            super().__init__()
            self.seconds = seconds

        def forward(self, x):
            assert not self.training and not torch.is_grad_enabled()
            time.sleep(self.seconds)

    networks = {"long": Sleeper(0.02), "short": Sleeper(0.002)}
    times = measure_latency(networks, X, repeats=3, threads=1)
    assert times["long"].median >= 0.02
    assert times["long"].over(times["short"]) > 1.5
    assert networks["long"].training


def test_readable_seconds():
    assert [readable_seconds(s) for s in (0.0, 3e-7, 0.00123, 75.0)] == [
        "0 us",
        "0.3 us",
        "1.23 ms",
        "75 s",
    ]
