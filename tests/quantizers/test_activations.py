"""Quantized activations: levels and gradients by hand, precisions that are learned."""

import io
import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

from sklearn_pb.export import to_onnx
from sklearn_pb.quantizers import (
    PACT,
    QuantizedActivation,
    SmolActivations,
    logits_of_bits,
    prepare_activations,
    restore_activations,
)
from sklearn_pb.utils import RandomStream

STREAM = RandomStream(3)


def network(kind=nn.ReLU):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 5), kind(), nn.Linear(5, 4), kind())


def inputs(n=32, seed=0):
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))


def activation(function="relu", reach=2.0, bits=2, **options):
    module = QuantizedActivation(function, reach, **options)
    module.fix(torch.tensor(bits, dtype=torch.uint8))
    return module


def noisy(reach=2.0, shape=(3,), bits=3.0, price=0.0, decay=0.0, function="relu"):
    module = QuantizedActivation(function, reach)
    module.learn(logits_of_bits(bits).expand(shape).clone())
    module.stream, module.price, module.decay = STREAM, price, decay
    module.n_units = torch.Size(shape).numel()
    return module


def train(module, run, n_steps, finetune=0, rate=0.02):
    x, y = inputs(), network()(inputs()).detach()
    optimizer = torch.optim.SGD(module.parameters(), rate)
    run.start(n_steps)
    for step in range(n_steps + finetune):
        if step == n_steps:
            run.freeze()
        run.advance(min(1.0, step / n_steps))
        optimizer.zero_grad()
        (module(x) - y).square().mean().backward()
        run.collect()
        optimizer.step()
    run.freeze()


# Levels


def test_levels_by_hand():
    module = activation("relu", reach=3.0, bits=2)  # levels 0, 1, 2, 3
    x = torch.tensor([-1.0, 0.4, 0.6, 1.7, 2.4, 9.0])
    assert module(x).tolist() == [0, 0, 1, 2, 2, 3]
    assert module.eval()(x).tolist() == [0, 0, 1, 2, 2, 3]
    module = activation("sigmoid", reach=1.0, bits=1)
    assert module(torch.tensor([-0.1, 0.1])).tolist() == [0, 1]
    module = activation("tanh", reach=2.0, bits=2)
    expected = torch.tensor([-1.0, -1 / 3, 1 / 3, 1.0])
    x = torch.tensor([-5.0, -0.3, 0.3, 5.0])
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("function", ["relu", "sigmoid", "tanh"])
def test_training_and_evaluation_round_alike(function):
    module = activation(function, {"relu": 1.7, "sigmoid": 1.0, "tanh": 2.0}[function])
    x = inputs().requires_grad_()
    trained = module(x)
    assert trained.requires_grad
    with torch.no_grad():
        assert torch.equal(module.eval()(x), trained)
    assert len(trained.unique()) == 4


def test_each_output_may_have_bits_of_its_own():
    module = activation("relu", reach=1.0)
    module.fix(torch.tensor([1, 2, 8], dtype=torch.uint8))
    values = module(torch.rand(500, 3, generator=torch.Generator().manual_seed(0)))
    for i, bits in enumerate([1, 2, 8]):
        levels = 2**bits - 1
        assert len(values[:, i].unique()) <= levels + 1
        torch.testing.assert_close(
            values[:, i] * levels, (values[:, i] * levels).round()
        )
    assert module.mean_bits() == pytest.approx(11 / 3)


# Gradients


def test_gradients_of_pact_are_the_published_ones():
    """Choi et al. (2018): 1 inside; of the range, the gradients of what is clipped."""
    module = activation("relu", reach=1.0, bits=2)
    module.decay = 0.5
    x = torch.tensor([-0.5, 0.2, 0.9, 1.4, 3.0], requires_grad=True)
    upstream = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    (module(x) * upstream).sum().backward()
    assert x.grad.tolist() == [0, 2, 3, 0, 0]
    assert float(module.reach.grad) == pytest.approx(4 + 5 + 0.5 * 1.0)


