import math

import pytest
import torch

from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.priors.parametrisations import VariancePreserving, predicted
from echotrain.models.samplers.ddim import Ddim
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise
from echotrain.models.samplers.schedules import noise_levels
from echotrain.models.samplers.tweedie import Tweedie


@pytest.fixture
def noisy():
    """Complex images of independent pixels of unit variance, with noise: problem, prior, and the true images."""
    noise = batch_noise(torch.Generator().manual_seed(0))
    truth = noise(torch.zeros(200, 8, 8, dtype=torch.complex128))
    transform = FourierOperator((-2, -1))
    kspace = transform(truth)
    problem = InverseProblem(transform, kspace + 0.8 * noise(kspace), 0.8, tuple(truth.shape))
    return problem, GaussianPrior(torch.zeros(64, dtype=torch.float64), torch.eye(64, dtype=torch.float64)), truth


def loss(problem, prior, truth, sampler):
    """Decibels below one step."""
    noise = batch_noise(torch.Generator().manual_seed(1))
    errors = [draw(s, problem, prior, noise).images - truth for s in (sampler, Tweedie())]
    squared = [float(error.abs().square().mean()) for error in errors]
    return 10 * math.log10(squared[0] / squared[1])


@pytest.mark.parametrize("schedule", ["ddpm", "linear", "constant", "uniform"])
def test_denoising_in_many_steps_loses_what_theory_says(noisy, schedule):
    gain = (1 / (1 + 0.8**2)) ** 0.5  # of the flow, where that of the best denoiser is its square
    expected = 10 * math.log10(2 * (1 - gain) / (0.8**2 / (1 + 0.8**2)))
    assert loss(*noisy, Ddim(steps=100, schedule=schedule)) == pytest.approx(expected, abs=0.05)
    stochastic = loss(*noisy, Ddim(steps=100, eta=1.0, schedule=schedule))
    assert 2.8 < stochastic < 10 * math.log10(2)


def test_one_step_is_tweedies(noisy):
    assert loss(*noisy, Ddim(steps=1)) == pytest.approx(0, abs=1e-6)


def test_the_mean_of_many_stochastic_denoisings_is_one_step(noisy):
    problem, prior, _ = noisy
    repeated = InverseProblem(problem.operator, problem.y[:1].expand(2000, 8, 8), 0.8, (2000, 8, 8))
    samples = draw(Ddim(steps=30, eta=1.0), repeated, prior, batch_noise(torch.Generator().manual_seed(0))).images
    one = prior.denoise(problem.operator.adjoint(problem.y[:1]), torch.tensor(0.8, dtype=torch.float64))
    deviation = (0.8**2 / (1 + 0.8**2) * 2) ** 0.5
    assert float((samples.mean(dim=0) - one).abs().max()) < 5 * deviation / 2000**0.5


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_from_noise_it_draws_from_the_prior(gaussian_case, eta):
    case = gaussian_case(samples=1500)
    samples = case.samples(Ddim(steps=200, eta=eta, schedule="edm", sigma_max=20.0))
    assert float(samples.mean(dim=0).abs().max()) < 5 * (1.3 / 1500) ** 0.5
    eigenvalues, axes = torch.linalg.eigh(case.prior.covariance)
    variances = (samples @ axes).var(dim=0) / eigenvalues
    assert 0.93 < float(variances.mean()) < 1.03


def test_a_network_of_epsilon_and_one_of_x0_give_the_same_image(noisy):
    problem, prior, _ = noisy
    samples = []
    for prediction in ("x0", "epsilon"):
        adapted = VariancePreserving(
            network=lambda x, abar, p=prediction: predicted(prior, p, x, abar), predicts=prediction, sigmas=(0, 1e3)
        )
        sampler = Ddim(steps=20, eta=0.5)
        samples.append(draw(sampler, problem, adapted, batch_noise(torch.Generator().manual_seed(0))).images)
    torch.testing.assert_close(*samples, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_is_that_of_the_paper(gaussian_case, eta):
    """Song et al., eq. 12 and 16, in the variance-preserving symbols of the paper."""
    case = gaussian_case(samples=2)
    z = torch.randn(3, 2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    draws = iter(z)
    *_, sample = Ddim(steps=2, eta=eta, sigma_max=3.0, sigma_min=0.5)(case.problem, case.prior, lambda _: next(draws))
    abar = [1 / (1 + s**2) for s in noise_levels("ddpm", 2, 3.0, 0.5).tolist()]
    x = abar[0] ** 0.5 * 3.0 * z[0]
    epsilon = predicted(case.prior, "epsilon", x, torch.tensor(abar[0], dtype=torch.float64))
    x0 = (x - (1 - abar[0]) ** 0.5 * epsilon) / abar[0] ** 0.5
    s = eta * ((1 - abar[1]) / (1 - abar[0])) ** 0.5 * (1 - abar[0] / abar[1]) ** 0.5
    x = abar[1] ** 0.5 * x0 + (1 - abar[1] - s**2) ** 0.5 * epsilon + s * z[1]
    torch.testing.assert_close(sample, predicted(case.prior, "x0", x, torch.tensor(abar[1], dtype=torch.float64)))


@pytest.mark.parametrize("sampler", [Ddim(steps=8, eta=1.0, sigma_max=10.0), Ddim(steps=8, sigma_min=0.005)])
def test_it_keeps_what_samplers_promise(check_sampler, sampler):
    check_sampler(sampler, residual=None)
