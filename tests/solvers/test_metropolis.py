import numpy as np
import pytest
from scipy import stats

from sklearn_pb.solvers._metropolis import MetropolisThresholds

DTYPES = [np.int16, np.int32, np.int64, np.float32, np.float64]


def source(largest, n_requests=50, seed=0):
    return MetropolisThresholds(np.random.default_rng(seed), largest, n_requests)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("delta", [-3, 0, 1, 2, 5])
def test_flips_are_made_with_the_metropolis_probability(dtype, delta):
    temperature, n = 2.5, 2000
    thresholds, made = source(n, 40), 0
    deltas = np.full(n, delta, dtype)
    for _ in range(100):
        thresholds.cool(temperature)
        made += np.count_nonzero(deltas < thresholds(deltas))
    probability = min(1.0, np.exp(-delta / temperature))
    # Stretches overlap, so the effective number of draws is that of what was drawn.
    assert made / (100 * n) == pytest.approx(probability, abs=0.015)


def test_thresholds_are_exponential():
    thresholds = source(5000)
    thresholds.cool(3.0)
    drawn = thresholds(np.zeros((50, 100)))
    assert drawn.shape == (50, 100) and drawn.dtype == np.float64
    assert stats.kstest(drawn.ravel() / 3.0, "expon").pvalue > 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_high_temperature_does_not_overflow(dtype):
    thresholds = source(100)
    thresholds.cool(1e30)
    drawn = thresholds(np.zeros(100, dtype))
    assert drawn.dtype == dtype and (drawn > 0).all()
    assert np.isfinite(drawn.astype(float)).all()


def test_the_pool_follows_the_temperature():
    thresholds = source(10)
    for temperature in np.geomspace(100, 1e-3, 60):
        thresholds.cool(temperature)
        thresholds(np.zeros(10))
    for _ in range(16):
        thresholds.cool(1e-3)
    assert thresholds(np.zeros(10)).max() < 0.05


def test_a_sweep_is_given_new_numbers():
    thresholds = source(1000)
    drawn = []
    for _ in range(3):
        thresholds.cool(1.0)
        drawn.append(thresholds(np.zeros(1000)).copy())
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[1], drawn[2])
