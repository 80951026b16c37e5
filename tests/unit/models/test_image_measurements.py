import torch

from echotrain.models.image_measurements import image_measurements
from echotrain.models.noise_level import estimated_noise


def test_measurements_of_images_are_those_images_and_nothing_is_lost():
    images = torch.randn(2, 7, 10, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    measured = image_measurements(images, 1.5)
    torch.testing.assert_close(measured.zero_filled(), images)
    torch.testing.assert_close(measured.kspace.norm(), images.norm())
    assert measured.acceleration().tolist() == [1, 1]
    assert measured.noise == 1.5


def test_the_noise_of_images_can_be_estimated():
    noise = 3 * torch.randn(1, 64, 64, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    assert abs(estimated_noise(image_measurements(noise + 1000, None)) - 3) < 0.4
