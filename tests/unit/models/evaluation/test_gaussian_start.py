import math

import pytest
import torch

from echotrain.models.evaluation.gaussian_start import LIMIT, distance_from_noise
from echotrain.models.samplers.noise import batch_noise


@pytest.mark.parametrize(("dtype", "power"), [(torch.float64, 0.5), (torch.complex128, 1.0)])
def test_gaussian_images_have_the_closed_form(dtype, power):
    """E exp(<x, x'> / sigma^2) of two of N(0, C) is the product of (1 - c^2 / sigma^4)^(-1/2), of each part."""
    eigenvalues = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=torch.float64)
    images = eigenvalues.sqrt() * batch_noise(torch.Generator().manual_seed(0))(torch.zeros(3000, 4, dtype=dtype))
    sigma = 4.0
    divergence = float((1 - (eigenvalues / sigma**2).square()).prod() ** -power) - 1
    assert distance_from_noise(images, sigma) == pytest.approx(math.sqrt(divergence) / 2, rel=0.05)


def test_images_that_are_all_alike_stand_out_by_their_norm():
    images = torch.full((5, 6, 4), 0.5j)
    norm = math.sqrt(6.0)
    assert distance_from_noise(images, 10.0) == pytest.approx(math.sqrt(math.expm1(norm**2 / 100)) / 2, rel=1e-5)
    exact = math.erf(norm / 10 / math.sqrt(8))  # of two normal distributions
    assert exact < distance_from_noise(images, 10.0) < 1.5 * exact


def test_enough_noise_passes_for_a_gaussian_and_little_does_not():
    """A ratio of standard deviations would pass both: the signal is in one spatial frequency."""
    phases = 2 * math.pi * torch.rand(400, 1, 1, generator=torch.Generator().manual_seed(0))
    images = torch.polar(torch.ones(400, 64, 64), phases.expand(400, 64, 64))
    assert distance_from_noise(images, 200.0) < LIMIT < distance_from_noise(images, 50.0)
    assert distance_from_noise(images, 2.0) == 1
