import numpy as np
import pytest

from echotrain.models.simulation.phantom_grid import (
    RandomField,
    fit_to_grid,
    pixel_centres,
    resize_centred,
    slice_points,
    smooth_phase,
)


@pytest.mark.parametrize("n", [8, 9])
def test_the_centre_pixel_is_where_the_centred_fft_has_it(n):
    centres = pixel_centres(n, 3.0)
    assert centres[n // 2] == 0
    np.testing.assert_allclose(np.diff(centres), 3.0 / n)


def test_a_random_field_is_the_same_function_on_every_grid_and_has_unit_variance():
    field = RandomField.draw(np.random.default_rng(0), 0.05)
    coarse, fine = field(slice_points((32, 32), z=0.1)), field(slice_points((64, 64), z=0.1))
    np.testing.assert_allclose(fine[::2, ::2], coarse, atol=1e-12)
    assert 0.7 < fine.std() < 1.4
    assert abs(fine.mean()) < 0.2


def test_a_random_field_is_smooth_and_differs_between_slices():
    field = RandomField.draw(np.random.default_rng(0), 0.2)
    image = field(slice_points((200, 200)))
    assert np.abs(np.diff(image, axis=1)).max() < 0.25
    assert not np.allclose(image, field(slice_points((200, 200), z=0.3)))


def test_the_phase_is_a_second_order_polynomial():
    coefficients = np.zeros(10)
    coefficients[1], coefficients[4] = 0.3, 0.2
    x, _, _ = points = slice_points((4, 16))
    phase = smooth_phase(points, coefficients)
    np.testing.assert_allclose(np.angle(phase), np.broadcast_to(0.3 * x + 0.2 * x**2, (4, 16)), atol=1e-12)


def test_resizing_keeps_the_centre():
    image = np.zeros((5, 8))
    image[2, 4] = 1
    for shape in ((4, 4), (9, 9), (6, 3), (5, 8)):
        resized = resize_centred(image, shape)
        assert resized.shape == shape
        assert resized[shape[0] // 2, shape[1] // 2] == 1


def test_a_fitted_image_keeps_values_and_proportions():
    y, x = np.mgrid[-48:48, -64:64] / 64
    image = np.exp(-((x / 0.25) ** 2 + (y / 0.2) ** 2))
    y, x = np.mgrid[-32:32, -32:32] / 32
    np.testing.assert_allclose(fit_to_grid(image, 64, 64), np.exp(-((x / 0.25) ** 2 + (y / 0.2) ** 2)), atol=1e-6)


def test_an_image_of_the_right_size_is_not_touched():
    image = np.random.default_rng(0).random((12, 10))
    np.testing.assert_array_equal(fit_to_grid(image, 12, 10), image)
