import math

import pytest
import torch

from echotrain.models.evaluation.image_statistics import image_statistics, magnitude_distance

N = 40


def ramp(a, b):
    y, x = torch.meshgrid(torch.arange(N), torch.arange(N), indexing="ij")
    return torch.polar(torch.ones(N, N), (a * y + b * x).float())


def test_a_ramp_has_its_slope_and_the_background_has_no_phase():
    image = ramp(0.3, -0.4)
    image[:, : N // 4] = 0.05 * torch.polar(torch.ones(N, N // 4), 3 * torch.randn(N, N // 4))
    found = image_statistics(torch.stack((image, ramp(2.0, 0.0), 0.01 * ramp(1.0, 0.0))))
    assert found.phase_gradient.tolist() == pytest.approx([0.5, 2.0, 0.0], rel=1e-4)
    assert found.background.tolist() == [0.25, 0, 1]


def test_magnitudes_have_their_mean_and_deviation():
    image = torch.full((1, N, N), 0.2 + 0j)
    image[:, ::2] = 0.8j
    found = image_statistics(image)
    assert found.mean[0] == pytest.approx(0.5)
    assert found.deviation[0] == pytest.approx(0.3)
    assert found.part[0] == pytest.approx(math.sqrt((0.2**2 + 0.8**2) / 4))


def test_the_spectrum_is_that_of_waves_put_in():
    """One wave in each band, over the number of coefficients of the band: both counted by hand from the grid."""
    waves = ((2, 0, 1.0), (4, 8, 0.1), (0, 16, 0.01))  # |k| = .05, .22, .4 cycles a pixel
    image = sum(a * ramp(2 * math.pi * ky / N, 2 * math.pi * kx / N) for ky, kx, a in waves)[None]
    radii = [math.hypot((y - N // 2) / N, (x - N // 2) / N) for y in range(N) for x in range(N)]
    low, middle, high = (sum(a < r <= b for r in radii) for a, b in ((-1, 0.1), (0.1, 0.25), (0.25, 0.5)))
    found = image_statistics(image)
    assert found.middle[0] == pytest.approx(-20 - 10 * math.log10(middle / low), abs=0.01)
    assert found.high[0] == pytest.approx(-40 - 10 * math.log10(high / low), abs=0.01)


def test_the_distance_of_magnitudes_is_how_far_they_are_shifted():
    generator = torch.Generator().manual_seed(0)
    magnitude = torch.rand(3, N, N, generator=generator) + 0.5
    phase = torch.randn(3, N, N, generator=generator)
    images = torch.polar(magnitude, phase)
    assert magnitude_distance(images, images) == 0
    assert magnitude_distance(images, torch.polar(magnitude + 0.2, -phase)) == pytest.approx(0.2, rel=1e-5)
    assert magnitude_distance(images, -1.5 * images) == pytest.approx(0.5 * float(magnitude.mean()), rel=1e-3)
