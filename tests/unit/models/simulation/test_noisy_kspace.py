import math

import numpy as np
import pytest

from echotrain.models.fourier import centred_fft
from echotrain.models.noise import whitening_matrix
from echotrain.models.simulation.noisy_kspace import noisy_kspace
from echotrain.models.simulation.random_coils import random_sensitivities
from echotrain.models.simulation.simulated_coils import coil_array, correlated_noise, noise_covariance

SHAPE = (64, 48)


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    image = np.zeros(SHAPE, np.complex64)
    image[20:44, 12:36] = rng.uniform(0.5, 1, (24, 24)) * np.exp(1j)
    return image, random_sensitivities(4, SHAPE, rng, distance=1.8, correlation=0.5)


def test_noise_is_white_over_coils_and_samples_with_variance_one(scene):
    coil_images, kspace = noisy_kspace(*scene, 30.0, np.random.default_rng(1))
    noise = kspace - centred_fft(coil_images, (-2, -1))
    covariance = np.cov(noise.reshape(4, -1))
    deviation = 1 / math.sqrt(noise[0].size)  # of an entry of the covariance
    np.testing.assert_allclose(covariance, np.eye(4), atol=5 * deviation)
    neighbours = np.mean(noise[:, :, 1:] * noise[:, :, :-1].conj())
    assert abs(neighbours) < 5 / math.sqrt(noise.size)
    assert abs(np.mean(noise**2)) < 5 / math.sqrt(noise.size)  # real and imaginary part: same variance, uncorrelated


def test_noise_of_the_arrays_own_covariance_is_white_after_prewhitening():
    array = coil_array(6, np.random.default_rng(2))
    covariance = noise_covariance(array, 0.6)
    noise = correlated_noise(covariance, (50, 400), np.random.default_rng(3))
    white = whitening_matrix(covariance) @ noise.transpose(1, 0, 2).reshape(6, -1)
    np.testing.assert_allclose(np.cov(white), np.eye(6), atol=5 / math.sqrt(50 * 400))


def test_the_mean_signal_of_the_body_is_the_snr(scene):
    coil_images, _ = noisy_kspace(*scene, 30.0, np.random.default_rng(1))
    magnitude = np.sqrt(np.sum(np.abs(coil_images) ** 2, axis=0))
    assert magnitude[np.abs(scene[0]) > 0].mean() == pytest.approx(30, rel=1e-5)


def test_without_noise_kspace_is_the_transform_of_the_coil_images(scene):
    coil_images, kspace = noisy_kspace(*scene, math.inf, np.random.default_rng(1))
    np.testing.assert_array_equal(kspace, centred_fft(coil_images, (-2, -1)))


def test_an_empty_image_gives_noise_alone(scene):
    coil_images, kspace = noisy_kspace(np.zeros_like(scene[0]), scene[1], 30.0, np.random.default_rng(1))
    assert not coil_images.any()
    assert np.isfinite(kspace).all()