@pytest.mark.parametrize("function", ["relu", "sigmoid"])
def test_gradients_of_noise_by_finite_differences(function):
    """Of the loss under the same noise plus the prices, by logits and range."""
    reach = 2.0 if function == "relu" else 1.0
    module = noisy(reach, price=0.3, decay=0.2, function=function).double()
    module.step = 5
    x = inputs()[:, :3].double() * 2
    upstream = inputs(seed=1)[:, :3].double()

    def objective():
        with torch.no_grad():
            bits = 1 + torch.log2(1 + torch.exp(-module.logits))
            priced = 0.3 * bits.sum() + 0.1 * module.reach**2
            return float((module(x) * upstream).sum() + priced)

    (module(x) * upstream).sum().backward()
    h = 1e-6
    for parameter in module.parameters():
        slopes = torch.zeros_like(parameter)
        for i in range(parameter.numel()):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.view(-1)[i] += sign * h
                    values.append(objective())
                    parameter.view(-1)[i] -= sign * h
            slopes.view(-1)[i] = (values[0] - values[1]) / (2 * h)
        torch.testing.assert_close(parameter.grad, slopes, rtol=1e-5, atol=1e-6)


def test_noise_is_half_of_the_range_times_the_amplitude():
    module = noisy(reach=3.0, shape=(2,), bits=1.0)
    with torch.no_grad():
        module.logits.copy_(torch.tensor([0.0, -3.0]))
        noise = module(torch.ones(20_000, 2)) - 1
    limits = 1.5 * module.logits.detach().sigmoid()
    assert (noise.abs() <= limits * (1 + 1e-6)).all()
    torch.testing.assert_close(noise.std(0), limits / 3**0.5, rtol=0.03, atol=0)
    with torch.no_grad():
        again = module(torch.ones(20_000, 2)) - 1
        assert torch.equal(again, noise)  # an address, not a generator that runs on
        module.step += 1
        assert not torch.equal(module(torch.ones(20_000, 2)) - 1, noise)


def test_evaluation_rounds_while_precisions_are_learned():
    module = noisy(reach=1.0, shape=(), bits=2.0).eval()
    assert set(module(torch.rand(100)).mul(3).tolist()) <= {0.0, 1.0, 2.0, 3.0}


# Networks


@pytest.mark.parametrize("kind", [nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh])
def test_replaces_children_in_place(kind):
    module = network(kind)
    before = module(inputs())
    run = prepare_activations(module, PACT(bits=12), inputs(), STREAM)
    assert [type(m) for m in run.modules] == [QuantizedActivation] * 2
    assert module[1] is run.modules[0]
    torch.testing.assert_close(module(inputs()), before, atol=5e-3, rtol=0)
    assert run.mean_bits() == 12
    assert run.frozen


def test_nothing_changes_but_the_activations():
    module = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout())
    module[3].eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    seed = torch.random.get_rng_state()
    run = prepare_activations(module, PACT(), inputs() * 100, STREAM)
    for name, value in before.items():
        assert torch.equal(module.state_dict()[name], value)
    assert [m.training for m in module] == [True, True, True, False]
    assert torch.equal(torch.random.get_rng_state(), seed)
    # Batch norm has normalised: the range is that of normal numbers.
    assert 1 < float(run.modules[0].reach.detach()) < 5


def test_a_shared_activation_stays_shared():
    shared = nn.ReLU()
    module = nn.Sequential(nn.Linear(6, 5), shared, nn.Linear(5, 5), shared)
    run = prepare_activations(module, PACT(), inputs(), STREAM)
    assert len(run.modules) == 1
    assert module[1] is module[3]
    module[2] = nn.Linear(5, 4)
    module[1] = module[3] = shared
    with pytest.raises(ValueError, match=r"one shape of outputs.*\(4,\), \(5,\)"):
        prepare_activations(module, SmolActivations(), inputs(), STREAM)
    prepare_activations(module, SmolActivations(granularity="layer"), inputs(), STREAM)


def test_says_so_where_there_is_nothing_to_replace():
    class Functional(nn.Linear):
        def forward(self, x):
            return torch.relu(super().forward(x))

    for module in (Functional(6, 2), nn.ReLU()):
        with pytest.raises(ValueError, match=r"torch\.relu cannot be replaced"):
            prepare_activations(module, PACT(), inputs(), STREAM)


def test_takes_named_and_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, a, b):
            return self.act(a + b)

    x = inputs()
    for given in ((x, x), {"a": x, "b": x}):
        module = Two()
        run = prepare_activations(module, PACT(), given, STREAM)
        assert float(run.modules[0].reach.detach()) == pytest.approx(float(2 * x.max()))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_a_transformer_layer_does_not_skip_them():
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, activation=nn.ReLU(), batch_first=True
    )
    x = torch.randn(4, 3, 8, generator=torch.Generator().manual_seed(0))
    prepare_activations(layer, PACT(bits=1), x, STREAM)
    layer.eval()
    with torch.no_grad():
        fast = layer(x)
    with torch.enable_grad():
        torch.testing.assert_close(layer(x), fast)


