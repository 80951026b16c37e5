import numpy as np
import pytest
import torch
from scipy.special import digamma

from echotrain.models.evaluation.image_statistics import BACKGROUND, BANDS, image_statistics
from echotrain.models.evaluation.prior_images import training_images, unconditional_samples
from echotrain.models.networks.network import image_scale
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.heun import Heun
from echotrain.models.simulation.acquisition_range import AcquisitionRange

SIDE = 16
RANGE = AcquisitionRange(crop=(32, 32), window=(0.6, 1.0), coils=(4, 4), acceleration=(1, 1), masks=("uniform",))
LIKE = torch.empty((), dtype=torch.complex64)


def stationary():
    """Return a prior of images with an uneven spectrum, mean 0, and its power at each frequency (of each part)."""
    k = torch.fft.fftfreq(SIDE, dtype=torch.float64)
    radius = torch.hypot(k[:, None], k[None, :])
    power = torch.exp(-12 * radius)
    transform = torch.fft.fft2(torch.eye(SIDE**2, dtype=torch.float64).reshape(-1, SIDE, SIDE), norm="ortho").flatten(1)
    covariance = (transform.conj() * power.flatten()) @ transform.T
    return GaussianPrior(torch.zeros(SIDE**2), covariance.real.float()), radius, power


def test_samples_of_a_gaussian_have_the_statistics_of_its_closed_form():
    prior, radius, power = stationary()
    count = 150
    sampler = Heun(
        steps=60, iterations=0, sigma_max=80.0, sigma_min=0.005, hot=False, churn=0.0
    )  # 36 steps spread 1 % too far
    samples = unconditional_samples(prior, sampler, (SIDE, SIDE), seeds=range(count), like=LIKE)
    found = image_statistics(samples)
    spread = float(power.mean()) ** 0.5  # of a pixel, each part
    expected = {
        "part": spread,  # but for the root of a mean: that of its mean is less by a thousandth
        "mean": spread * np.sqrt(np.pi / 2),  # Rayleigh
        "background": 1 - np.exp(-(BACKGROUND**2) / (2 * spread**2)),
    }
    edges = (-1.0, *BANDS)
    bands = [(radius > inner) & (radius <= outer) for inner, outer in zip(edges, BANDS, strict=False)]
    # the mean power of n coefficients is a gamma variable: mean of its logarithm
    low, middle, high = (float(power[b].mean().log()) + digamma(int(b.sum())) - np.log(int(b.sum())) for b in bands)
    expected |= {name: 10 / np.log(10) * (log - low) for name, log in (("middle", middle), ("high", high))}
    for name, value in expected.items():
        values = getattr(found, name)
        error = values.std() / count**0.5
        assert values.mean() == pytest.approx(value, abs=3 * error + 0.005 * abs(value)), name
        assert error < 0.03 * abs(value), name


def test_a_sample_is_a_function_of_its_seed():
    prior, *_ = stationary()
    sampler = Heun(steps=3, iterations=0, hot=False, churn=0.0)
    both = unconditional_samples(prior, sampler, (SIDE, SIDE), seeds=[5, 6], like=LIKE)
    alone = unconditional_samples(prior, sampler, (SIDE, SIDE), seeds=[6], like=LIKE)
    torch.testing.assert_close(both[1:], alone, rtol=1e-5, atol=1e-5)
    assert both.dtype == torch.complex64


def test_data_are_views_of_the_images_in_the_unit_of_priors_give_or_take_some_per_cent(heads):
    images = training_images(heads, RANGE, side=40, count=40, seed=0)
    assert images.shape == (40, 40, 40)
    assert images.dtype == torch.complex64
    intensity = image_scale(images).flatten().log()
    assert float(intensity.mean()) == pytest.approx(0, abs=0.04)
    assert float(intensity.std()) == pytest.approx(0.1, rel=0.3)
    assert float(image_statistics(images).phase_gradient.min()) > 0.005  # random phase
    torch.testing.assert_close(training_images(heads, RANGE, side=40, count=40, seed=0), images, rtol=0, atol=0)
    assert not torch.allclose(training_images(heads, RANGE, side=40, count=40, seed=1), images)
