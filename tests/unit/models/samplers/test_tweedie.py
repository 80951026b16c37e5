import torch

from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise
from echotrain.models.samplers.tweedie import Tweedie


def test_one_step_attains_the_minimal_mean_squared_error_on_a_gaussian():
    generator = torch.Generator().manual_seed(0)
    variances = torch.linspace(0.1, 2, 64, dtype=torch.float64)
    prior, sigma = GaussianPrior(torch.zeros(64, dtype=torch.float64), variances.diag()), 0.8
    noise = batch_noise(generator)
    truth = noise(torch.zeros(2000, 8, 8, dtype=torch.complex128)) * variances.sqrt().reshape(8, 8)
    transform = FourierOperator((-2, -1))
    y = transform(truth)
    problem = InverseProblem(transform, y + sigma * noise(y), sigma, tuple(truth.shape))
    error = draw(Tweedie(), problem, prior, noise).images - truth
    expected = 2 * (variances * sigma**2 / (variances + sigma**2)).mean()  # of two parts
    assert abs(float(error.abs().square().mean() / expected) - 1) < 0.01
