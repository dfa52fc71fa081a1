"""The coder gives back what it was given, and takes what information theory allows."""

import itertools
import math
import zlib

import numpy as np
import pytest

from sklearn_pb.quantizers._entropy import _coder, _rans, plan, read, stream_bits, write
from sklearn_pb.quantizers._entropy._alphabet import Alphabet
from sklearn_pb.quantizers._entropy._estimates import layer_bits
from sklearn_pb.quantizers._entropy._models import Model
from sklearn_pb.quantizers._entropy._scan import ORDERS, Scan
from sklearn_pb.quantizers._entropy._tables import Tables, blocks, normalised


def there_and_back(*arrays):
    description, data = write([plan(array) for array in arrays])
    back = read(description, data, [array.shape for array in arrays])
    assert len(back) == len(arrays)
    for before, after in zip(arrays, back, strict=True):
        assert before.shape == after.shape
        assert np.array_equal(before, after)
    return data


def drawn(probabilities, shape, seed=0):
    generator = np.random.default_rng(seed)
    values = np.arange(len(probabilities)) - len(probabilities) // 2
    return generator.choice(values, shape, p=probabilities)


def smol_like(shape, granularity, seed=0):
    """Codes with P = 3 whose precisions vary by channel, block of 16 or weight."""
    generator = np.random.default_rng(seed)
    n, width = shape[0], math.prod(shape[1:])
    size = {"channel": width, "block": 16, "parameter": 1}[granularity]
    bits = generator.choice(4, (n, -(-width // size)), p=[0.2, 0.5, 0.2, 0.1])
    bits = bits.repeat(size, 1)[:, :width]
    odd = 2 * generator.integers(0, 2**bits) + 1 - 2**bits
    return np.where(bits > 0, odd * 2 ** (3 - bits), 0).reshape(shape)


ARRAYS = {
    "empty": np.zeros((0, 3), np.int64),
    "scalar": np.array(-7),
    "one": np.array([[3]]),
    "constant": np.full((4, 5), 2),
    "two": np.array([1, -1]),
    "extremes": np.array([-(2**31), 2**31 - 1, 0, 5]),
    "channels": smol_like((16, 8, 3, 3), "channel"),
    "blocks": smol_like((20, 160), "block"),
    "parameters": smol_like((30, 40), "parameter"),
    "mostly zero": drawn([0.01, 0.98, 0.01], (100, 100)),
    "all but zero": drawn([0.001, 0.998, 0.001], (100, 100)),
    "uniform bytes": np.random.default_rng(0).integers(-128, 128, (50, 60)),
    "twelve bits": np.random.default_rng(1)
    .normal(0, 600, (50, 60))
    .round()
    .astype(int),
    "long row": drawn([0.2, 0.5, 0.3], (1, 4000)),
    "vector": drawn([0.2, 0.5, 0.3], (300,)),
    "same rows": np.tile(np.random.default_rng(2).integers(-8, 8, (1, 999)), (40, 1)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(name):
    there_and_back(ARRAYS[name].astype(np.int64))


def test_arrays_share_a_stream():
    there_and_back(*[array.astype(np.int64) for array in ARRAYS.values()])
    there_and_back()


@pytest.mark.parametrize("seed", range(30))
def test_random_arrays_come_back(seed):
    generator = np.random.default_rng(seed)
    arrays = []
    for _ in range(3):
        shape = tuple(generator.integers(0, 9, generator.integers(0, 5)))
        scale = 10.0 ** generator.uniform(-1, 5)
        codes = generator.normal(generator.normal(), scale, shape).round()
        codes = codes * (generator.random(shape) < generator.random())
        arrays.append(np.asarray(codes * generator.integers(1, 4), np.int64))
    there_and_back(*arrays)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n_lanes", [1, 3, 64])
def test_every_order_comes_back(order, n_lanes):
    codes = smol_like((7, 5, 3, 2), "channel")
    model = Model(Alphabet.of(codes), order, 8, 4)
    spans = model.spans(codes, n_lanes)
    data = _rans.encode(spans.starts, spans.widths, spans.edges, n_lanes)
    decoder = _rans.Decoder(data, n_lanes)
    assert np.array_equal(model.decode(decoder, codes.shape, n_lanes), codes)
    decoder.finish()


@pytest.mark.parametrize("order", ORDERS)
def test_scans_are_permutations_whose_contexts_are_known_beforehand(order):
    codes = smol_like((7, 5, 3, 2), "channel")
    alphabet = Alphabet.of(codes)
    scan = Scan(order, codes.shape)
    numbered = np.arange(codes.size).reshape(codes.shape)
    assert np.array_equal(np.sort(scan.flatten(numbered)), numbered.reshape(-1))
    assert np.array_equal(scan.restore(scan.flatten(numbered)), numbered)
    symbols = scan.flatten(alphabet.symbols(codes))
    contexts = scan.contexts(symbols, alphabet)
    assert contexts.max() < scan.n_contexts(alphabet)
    later = symbols.copy()
    later[100:] = 0
    again = scan.contexts(later, alphabet)
    assert np.array_equal(again[: 100 + 1], contexts[: 100 + 1])


@pytest.mark.parametrize(
    "order, axes", [("rows", (0,)), ("columns", (1,)), ("places", (2, 3))]
)
def test_contexts_are_indices_along_axes(order, axes):
    shape = (4, 5, 3, 2)
    index = np.zeros(shape, np.int64)
    for axis in axes:
        index = index * shape[axis] + np.indices(shape)[axis]
    scan = Scan(order, shape)
    alphabet = Alphabet(0, 1, 2)
    contexts = scan.contexts(np.zeros(scan.size, np.int64), alphabet)
    assert np.array_equal(scan.restore(contexts), index)


def classes_of(alphabet, bins):
    """Sets of values that share a bin, in the order of their least sizes."""
    found = {}
    for value, own in zip(alphabet.values.tolist(), bins.tolist(), strict=True):
        found.setdefault(own, set()).add(value)
    return sorted(found.values(), key=lambda values: min(map(abs, values)))


def test_classes_have_equally_many_digits():
    alphabet = Alphabet(-3, 1, 8)
    groups = classes_of(alphabet, alphabet.classes)
    assert groups == [{0}, {-1, 1}, {-3, -2, 2, 3}, {4}]
    assert alphabet.classes[3] == 0  # zero is class 0
    assert Alphabet(1, 1, 2).classes.min() == 1  # also where it does not occur


def test_classes_by_powers_are_precisions_as_well():
    alphabet = Alphabet(-7, 1, 15, by_powers=True)
    groups = classes_of(alphabet, alphabet.classes)
    expected = [{0}, {-1, 1}, {-2, 2}, {-3, 3}, {-4, 4}, {-7, -5, 5, 7}, {-6, 6}]
    assert groups == expected


def test_levels_become_finer_and_end_with_the_symbols():
    alphabet = Alphabet(-20, 1, 41)
    levels = alphabet.levels
    for coarse, fine in itertools.pairwise(levels):
        assert fine.max() > coarse.max()
        assert len(set(zip(coarse.tolist(), fine.tolist(), strict=True))) == (
            fine.max() + 1
        )  # every finer bin lies within one coarser bin
    assert len(set(levels[-1].tolist())) == 41
    groups = classes_of(alphabet, levels[1])
    assert groups[-3:] == [{-15, -14, 14, 15}, set_of(16, 19), {-20, 20}]


def set_of(low, high):
    """All numbers of sizes from low to high."""
    return {sign * size for size in range(low, high + 1) for sign in (-1, 1)}


def test_alphabets_leave_out_what_cannot_occur():
    assert Alphabet.of(np.array([-3, 1, 5])) == Alphabet(-3, 4, 3)
    assert Alphabet.of(np.array([4])) == Alphabet(4, 1, 1)
    assert Alphabet.of(np.array([[0, 6], [9, 3]])) == Alphabet(0, 3, 4)


def test_tables_add_up_and_leave_nothing_out():
    weights = np.array([[0, 0, 1], [5, 10**9, 0], [1, 1, 1]])
    widths = normalised(weights, _rans.SCALE_BITS)
    assert (widths.sum(1) == _rans.SCALE).all()
    assert widths.min() == 1
    assert abs(widths[2] - _rans.SCALE / 3).max() < 2
    large = normalised(np.array([2**55, 2**56]), 22)
    assert abs(large - [2**22 / 3, 2**23 / 3]).max() < 2


@pytest.mark.parametrize("size", [0, 1, 16, 17, 1000, 10**6])
def test_blocks_cover_everything_and_grow(size):
    edges = blocks(size)
    assert edges[0] == 0
    assert edges[-1] == size
    assert all(np.diff(edges) > 0)
    assert len(edges) < 60


@pytest.mark.parametrize(
    "probabilities", [(0.5, 0.5), (0.9, 0.1), (0.1, 0.2, 0.7), (0.01, 0.98, 0.01)]
)
def test_bits_are_the_entropy_of_the_source(probabilities):
    codes = drawn(probabilities, (100, 250))
    frequencies = np.unique(codes, return_counts=True)[1] / codes.size
    entropy = -(frequencies * np.log2(frequencies)).sum() * codes.size
    bits = 8 * len(there_and_back(codes))
    assert 0.98 * entropy < bits < 1.02 * entropy + 128


@pytest.mark.parametrize("axis", [0, 1])
def test_bits_of_each_channel_are_the_entropy_of_that_channel(axis):
    """Ten channels of one bit and ten of three, disjoint: no bit map is paid for."""
    generator = np.random.default_rng(0)
    few = 4 * (2 * generator.integers(0, 2, (10, 3000)) - 1)
    many = 2 * generator.integers(0, 8, (10, 3000)) - 7
    codes = np.concatenate([few, many])[generator.permutation(20)]
    bits = 8 * len(there_and_back(np.moveaxis(codes, 0, axis)))
    assert 20 * 3000 * 2 <= bits < 1.01 * 20 * 3000 * 2


def test_bits_of_blocks_are_learned_from_what_precedes():
    """Precisions change every 16 weights; a map of them alone would be 2 / 16 bits."""
    codes = smol_like((64, 1600), "block")
    shares = np.array([0.2, 0.5, 0.2, 0.1])
    payload = shares @ np.arange(4)
    with_map = payload - shares @ np.log2(shares) / 16
    bits = 8 * len(there_and_back(codes)) / codes.size
    assert payload < bits < 1.02 * with_map


def test_uniform_symbols_take_no_more_than_their_bits():
    codes = np.random.default_rng(0).integers(-8, 8, (100, 100))
    codes.reshape(-1)[:16] = np.arange(-8, 8)
    assert len(there_and_back(codes)) == 100 * 100 // 2


@pytest.mark.parametrize("name", ARRAYS)
def test_never_larger_than_zlib(name):
    codes = ARRAYS[name].astype(np.int64)
    if codes.size:
        width = "<i1" if abs(codes).max() < 128 else "<i4"
        packed = zlib.compress(codes.astype(width).tobytes(), 9)
        assert len(there_and_back(codes)) <= len(packed) + 1


@pytest.mark.parametrize("name", ARRAYS)
def test_the_plan_knows_the_size(name):
    plans = [plan(ARRAYS[name].astype(np.int64))]
    bits = 8 * len(write(plans)[1])
    assert stream_bits(plans) == pytest.approx(bits, rel=0.005, abs=32)


@pytest.mark.parametrize("name", ARRAYS)
def test_the_estimate_is_close(name):
    codes = ARRAYS[name].astype(np.int64)
    if name == "same rows":
        return  # zlib finds what the models do not see
    estimate, exact = plan(codes, exact=False), plan(codes)
    assert estimate.bits == pytest.approx(exact.bits, rel=0.03, abs=16)


def test_code_length_of_an_adaptive_coin_by_hand():
    """1, -1, 1: probabilities 1/2, then (0 + 1) / (1 + 2), then (1 + 1) / (2 + 2)."""
    alphabet = Alphabet(-1, 2, 2)
    bits = layer_bits(np.array([1, 2]), alphabet, 4)  # two signs: two observations
    assert bits == pytest.approx(-math.log2(1 / 2 * 1 / 3 * 2 / 4))


def test_tables_by_hand():
    """Contexts of 12 and 36 observations, in each of which the layer counts for two."""
    tables = Tables(Alphabet(-1, 2, 2), 2)
    tables.learn(np.array([[0, 12], [12, 24]]))
    layer = (12 + 1) / (48 + 2)  # the first of two symbols, and one of two more
    first, second = tables.widths(4, 2) / _rans.SCALE
    assert first[0] == pytest.approx((0 + 2 * layer) / 14, abs=1e-3)
    assert second[0] == pytest.approx((12 + 2 * layer) / 38, abs=1e-3)


def test_information_of_spans_by_hand():
    """A first block is coded with what is known before: both symbols equally likely."""
    codes = np.array([1, -1, 1, 1, 1, 1, -1, 1])
    spans = Model(Alphabet.of(codes), "layer", 8, 8).spans(codes, 4)
    assert (spans.widths == _rans.SCALE // 2).all()
    assert spans.edges == [0, 4, 8]


def test_lanes_are_few_where_the_stream_is_short():
    short = [plan(drawn((0.5, 0.3, 0.2), (20, 20)))]
    long = [plan(drawn((0.5, 0.3, 0.2), (300, 1000)))]
    assert _coder.lanes_of(short) == 1
    assert 32 < _coder.lanes_of(long) < 256
    waste = 8 * len(write(long)[1]) - sum(part.bits for part in long)
    assert waste < 0.006 * sum(part.bits for part in long)


@pytest.mark.parametrize("cut", [0, 1, 5, 100])
def test_short_data_are_noticed(cut):
    codes = drawn((0.5, 0.3, 0.2), (40, 40))
    description, data = write([plan(codes)])
    with pytest.raises(ValueError, match=r"bytes do not hold|too early"):
        read(description, data[:cut], [codes.shape])


def test_long_data_are_noticed():
    codes = drawn((0.5, 0.3, 0.2), (40, 40))
    description, data = write([plan(codes)])
    with pytest.raises(ValueError, match="do not end where they should"):
        read(description, data + b"ab", [codes.shape])


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match="no form"):
        read([0, ["_take", 3]], b"", [(1,)])
