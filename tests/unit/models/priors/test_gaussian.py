import torch

from echotrain.models.priors.gaussian import GaussianMixturePrior, GaussianPrior


def gaussian(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(n, n, dtype=torch.float64, generator=generator)
    return GaussianPrior(torch.randn(n, dtype=torch.float64, generator=generator), root @ root.T)


def test_the_denoiser_is_the_wiener_filter():
    prior, sigma = gaussian(), torch.tensor(0.7, dtype=torch.float64)
    x = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    noisy = prior.covariance + sigma**2 * torch.eye(5)
    expected = prior.mean + (x - prior.mean) @ torch.linalg.solve(noisy, prior.covariance)
    torch.testing.assert_close(prior.denoise(x, sigma), expected)


def test_each_item_has_its_own_noise_level():
    prior = gaussian()
    x = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    sigmas = torch.tensor([0.1, 3.0], dtype=torch.float64)
    together = prior.denoise(x, sigmas)
    for item in range(2):
        torch.testing.assert_close(together[item], prior.denoise(x[item : item + 1], sigmas[item])[0])


def test_the_real_and_imaginary_part_of_a_complex_image_are_denoised_alike():
    prior = GaussianPrior(torch.zeros(4, dtype=torch.float64), gaussian(4).covariance)
    x = torch.randn(2, 2, 2, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor(0.5, dtype=torch.float64)
    denoised = prior.denoise(x, sigma)
    assert denoised.shape == x.shape
    torch.testing.assert_close(denoised.real, prior.denoise(x.real.contiguous(), sigma))
    torch.testing.assert_close(denoised.imag, prior.denoise(x.imag.contiguous(), sigma))


def test_the_posterior_of_a_direct_measurement_is_the_denoiser():
    prior = gaussian()
    y = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    posterior = prior.posterior(torch.eye(5, dtype=torch.float64), y, 0.4)
    torch.testing.assert_close(posterior.mean, prior.denoise(y[None], torch.tensor(0.4, dtype=torch.float64))[0])
    precision = torch.linalg.inv(prior.covariance) + torch.eye(5) / 0.4**2
    torch.testing.assert_close(posterior.covariance, torch.linalg.inv(precision))


def test_a_mixture_of_one_component_is_a_gaussian():
    mean = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    mixture = GaussianMixturePrior(mean[None], 0.3, torch.ones(1, dtype=torch.float64))
    single = GaussianPrior(mean, 0.09 * torch.eye(3, dtype=torch.float64))
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    sigma = torch.tensor(0.8, dtype=torch.float64)
    torch.testing.assert_close(mixture.denoise(x, sigma), single.denoise(x, sigma))


def test_a_mixtures_denoiser_is_the_gradient_of_its_density():
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.5]], dtype=torch.float64)
    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    prior, sigma = GaussianMixturePrior(means, 0.4, weights), torch.tensor(0.6, dtype=torch.float64)
    x = torch.tensor([[0.2, -0.1], [1.5, 2.0]], dtype=torch.float64, requires_grad=True)
    squares = (x[:, None] - means).square().sum(dim=-1)
    density = torch.logsumexp(weights.log() - squares / (2 * (0.4**2 + sigma**2)), dim=1)
    (score,) = torch.autograd.grad(density.sum(), x)
    torch.testing.assert_close((prior.denoise(x, sigma) - x) / sigma**2, score)
