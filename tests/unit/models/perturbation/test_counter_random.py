import numpy as np
import pytest
from scipy import stats

from echotrain.models.perturbation.counter_random import bits, chance, fast, key_of, normal, uniform

ROWS = np.arange(400)


def test_the_bits_are_those_of_split_mix_64():
    """Reference output of Vigna's splitmix64.c for the seed 1234567, to which row 0 of this key begins."""
    key = 1234567
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):  # undo the output function
        key ^= key >> shift ^ key >> 2 * shift
        key = key * pow(factor, -1, 2**64) % 2**64
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert bits(key, np.zeros(1, np.int64), 4)[0].tolist() == expected


@pytest.mark.parametrize("distribution", ["gaussian", "laplace"])
@pytest.mark.parametrize("count", [1, 7, 64])
def test_numbers_depend_on_key_and_row_alone(distribution, count):
    whole = fast(5, ROWS, count, distribution)
    assert whole.shape == (400, count)
    np.testing.assert_array_equal(fast(5, ROWS[100:103], count, distribution), whole[100:103])
    np.testing.assert_array_equal(fast(5, ROWS[::-1], count, distribution), whole[::-1])
    np.testing.assert_array_equal(fast(5, ROWS, count + 4, distribution)[:, :count], whole)
    assert (fast(6, ROWS, count, distribution) != whole).mean() > 0.99


def test_purposes_and_seeds_have_keys_of_their_own():
    assert len({key_of(seed, purpose) for seed in range(10) for purpose in ("noise", "spikes", "1")}) == 30
    assert key_of(3, "noise") == key_of(3, "noise")


@pytest.mark.parametrize(
    ("distribution", "law", "even"),
    [("gaussian", stats.norm(), (1, 3, 15, 105)), ("laplace", stats.laplace(0, 0.5**0.5), (1, 6, 90, 2520))],
)
def test_the_fast_distributions_have_their_moments_and_tails(distribution, law, even):
    """3.3 million numbers; bounds of five standard errors, those of the fourth moment and the tails included."""
    x = fast(key_of(1, "test"), ROWS, 8192, distribution).astype(np.float64).ravel()
    for power, second in enumerate(even, start=1):
        mean = even[power // 2 - 1] if power % 2 == 0 else 0
        assert abs((x**power).mean() - mean) < 5 * np.sqrt((second - mean**2) / x.size)
    for edge in (1.0, 3.0, 3.5, 4.5):
        share = 2 * law.sf(edge)
        assert abs((np.abs(x) > edge).mean() - share) < 5 * np.sqrt(share / x.size)
    assert stats.kstest(x[::40], law.cdf).pvalue > 1e-4


def test_rows_and_neighbours_are_uncorrelated():
    x = fast(key_of(2, "test"), ROWS[:200], 4096, "gaussian").astype(np.float64)
    between = (x @ x.T / np.sqrt(4096))[np.triu_indices(200, 1)]
    assert abs(between.std() - 1) < 0.03
    assert np.abs(between).max() < 6
    for lag in range(1, 20):
        assert abs((x[:, lag:] * x[:, :-lag]).sum()) < 5 * np.sqrt(x[:, lag:].size)


def test_uniform_and_normal_numbers_are_what_they_say():
    assert stats.kstest(uniform(3, ROWS, 50).ravel(), "uniform").pvalue > 1e-4
    assert stats.kstest(normal(3, ROWS, 50).ravel(), "norm").pvalue > 1e-4


@pytest.mark.parametrize("share", [0, 1e-4, 0.3, 1])
def test_chances_are_as_stated(share):
    hit = chance(4, ROWS, 2001, share)
    assert hit.shape == (400, 2001)
    assert abs(hit.mean() - share) <= 5 * np.sqrt(share * (1 - share) / hit.size)
    np.testing.assert_array_equal(chance(4, ROWS[7:9], 2001, share), hit[7:9])


@pytest.mark.parametrize("distribution", ["gaussian", "laplace"])
def test_a_standard_deviation_scales_every_number_those_of_the_tails_too(distribution):
    rows = np.arange(64)
    unit, scaled = (fast(7, rows, 4096, distribution, *deviation) for deviation in ((), (2.5,)))
    assert np.abs(unit).max() > 4
    np.testing.assert_array_equal(scaled, unit * np.float32(2.5))