@pytest.mark.parametrize(
    ("granularity", "shape"),
    [("unit", (4, 6, 6)), ("channel", (4, 1, 1)), ("layer", ())],
)
def test_which_outputs_share_a_precision(granularity, shape):
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    activations = SmolActivations(granularity=granularity)
    run = prepare_activations(module, activations, torch.ones(2, 1, 8, 8), STREAM)
    assert run.modules[0].logits.shape == shape
    assert run.modules[0].n_units == 4 * 36
    module(torch.ones(2, 1, 8, 8))
    if granularity != "unit":
        module(torch.ones(2, 1, 12, 12))


# Training


def test_the_range_shrinks_to_what_is_needed():
    """With four levels a range a hundred times too wide rounds all to zero."""
    module = network()
    activations = PACT(bits=2, initial_range=20.0, decay=1e-2)
    run = prepare_activations(module, activations, inputs(), STREAM)
    train(module, run, 150, rate=0.0)
    assert all(0 < float(m.reach.detach()) < 5 for m in run.modules)


def test_relu6_is_never_clipped_beyond_6():
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU6())
    x = inputs() * 100
    run = prepare_activations(module, PACT(), x, STREAM)
    assert float(run.modules[0].reach.detach()) == 6
    run.advance(0.0)
    (-module(x).sum()).backward()
    run.collect()
    assert float(run.modules[0].reach.detach()) == 6


def test_the_optimizer_of_the_network_leaves_them_alone():
    module = network()
    run = prepare_activations(module, SmolActivations(), inputs(), STREAM)
    run.start(10)
    optimizer = torch.optim.SGD(module.parameters(), 1e3, weight_decay=1.0)
    run.advance(0.0)
    module(inputs()).square().sum().backward()
    run.collect()
    held = [p.clone() for m in run.modules for p in m.parameters()]
    optimizer.step()
    now = [p for m in run.modules for p in m.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(held, now, strict=True))


@pytest.mark.parametrize("granularity", ["unit", "layer"])
@pytest.mark.parametrize("rounding", ["floor", "round", "ceil"])
def test_meets_a_target_of_bits(rounding, granularity):
    module = network()
    activations = SmolActivations(
        target_bits=3.0, rounding=rounding, granularity=granularity
    )
    run = prepare_activations(module, activations, inputs(), STREAM)
    assert run.mean_bits() == 8
    train(module, run, 60, finetune=5)
    coarsest = 5 / 9 if granularity == "layer" else 0.12  # of one group, in bits
    assert 3.0 - coarsest < run.mean_bits() <= 3.0
    assert all(m.logits is None for m in run.modules)
    bits = torch.cat(
        [m.bits.expand(n).flatten() for m, n in zip(run.modules, (5, 4), strict=True)]
    )
    assert float(bits.double().mean()) == pytest.approx(run.mean_bits())


