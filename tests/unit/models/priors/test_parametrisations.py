import pytest
import torch

from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.priors.parametrisations import (
    VarianceExploding,
    VariancePreserving,
    abar_of,
    predicted,
    sigma_of,
)

SIGMAS = torch.tensor([0.01, 0.3, 2.0, 80.0], dtype=torch.float64)


@pytest.fixture(scope="module")
def prior():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, dtype=torch.float64, generator=generator)
    return GaussianPrior(torch.randn(6, dtype=torch.float64, generator=generator), root @ root.T)


@pytest.fixture(scope="module")
def noisy():
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(4, 2, 3, dtype=torch.complex128, generator=generator)
    return z * SIGMAS.reshape(4, 1, 1)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v", "score"])
def test_a_variance_preserving_network_is_the_prior_that_it_was_made_of(prior, noisy, prediction):
    def network(x_vp, abar):
        return predicted(prior, prediction, x_vp, abar)

    adapted = VariancePreserving(network=network, predicts=prediction, sigmas=(0.01, 80.0))
    close(adapted.denoise(noisy, SIGMAS), prior.denoise(noisy, SIGMAS))
    close(adapted.denoise(noisy, SIGMAS[1]), prior.denoise(noisy, SIGMAS[1]))


def test_variance_exploding_networks_are_the_prior_too(prior, noisy):
    denoised = prior.denoise(noisy, SIGMAS)
    sigma = SIGMAS.reshape(4, 1, 1)
    networks = {
        "epsilon": (noisy - denoised) / sigma,
        "x0": denoised,
        "score": (denoised - noisy) / sigma**2,
    }
    for predicts, output in networks.items():
        adapted = VarianceExploding(network=lambda *_, o=output: o, predicts=predicts, sigmas=(0.01, 80.0))
        close(adapted.denoise(noisy, SIGMAS), denoised)


def test_the_score_is_the_gradient_of_the_noisy_density(prior):
    """Of x_vp ~ N(sqrt(abar) mean, abar C + (1 - abar) I)."""
    abar = torch.tensor(0.3, dtype=torch.float64)
    x_vp = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    covariance = abar * prior.covariance + (1 - abar) * torch.eye(6)
    expected = -torch.linalg.solve(covariance, (x_vp - abar.sqrt() * prior.mean).T).T
    torch.testing.assert_close(predicted(prior, "score", x_vp, abar), expected)


def test_a_velocity_is_what_signal_and_noise_turn_by(prior):
    """Of an angle with cos = sqrt(abar): x0 = cos x_vp - sin v, epsilon = sin x_vp + cos v."""
    abar = torch.tensor(0.7, dtype=torch.float64)
    x_vp = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    v = predicted(prior, "v", x_vp, abar)
    cos, sin = abar.sqrt(), (1 - abar).sqrt()
    torch.testing.assert_close(predicted(prior, "x0", x_vp, abar), cos * x_vp - sin * v)
    torch.testing.assert_close(predicted(prior, "epsilon", x_vp, abar), sin * x_vp + cos * v)


def test_abar_and_sigma_are_inverse():
    torch.testing.assert_close(sigma_of(abar_of(SIGMAS)), SIGMAS)
    assert float(abar_of(torch.tensor(1.0))) == 0.5
