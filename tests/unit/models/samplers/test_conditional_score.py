import pytest
import torch

from echotrain.models.samplers.conditional_score import ConditionalScore
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.noise import batch_noise


@pytest.mark.parametrize("sampler", [ConditionalScore(steps=200, eta=0.0), ConditionalScore(steps=200)])
def test_samples_are_those_of_the_posterior(gaussian_case, sampler):
    case = gaussian_case(sigma=0.05, samples=2000)
    statistics = case.statistics(case.samples(sampler))
    assert statistics.bias < 0.1
    assert 0.9 < statistics.variance_null < 1.1
    assert 0.9 < statistics.variance_measured < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_samples_are_those_of_the_posterior_in_1000_steps(gaussian_case, sigma):
    case = gaussian_case(sigma=sigma, samples=4000)
    statistics = case.statistics(case.samples(ConditionalScore()))
    assert statistics.bias < 0.1
    assert 0.95 < statistics.variance_null < 1.05
    assert 0.95 < statistics.variance_measured < 1.05


def test_of_complex_images_each_has_its_own_posterior(sense_case):
    case = sense_case(3)
    drawn = draw(ConditionalScore(steps=50), case.problem, case.prior, batch_noise(torch.Generator().manual_seed(0)))
    assert drawn.images.shape == (3, 12, 12)
    assert (case.residuals(drawn.images) < 0.2).all()


def test_a_prior_without_known_posterior_is_refused(gaussian_case):
    case = gaussian_case(samples=1)
    with pytest.raises(TypeError, match="expected GaussianPrior"):
        next(ConditionalScore()(case.problem, object(), lambda like: like))