def test_what_matters_more_gets_more_bits():
    """One output of two is magnified a hundredfold by what comes after it."""
    module = nn.Sequential(nn.Linear(6, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.ones(2, 6) / 3)
        module[2].weight.copy_(torch.tensor([[1.0, 0.01]]))
    target = module(inputs()).detach()
    run = prepare_activations(
        module, SmolActivations(target_bits=3.0), inputs(), STREAM
    )
    run.start(300)
    for step in range(300):
        run.advance(step / 300)
        (module(inputs()) - target).square().mean().backward()
        run.collect()
        module.zero_grad()
    run.freeze()
    first, second = run.modules[0].bits.tolist()
    assert first >= second + 2
    assert first + second <= 6


def test_a_penalty_costs_bits():
    bits = []
    for penalty in (0.0, 1.0):
        module = network()
        activations = SmolActivations(penalty=penalty)
        run = prepare_activations(module, activations, inputs(), STREAM)
        train(module, run, 60)
        bits.append(run.mean_bits())
    assert bits[0] > bits[1] + 1
    assert run.strength == 1.0


def test_widths_are_kept():
    module = network()
    activations = SmolActivations(target_bits=5.0, widths=(2, 4, 8))
    run = prepare_activations(module, activations, inputs(), STREAM)
    train(module, run, 40)
    assert {int(b) for m in run.modules for b in m.bits} <= {2, 4, 8}


def test_goes_on_from_its_state():
    def started():
        module = network()
        activations = SmolActivations(target_bits=3.0)
        run = prepare_activations(module, activations, inputs(), STREAM)
        run.start(30)
        return module, run

    def step(module, run, k):
        run.advance(k / 30)
        module(inputs()).square().sum().backward()
        run.collect()
        module.zero_grad()

    module, run = started()
    for k in range(15):
        step(module, run, k)
    state, weights = deepcopy(run.state_dict()), deepcopy(module.state_dict())
    for k in range(15, 30):
        step(module, run, k)
    run.freeze()
    other, resumed = started()
    other.load_state_dict(weights)
    resumed.load_state_dict(state)
    for k in range(15, 30):
        step(other, resumed, k)
    resumed.freeze()
    assert torch.equal(other(inputs()), module(inputs()))
    # A frozen state goes into a new module, and one of the search into a frozen one.
    third, _ = started()
    third.load_state_dict(module.state_dict())
    assert torch.equal(third(inputs()), module(inputs()))
    third.load_state_dict(weights)
    assert torch.equal(third[1].logits, weights["1.logits"])
    assert third[1].bits is None


# Files


def prepared():
    module = network()
    activations = SmolActivations(target_bits=2.5)
    run = prepare_activations(module, activations, inputs(), STREAM)
    train(module, run, 20)
    return module.eval()


def test_plain_modules_are_pickled_and_copied():
    module = prepared()
    with torch.no_grad():
        expected = module(inputs())
        for copy in (pickle.loads(pickle.dumps(module)), deepcopy(module)):
            assert torch.equal(copy(inputs()), expected)
        buffer = io.BytesIO()
        torch.save(module.state_dict(), buffer)
        buffer.seek(0)
        empty = network()
        prepare_activations(empty, SmolActivations(), inputs(), STREAM)
        empty.load_state_dict(torch.load(buffer, weights_only=True))
        assert torch.equal(empty.eval()(inputs()), expected)
    assert "QuantizedActivation(relu, bits=" in repr(module)


def test_a_saved_state_restores_them():
    module = prepared()
    state = module.state_dict()
    new = network().eval()
    restore_activations(new, state)
    new.load_state_dict(state)
    assert torch.equal(new(inputs()), module(inputs()))
    assert not new[1].training
    plain = network()
    restore_activations(plain, network().state_dict())
    assert type(plain[1]) is nn.ReLU


def test_they_are_restored_where_the_network_is():
    saved = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    prepare_activations(saved, PACT(), torch.ones(1, 2), RandomStream(0))
    new = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).to("meta")
    restore_activations(new, saved.state_dict())
    assert {value.device.type for value in new.state_dict().values()} == {"meta"}


def test_a_network_that_has_them_keeps_them():
    module = prepared()
    held = module[1], module[1].reach.detach().clone()
    run = prepare_activations(module, SmolActivations(), inputs() * 9, STREAM)
    assert run.modules[0] is held[0]
    assert torch.equal(module[1].reach, held[1])
    assert run.frozen


@pytest.mark.parametrize("kind", [nn.ReLU, nn.Sigmoid, nn.Tanh])
def test_onnx_computes_the_same(kind, tmp_path):
    module = network(kind)
    run = prepare_activations(module, SmolActivations(), inputs(), STREAM)
    run.modules[0].fix(torch.tensor([1, 2, 3, 4, 5], dtype=torch.uint8))
    run.modules[1].fix(torch.tensor(3, dtype=torch.uint8))
    assert to_onnx(module, inputs(), tmp_path / "net.onnx") < 1e-5


# Hyperparameters


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        (PACT(0), r"bits=0 must be"),
        (PACT(initial_range=0), r"initial_range=0 must be"),
        (PACT(decay=-1), r"decay=-1 must be"),
        (SmolActivations(initial_bits=1), r"initial_bits=1 must be"),
        (SmolActivations(target_bits=0.5), r"target_bits=0\.5 must be"),
        (SmolActivations(penalty=-1), r"penalty=-1 must be"),
        (SmolActivations(granularity="row"), r"granularity='row' is unknown"),
        (SmolActivations(rounding="up"), r"rounding='up' is unknown"),
        (SmolActivations(widths=(4, 2)), r"widths=\(4, 2\) must be"),
    ],
)
def test_checks_its_parameters(activations, message):
    with pytest.raises(ValueError, match=message):
        prepare_activations(network(), activations, inputs(), STREAM)
