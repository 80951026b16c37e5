import numpy as np
import pytest

from echotrain.models.flags.residual_features import (
    band_ratios,
    evened,
    excess_kurtosis,
    isolated_lines,
    lag_correlations,
    radius,
    spectral_flatness,
)

ALL = np.ones((64, 64), bool)


def test_the_radius_is_zero_at_the_centre_and_one_at_the_edges():
    distance = radius((8, 6))
    assert distance[4, 3] == 0
    assert distance[0, 3] == distance[4, 0] == 1
    assert distance.shape == (8, 6)


def test_a_residual_of_noise_has_a_ratio_of_one_in_every_band_and_coil(noise):
    for coils in band_ratios(noise(3, 64, 64), ALL).values():
        np.testing.assert_allclose(coils, 1, atol=0.2)  # few samples are low ones


def test_a_coil_with_twice_the_noise_in_one_band_stands_out_there_alone(noise):
    residual = noise(3, 64, 64)
    residual[1, radius((64, 64)) >= 0.5] *= 2
    ratios = band_ratios(residual, ALL)
    np.testing.assert_allclose(ratios["high"], (1, 2, 1), atol=0.1)
    np.testing.assert_allclose(ratios["middle"], 1, atol=0.1)


def test_a_band_without_samples_is_zero(noise):
    sampled = np.zeros((64, 64), bool)
    sampled[32, 32] = True
    assert (band_ratios(noise(2, 64, 64), sampled)["high"] == 0).all()


def test_evening_takes_away_where_the_energy_lies(noise):
    residual = noise(2, 64, 64) * (1 + 10 * np.exp(-5 * radius((64, 64)))).astype(np.float32)
    assert excess_kurtosis(residual) > 1
    even = evened(residual, ALL)
    assert excess_kurtosis(even) == pytest.approx(0, abs=0.15)
    assert np.mean(np.abs(even) ** 2) == pytest.approx(1, rel=1e-3)


def test_white_noise_has_no_correlation_and_smoothed_noise_that_of_its_kernel(noise):
    white = noise(4, 64, 64)
    assert max(lag_correlations(white, ALL)) < 0.03
    # n[k] + n[k + 1] has a lag-1 correlation of 1/2
    along_ky, along_kx = lag_correlations(white + np.roll(white, 1, axis=2), ALL)
    assert along_kx == pytest.approx(0.5, abs=0.03)
    assert along_ky < 0.03


def test_lines_that_are_no_neighbours_have_no_correlation_to_tell(noise):
    sampled = np.zeros((64, 64), bool)
    sampled[::2] = True
    assert lag_correlations(noise(2, 64, 64), sampled)[0] == 0


@pytest.mark.parametrize(("values", "expected"), [(np.ones(10), -1.0), (np.zeros(10), 0.0), (np.eye(1, 10)[0], 8.0)])
def test_the_kurtosis_of_known_distributions(values, expected):
    assert excess_kurtosis(values.astype(np.complex64)) == pytest.approx(expected)


def test_the_kurtosis_and_flatness_of_gaussian_noise_are_zero_and_one(noise):
    assert excess_kurtosis(noise(100_000)) == pytest.approx(0, abs=0.05)
    assert spectral_flatness(noise(128, 128)) == pytest.approx(1, abs=0.03)


def test_the_flatness_of_a_single_wave_and_of_nothing_is_zero():
    wave = np.exp(2j * np.pi * np.arange(64) * 5 / 64)[:, None] * np.ones(64)
    assert spectral_flatness(wave.astype(np.complex64)) < 1e-6
    assert spectral_flatness(np.zeros((8, 8), np.complex64)) == 0


def test_the_line_that_holds_twice_the_residual_of_the_others_is_found(noise):
    sampled = np.zeros((64, 64), bool)
    sampled[::4] = sampled[28:37] = True
    residual = noise(4, 64, 64) * sampled
    largest, contrast, beside = isolated_lines(residual, sampled)
    assert largest == pytest.approx(1, abs=0.2)
    assert contrast == pytest.approx(1, abs=0.2)
    assert beside == pytest.approx(1, abs=0.15)
    residual[:, 40] *= 3
    largest, contrast, beside = isolated_lines(residual, sampled)
    assert largest == pytest.approx(3, rel=0.2)
    assert contrast == pytest.approx(3, rel=0.2)
    assert beside > 1.5


def test_a_scan_without_isolated_lines_has_none_to_tell_of(noise):
    assert isolated_lines(noise(2, 64, 64), ALL) == (1, 1, 1)
