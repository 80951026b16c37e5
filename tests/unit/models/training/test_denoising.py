"""What diffusion priors are trained on, against untrained ones, whose error is known."""

import math

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.networks.build import build
from echotrain.models.networks.network import image_scale
from echotrain.models.simulation.simulated_slices import TrainingBatch
from echotrain.models.training.denoising import denoising, log_normal, log_uniform

SIGMA_DATA = 0.5


def prior(**options):
    return build("diffusion_prior", {"channels": [4], "blocks": 1, "sigma_data": SIGMA_DATA, **options})


def batch_of(size=4, side=64, scale=100.0):
    generator = torch.Generator().manual_seed(0)
    target = scale * torch.randn(size, side, side, dtype=torch.complex64, generator=generator)
    kspace = target[:, None]
    mask = torch.ones(size, 1, side, 1, dtype=torch.bool)
    return TrainingBatch(Measurements(kspace, mask, torch.ones_like(kspace), 1.0), target)


@pytest.mark.parametrize("sigma", [0.02, 0.5, 10.0])
def test_the_loss_of_an_untrained_prior_is_the_weighted_error_of_its_wiener_filter(sigma):
    batch, network = batch_of(), prior()
    loss = denoising(lambda _, size, __: torch.full((size,), sigma))(network, batch, torch.Generator().manual_seed(1))
    # the intensity of an image is the exponential of N(0, .1): its square is exp(2 * .1^2) on average, but here of 4
    generator = torch.Generator().manual_seed(1)
    intensity = (0.1 * torch.randn(4, 1, 1, generator=generator)).exp()
    power = torch.view_as_real(intensity * batch.target / image_scale(batch.target)).square().mean()
    gain = SIGMA_DATA**2 / (SIGMA_DATA**2 + sigma**2)
    error = (1 - gain) ** 2 * power + gain**2 * sigma**2
    expected = error * (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
    assert float(loss.detach()) == pytest.approx(float(expected), rel=0.02)


def test_the_loss_does_not_depend_on_the_unit_of_the_images():
    network = prior()
    losses = [
        float(denoising(log_normal)(network, batch_of(scale=scale), torch.Generator().manual_seed(0)).detach())
        for scale in (1.0, 1e4)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_levels_drawn_as_for_edm_have_their_median_and_stay_in_range():
    levels = log_normal(prior(sigma_min=0.01, sigma_max=5.0), 20_000, torch.Generator().manual_seed(0))
    assert float(levels.median()) == pytest.approx(math.exp(-1.6), rel=0.03)
    assert float(levels.min()) == pytest.approx(0.01)
    assert float(levels.max()) == pytest.approx(5.0)


def test_levels_drawn_as_for_the_sde_are_uniform_in_their_logarithm():
    levels = log_uniform(prior(sigma_min=0.01, sigma_max=128.0), 20_000, torch.Generator().manual_seed(0))
    share = (levels.log() - math.log(0.01)) / math.log(128 / 0.01)
    torch.testing.assert_close(
        torch.quantile(share, torch.tensor([0.1, 0.5, 0.9])), torch.tensor([0.1, 0.5, 0.9]), rtol=0, atol=0.015
    )


def test_another_network_is_refused():
    network = build("unet", {"channels": 2, "pools": 1})
    with pytest.raises(TypeError, match="got UNet to train by denoising, expected DiffusionPrior"):
        denoising(log_normal)(network, batch_of(1, 8), torch.Generator())
