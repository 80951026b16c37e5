import numpy as np
import pytest

from echotrain.models.evaluation.kspace_statistics import edge_power, noise_correlation


def noise(shape):
    parts = np.random.default_rng(0).standard_normal((*shape, 2)) * np.sqrt(0.5)
    return np.ascontiguousarray(parts, np.float64).view(np.complex128)[..., 0].astype(np.complex64)


def test_white_noise_has_its_own_power_at_the_edges():
    rng = np.random.default_rng(0)
    image = 1 + 0.01 * rng.standard_normal((128, 128))
    image[:4] = 2  # what is brightest
    along_y, along_x = edge_power(image)
    assert along_x == pytest.approx(20 * np.log10(0.005), abs=0.5)
    assert along_y > along_x  # the bright bar has edges along y


def test_an_interpolated_axis_has_nothing_at_its_edges():
    small = np.random.default_rng(0).uniform(size=(64, 64))
    spectrum = np.zeros((64, 128), complex)
    spectrum[:, 32:96] = np.fft.fftshift(np.fft.fft2(small))
    image = np.fft.ifft2(np.fft.ifftshift(spectrum)).real
    along_y, along_x = edge_power(image)
    assert along_x < along_y - 60


def test_independent_coils_do_not_correlate():
    kspace = noise((4, 100, 80)) * np.array([1, 1, 3, 1], np.float32)[:, None, None]
    correlation, spread = noise_correlation(kspace)
    assert correlation == pytest.approx((20 * 16) ** -0.5, rel=0.5)
    assert spread == pytest.approx(3, rel=0.1)


def test_what_coils_have_in_common_is_their_correlation():
    common, own = noise((1, 100, 80)), noise((5, 100, 80))[1:]
    correlation, _ = noise_correlation(np.sqrt(0.6) * common + np.sqrt(0.4) * own)
    assert correlation == pytest.approx(0.6, abs=0.05)
