"""The denoiser that needs no clean images."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.networks.build import build
from echotrain.models.networks.sure_denoiser import zero_filled_noise


def test_an_untrained_denoiser_returns_the_zero_filled_image(make_measurements):
    measurements = make_measurements()
    image = build("sure_denoiser", {"channels": 4, "pools": 2})(measurements)
    torch.testing.assert_close(image, measurements.zero_filled())


def test_an_unknown_noise_level_is_told(make_network, make_measurements):
    with pytest.raises(ValueError, match=r"no noise level.*prewhiten"):
        make_network("sure_denoiser")(replace(make_measurements(), noise=None))


@pytest.mark.parametrize("lines", [64, 16])
def test_the_noise_level_is_that_of_the_zero_filled_image(lines):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 4, 64, 64, dtype=torch.complex64, generator=generator)
    maps = maps / maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    mask = torch.zeros(1, 1, 64, 1, dtype=torch.bool)
    mask[:, :, torch.randperm(64, generator=generator)[:lines]] = True
    kspace = 3 * torch.randn(1, 4, 64, 64, dtype=torch.complex64, generator=generator) * mask
    measurements = Measurements(kspace, mask, maps, noise=3.0)
    measured = measurements.zero_filled().abs().square().mean().sqrt()
    assert float(zero_filled_noise(measurements)) == pytest.approx(float(measured), rel=0.05)


def test_it_goes_by_the_noise_level(make_network, make_measurements):
    network = make_network("sure_denoiser")
    measurements = make_measurements()
    quiet, loud = (network(replace(measurements, noise=noise)) for noise in (0.01, 1.0))
    assert (quiet - loud).norm() > 0.01 * quiet.norm()


def test_nothing_is_made_of_a_noise_level_without_signal(make_network, make_measurements):
    nothing = replace(make_measurements(scale=0.0), noise=1.0)
    assert not make_network("sure_denoiser")(nothing).any()
