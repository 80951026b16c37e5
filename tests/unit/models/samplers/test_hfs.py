from dataclasses import replace

import pytest
import torch

from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.operators.sampling import SamplingMask
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.hfs import HighFrequencySpace
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise

N, FOURIER = 32, FourierOperator((-1,))


@pytest.fixture(scope="module")
def line():
    """Complex lines of 32 samples, 6 about k = 0 and 6 others measured: prior, problem of 600, what is measured."""
    generator = torch.Generator().manual_seed(7)
    noise = batch_noise(generator)
    basis, _ = torch.linalg.qr(torch.randn(N, N, generator=generator, dtype=torch.float64))
    covariance = ((basis * torch.linspace(1.3, 0.7, N, dtype=torch.float64)) @ basis.T).to(torch.complex128)
    calibration = torch.zeros(N, dtype=torch.bool)
    calibration[13:19] = True
    mask = calibration.clone()
    mask[[2, 6, 9, 22, 25, 30]] = True
    truth = noise(torch.zeros(1, N, dtype=torch.complex128)) @ torch.linalg.cholesky(covariance).T
    y = mask * (FOURIER(truth) + 0.05 * noise(truth))
    problem = InverseProblem(SamplingMask(mask) @ FOURIER, y.expand(600, N), 0.05, (600, N), calibration=calibration)
    return GaussianPrior(torch.zeros(N, dtype=torch.complex128), covariance), problem, mask


def seeded():
    return batch_noise(torch.Generator().manual_seed(0))


def test_samples_are_those_of_the_posterior_where_nothing_was_measured(line):
    prior, problem, mask = line
    rows = FOURIER(torch.eye(N, dtype=torch.complex128)).T
    mean, covariance = prior.posterior(rows[mask], problem.y[0, mask], problem.sigma)
    samples = draw(HighFrequencySpace(steps=50), problem, prior, seeded()).images
    bias = (samples.mean(dim=0) - mean).abs() / (2 * covariance.diagonal().real).sqrt()
    assert float(bias.square().mean().sqrt()) < 0.1
    null = rows[~mask]
    variance = (samples @ null.T).var(dim=0) / 2
    assert 0.9 < float((variance / (null @ covariance @ null.mH).diagonal().real).mean()) < 1.1


def test_calibration_lines_are_constant_at_all_levels(line):
    prior, problem, _ = line
    few = replace(problem, y=problem.y[:2], shape=(2, N))
    for image in HighFrequencySpace(steps=5)(few, prior, seeded()):
        lines = FOURIER(image)[:, problem.calibration]
        torch.testing.assert_close(lines, few.y[:, problem.calibration], rtol=0, atol=1e-12)


def test_at_full_weight_one_coil_has_no_residual(line):
    prior, problem, mask = line
    few = replace(problem, y=problem.y[:2], shape=(2, N))
    *_, image = HighFrequencySpace(steps=5)(few, prior, seeded())
    torch.testing.assert_close(FOURIER(image) * mask, few.y)


def test_where_everything_is_calibration_it_is_returned(line):
    prior, problem, _ = line
    full = replace(
        problem,
        operator=FOURIER,
        y=torch.randn(2, N, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)),
        shape=(2, N),
        calibration=torch.ones(N, dtype=torch.bool),
    )
    *_, image = HighFrequencySpace(steps=3)(full, prior, seeded())
    torch.testing.assert_close(image, FOURIER.adjoint(full.y))


def test_without_a_calibration_region_it_says_so(line):
    prior, problem, _ = line
    with pytest.raises(ValueError, match="no calibration region"):
        next(HighFrequencySpace()(replace(problem, calibration=None), prior, seeded()))


def test_it_keeps_what_samplers_promise(check_sampler):
    check_sampler(HighFrequencySpace(steps=60), residual=0.2)
