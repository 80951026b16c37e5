import pytest
import torch

from echotrain.models.classical.zero_filled import ZeroFilled, brightness


@pytest.mark.parametrize("grid", [(8, 9), (3, 4, 5)])
def test_what_is_fully_sampled_comes_back(make_measurements, grid):
    measurements, images = make_measurements(grid, batch=2, fraction=1)
    torch.testing.assert_close(ZeroFilled()(measurements), images)


def test_zero_filled_is_the_adjoint(make_measurements, dense):
    measurements, _ = make_measurements()
    expected = dense(measurements).mH @ measurements.kspace.flatten()
    torch.testing.assert_close(ZeroFilled()(measurements).flatten(), expected)


def test_brightness_is_the_root_mean_square_of_the_brighter_half():
    image = torch.zeros(3, 2, 4, 4, dtype=torch.complex64)
    image[0, 0] = 3 + 4j
    image[1, 1, :2] = -2j
    found = brightness(image)
    assert found.shape == (3, 1, 1, 1)
    torch.testing.assert_close(found.flatten(), torch.tensor([5.0, 2.0, 1.0]))
