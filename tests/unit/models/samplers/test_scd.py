from dataclasses import replace

import pytest
import torch
from torch import nn

from echotrain.models.networks.diffusion_prior import DiffusionPrior
from echotrain.models.operators.sampling import SamplingMask
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.dds import Dds
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise, item_noise
from echotrain.models.samplers.scd import Scd


class NormalNetwork(nn.Module):
    """The prior N(mean, deviation^2 I), exact, in one convolution."""

    sigmas = (0.0, float("inf"))

    def __init__(self, mean, deviation):
        super().__init__()
        self.deviation = deviation
        self.filter = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        nn.init.zeros_(self.filter.weight)
        with torch.no_grad():
            self.filter.weight[0, 2, 1, 1] = mean

    def denoise(self, x, sigma):
        total = (sigma**2 + self.deviation**2).sqrt()
        trust = (sigma / (total * self.deviation)).expand(x.shape)
        drawn = self.filter(torch.stack((x.real / total, x.imag / total, trust), dim=1).float())
        drawn = torch.complex(drawn[:, 0], drawn[:, 1])
        return (self.deviation / total) ** 2 * x + sigma * self.deviation / total * drawn


class Counting(NormalNetwork):
    calls = []  # noqa: RUF012  (of all copies)

    def denoise(self, x, sigma):
        self.calls.append(float(sigma))
        return super().denoise(x, sigma)


@pytest.fixture
def bright():
    """Two fifths of the pixels of images N(1, .2^2), twice."""
    generator = torch.Generator().manual_seed(5)
    truth = 1 + 0.2 * batch_noise(generator)(torch.empty(2, 16, 16, dtype=torch.complex64))
    mask = torch.rand(16, 16, generator=generator) < 0.4
    noisy = truth + 0.02 * batch_noise(generator)(truth)
    return truth, InverseProblem(SamplingMask(mask), mask * noisy, 0.02, (2, 16, 16))


def noise_of(*seeds):
    return item_noise([torch.Generator().manual_seed(seed) for seed in seeds])


def error(images, truth):
    return float((images - truth).norm() / truth.norm())


ONE_LAYER = Scd(learning_rate=0.01, eta=0.0, sigma_max=10.0)
"""Faster than published: there is one layer to learn, where networks have dozens."""


def test_a_prior_of_other_images_comes_closer_to_those_that_were_measured(bright):
    truth, problem = bright
    wrong = NormalNetwork(-1, 0.2)
    still, adapted = (
        draw(sampler, problem, wrong, noise_of(0, 1)).images for sampler in (Dds(eta=0.0, sigma_max=10.0), ONE_LAYER)
    )
    assert error(still, truth) > 1.2  # what was not measured is drawn around -1
    assert error(adapted, truth) < 0.6


def test_a_prior_of_such_images_stays_as_good(bright):
    truth, problem = bright
    right = NormalNetwork(1, 0.2)
    still, adapted = (
        draw(sampler, problem, right, noise_of(0, 1)).images for sampler in (Dds(eta=0.0, sigma_max=10.0), ONE_LAYER)
    )
    assert error(adapted, truth) < 1.15 * error(still, truth)  # two draws: their errors differ by some per cent


def test_without_adaptation_it_is_dds(bright):
    _, problem = bright
    prior = DiffusionPrior(channels=(8, 12), blocks=1, embedding=8)

    still, adapted = (draw(sampler, problem, prior, torch.ones_like).images for sampler in (Dds(), Scd(adaptations=0)))
    assert torch.equal(adapted, still)


def test_the_network_is_left_unchanged_to_the_bit(bright):
    _, problem = bright
    prior = NormalNetwork(-1, 0.2)
    before = prior.filter.weight.clone()
    draw(ONE_LAYER, problem, prior, noise_of(0, 1))
    assert torch.equal(prior.filter.weight, before)
    assert prior.filter.weight.grad is None


@pytest.mark.parametrize(("steps", "adapted"), [(11, 3), (10, 2), (3, 1)])
def test_it_evaluates_the_prior_once_a_step_and_in_each_adaptation(steps, adapted, bright):
    _, problem = bright
    prior, sampler = Counting(0, 1.0), Scd(steps=steps, adaptations=4, sigma_max=10.0)
    prior.calls.clear()
    drawn = draw(sampler, problem, prior, noise_of(0, 1))
    assert drawn.steps == steps
    assert len(prior.calls) == sampler.evaluations == steps + 4 * adapted
    assert (prior.calls[0], prior.calls[-1]) == pytest.approx((10, 0.01))


def test_an_image_is_the_same_whatever_it_is_computed_together_with(bright):
    _, problem = bright
    prior = NormalNetwork(-1, 0.2)
    together = draw(ONE_LAYER, problem, prior, noise_of(0, 1)).images
    alone = draw(ONE_LAYER, replace(problem, y=problem.y[1:], shape=(1, 16, 16)), prior, noise_of(1)).images
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-4)


def test_images_of_several_coils_agree_with_what_was_measured(sense_case):
    case = sense_case(2)
    drawn = draw(replace(ONE_LAYER, every=10), case.problem, NormalNetwork(0, 0.5), noise_of(0, 1)).images
    assert (case.residuals(drawn) < 0.3).all()


def test_an_exact_prior_is_refused(bright):
    _, problem = bright
    with pytest.raises(TypeError, match="adapts them to the scan"):
        draw(Scd(), problem, GaussianPrior(torch.zeros(256), torch.eye(256)), noise_of(0, 1))
