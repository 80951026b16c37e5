import numpy as np
import pytest
import torch

from echotrain.models.evaluation.denoising_error import LEVELS, denoising_errors
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.noise import batch_noise


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_an_exact_prior_errs_as_much_as_the_wiener_filter(dtype):
    """Its error is sigma^2 c / (c + sigma^2) along each principal axis."""
    eigenvalues = torch.linspace(0.01, 0.3, 30, dtype=torch.float64)
    prior = GaussianPrior(torch.zeros(30, dtype=torch.float64), eigenvalues.diag())
    zeros = torch.zeros(600, 30, dtype=dtype)
    images = eigenvalues.sqrt() * batch_noise(torch.Generator().manual_seed(1))(zeros)
    found = denoising_errors(prior, images)
    assert list(found) == list(LEVELS)
    for sigma, errors in found.items():
        expected = (eigenvalues / (eigenvalues + sigma**2)).mean().sqrt()
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(float(expected), rel=0.02)


def test_what_denoises_nothing_has_an_error_of_sigma():
    class Identity:
        sigmas = (0.0, 1.0)

        def denoise(self, x, sigma):
            return x

    found = denoising_errors(Identity(), torch.zeros(5, 50, 50, dtype=torch.complex64), levels=(0.3,))
    assert found[0.3] == pytest.approx(np.ones(5), rel=0.03)
