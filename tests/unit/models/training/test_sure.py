"""Stein's unbiased risk estimate, against linear denoisers, whose divergence and risk are known."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.networks.build import build
from echotrain.models.simulation.simulated_slices import TrainingBatch
from echotrain.models.training.sure import monte_carlo_sure, rademacher, sure


def complex_normal(generator, *shape):
    return torch.randn(*shape, dtype=torch.complex64, generator=generator)


def divergence_of(risk, noisy, denoised, sigma):
    """Solve the risk for the divergence, the sum over real and imaginary parts."""
    pixels = noisy[0].numel()
    residual = (denoised - noisy).abs().square().mean(dim=(1, 2))
    return (risk - residual + sigma.flatten() ** 2) * pixels / sigma.flatten() ** 2


def test_the_divergence_of_a_diagonal_map_is_its_trace_whatever_the_probe():
    generator = torch.Generator().manual_seed(0)
    gains = torch.randn(8, 9, generator=generator)
    noisy = complex_normal(generator, 2, 8, 9)
    sigma = torch.tensor([0.5, 2.0])[:, None, None]
    for seed in range(3):
        risk = monte_carlo_sure(lambda y: gains * y, noisy, sigma, torch.Generator().manual_seed(seed))
        divergence = divergence_of(risk, noisy, gains * noisy, sigma)
        torch.testing.assert_close(divergence, (2 * gains.sum()).expand(2), rtol=1e-3, atol=1e-3)


def test_the_divergence_of_a_linear_map_is_its_trace_on_average():
    generator = torch.Generator().manual_seed(0)
    matrix = complex_normal(generator, 12, 12) / 12**0.5 + torch.eye(12)
    noisy = complex_normal(generator, 1, 3, 4).expand(4000, 3, 4).contiguous()
    sigma = torch.ones(4000, 1, 1)

    def denoise(y):
        return (y.flatten(1) @ matrix.T).view(y.shape)

    divergence = divergence_of(monte_carlo_sure(denoise, noisy, sigma, generator), noisy, denoise(noisy), sigma)
    trace = 2 * matrix.trace().real  # of the map of 24 real numbers
    standard_error = divergence.std() / len(divergence) ** 0.5
    assert abs(divergence.mean() - trace) < 3 * standard_error < 0.05 * trace


def test_the_estimate_is_the_mean_squared_error_on_average():
    generator = torch.Generator().manual_seed(0)
    clean = complex_normal(generator, 2000, 6, 6)
    sigma = torch.full((2000, 1, 1), 0.7)
    noisy = clean + sigma * complex_normal(generator, *clean.shape)

    def denoise(y):  # not linear
        return y * torch.sigmoid(y.abs().square() - 0.5)

    difference = monte_carlo_sure(denoise, noisy, sigma, generator) - (denoise(noisy) - clean).abs().square().mean(
        dim=(1, 2)
    )
    assert abs(difference.mean()) < 3 * difference.std() / 2000**0.5 < 0.02


def test_trained_on_gaussian_signals_a_linear_denoiser_approaches_the_wiener_filter():
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.logspace(1, -2, 8).outer(torch.logspace(1, -2, 8)).sqrt()
    clean = torch.fft.ifft2(spectrum.sqrt() * complex_normal(generator, 3000, 8, 8), norm="ortho")
    sigma = torch.full((3000, 1, 1), 0.5)
    noisy = clean + sigma * complex_normal(generator, 3000, 8, 8)
    gains = torch.full((8, 8), 0.5, requires_grad=True)
    optimiser = torch.optim.LBFGS([gains], max_iter=40, line_search_fn="strong_wolfe")

    def risk():
        def denoise(y):
            return torch.fft.ifft2(gains * torch.fft.fft2(y, norm="ortho"), norm="ortho")

        optimiser.zero_grad()
        total = monte_carlo_sure(denoise, noisy, sigma, torch.Generator().manual_seed(0)).mean()
        total.backward()
        return total

    optimiser.step(risk)
    wiener = spectrum / (spectrum + 0.25)
    assert wiener.min() < 0.1
    assert wiener.max() > 0.9
    assert (gains - wiener).abs().max() < 0.05


def test_pixels_without_noise_do_not_count():
    generator = torch.Generator().manual_seed(0)
    noisy = complex_normal(generator, 1, 8, 8)
    sigma = torch.ones(1, 1, 1)
    wide = torch.nn.functional.pad(noisy, (4, 4, 4, 4))
    for image in (noisy, wide):
        risk = monte_carlo_sure(lambda y: 0.5 * y, image, sigma, generator)
        # |f(y) - y|^2 - sigma^2 + sigma^2 (2 parts) gain
        torch.testing.assert_close(risk, noisy.abs().square().mean()[None] / 4, rtol=1e-4, atol=1e-4)


def test_probes_are_plus_or_minus_one_in_either_part():
    probe = torch.view_as_real(rademacher(torch.empty(40, 50, dtype=torch.complex64), torch.Generator().manual_seed(0)))
    assert set(probe.unique().tolist()) == {-1.0, 1.0}
    assert probe.mean(dim=(0, 1)).abs().max() < 0.1
    assert abs(probe.prod(dim=-1).mean()) < 0.1


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    maps = complex_normal(generator, 2, 4, 16, 16)
    maps = maps / maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    mask = torch.ones(2, 1, 16, 1, dtype=torch.bool)
    clean = 10 * torch.outer(torch.hann_window(16), torch.hann_window(16)).to(torch.complex64).expand(2, 16, 16)
    kspace = Measurements(maps, mask, maps).operator()(clean) + complex_normal(generator, 2, 4, 16, 16)
    return TrainingBatch(Measurements(kspace, mask, maps, noise=1.0), clean)


def test_training_a_network_by_it_lowers_the_error_that_it_does_not_see(batch):
    torch.manual_seed(0)
    network = build("sure_denoiser", {"channels": 8, "pools": 2})
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)

    def error():
        with torch.no_grad():
            return float((network(batch.measurements) - batch.target).abs().square().mean())

    before = error()
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        optimiser.zero_grad()
        sure(network, batch, generator).backward()
        optimiser.step()
    assert before == pytest.approx(1, rel=0.1)  # the noise
    assert error() < 0.8 * before


def test_what_it_cannot_judge_is_refused(batch):
    generator = torch.Generator()
    network = build("sure_denoiser", {"channels": 4, "pools": 1})
    measurements = batch.measurements

    def refused(message, **changes):
        with pytest.raises(ValueError, match=message):
            sure(network, replace(batch, measurements=replace(measurements, **changes)), generator)

    mask = measurements.mask.clone()
    mask[:, :, 0] = False
    refused("undersampled", mask=mask)
    refused("no noise level", noise=None)
    refused("without noise", noise=0.0)
    with pytest.raises(TypeError, match="got UNet to train by SURE"):
        sure(build("unet", {"channels": 4, "pools": 1}), batch, generator)
