import numpy as np
import pytest

from echotrain.models.flags.image_features import (
    BLOB,
    blobs,
    peak_over_median,
    root_mean_square,
    roughness,
    smoothed,
)

ALL = np.ones((128, 128), bool)


def test_the_matched_filter_keeps_white_noise_and_sums_up_a_blob(noise):
    assert np.sqrt(np.mean(smoothed(noise(128, 128)) ** 2)) == pytest.approx(1, rel=0.05)
    y, x = np.ogrid[-64:64, -64:64]
    blob = np.exp(-(y**2 + x**2) / (2 * BLOB**2)).astype(np.complex64)
    # a matched filter's peak over the noise is the root of the sum of squares: sqrt(pi) sigma
    assert smoothed(blob).max() == pytest.approx(np.sqrt(np.pi) * BLOB, rel=0.02)


def test_the_roughness_of_noise_is_its_standard_deviation_and_that_of_a_ramp_zero(noise):
    assert roughness(3 * noise(128, 128), ALL) == pytest.approx(3, rel=0.03)
    ramp = (np.arange(128)[:, None] + 2 * np.arange(128)).astype(np.complex64)
    assert roughness(ramp, ALL) == 0


def test_means_and_peaks_are_those_of_the_body():
    image = np.ones((8, 8), np.float32)
    image[0, 0], image[1, 1] = 100, 5
    body = np.zeros((8, 8), bool)
    body[1:4, 1:4] = True
    assert peak_over_median(image, body) == 5
    assert root_mean_square(image.astype(np.complex64), body) == pytest.approx(np.sqrt((8 + 25) / 9))


def test_an_empty_body_and_an_empty_map_give_zero():
    nothing = np.zeros((4, 4), np.complex64)
    assert root_mean_square(nothing, nothing.real > 0) == roughness(nothing, nothing.real > 0) == 0
    assert peak_over_median(nothing.real, nothing.real == 0) == 0


def test_blobs_are_connected_regions_the_strongest_first():
    values = np.zeros((10, 10), np.float32)
    values[1, 1] = values[2, 2] = 4  # connected by a corner
    values[7, 8] = 9
    assert blobs(values, 3) == ((7, 8, 1, 9.0), (1, 1, 2, 4.0))
    assert blobs(values, 9) == ()
