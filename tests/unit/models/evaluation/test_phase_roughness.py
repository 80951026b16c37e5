import numpy as np
import pytest

from echotrain.models.evaluation.phase_roughness import WIDTHS, phase_roughness


@pytest.mark.parametrize("width", WIDTHS)
def test_a_constant_phase_is_not_rough(width):
    rng = np.random.default_rng(0)
    image = (rng.uniform(0.5, 1, size=(64, 64)) * np.exp(0.7j)).astype(np.complex64)
    assert max(phase_roughness(image, width)) < 1e-5


def test_white_phase_noise_is_as_rough_as_its_standard_deviation():
    rng = np.random.default_rng(0)
    image = np.exp(1j * rng.normal(scale=0.1, size=(128, 128))).astype(np.complex64)
    assert phase_roughness(image, 8) == pytest.approx((0.1, 0.1), rel=0.03)


def test_a_wave_is_rough_at_widths_of_its_length_and_smooth_below():
    length, deviation = 32, 0.2
    wave = np.sqrt(2) * deviation * np.cos(2 * np.pi * (np.arange(256) + 0.5) / length)  # goes on beyond borders
    image = np.exp(1j * np.tile(wave, (256, 1))).astype(np.complex64)
    fine, coarse = phase_roughness(image, 1)[0], phase_roughness(image, 16)[0]
    # G keeps exp(-(2 pi width / length)^2 / 2) of a wave, to first order in the phase
    assert fine == pytest.approx(deviation * (1 - np.exp(-((2 * np.pi / length) ** 2) / 2)), rel=0.05)
    assert coarse == pytest.approx(deviation, rel=0.05)


def test_dark_outliers_count_little_in_the_weighted_and_few_in_the_robust_figure():
    image = np.ones((64, 64), np.complex64)
    image[::16, ::16] = -0.2
    rms, robust = phase_roughness(image, 4)
    assert rms == pytest.approx(np.pi * np.sqrt(16 * 0.04 / (64 * 64 - 16 + 16 * 0.04)), rel=0.01)
    assert robust < 1e-3
