from dataclasses import replace

import pytest
import torch
from torch import nn

from echotrain.models.operators.sampling import SamplingMask
from echotrain.models.priors.gaussian import GaussianPrior
from echotrain.models.samplers.adadiff import AdaDiff
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise, item_noise

FAST = AdaDiff(steps=60, learning_rate=0.02)


class FilterNetwork(nn.Module):
    """A prior of one convolution, of images and of a constant; remembers what its copies were asked and answered."""

    sigmas = (0.01, 100.0)

    def __init__(self):
        super().__init__()
        self.filter = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        nn.init.zeros_(self.filter.weight)
        self.log = []

    def __deepcopy__(self, memo):
        other = FilterNetwork()
        other.load_state_dict(self.state_dict())
        other.log = self.log
        return other

    def denoise(self, x, sigma):
        planes = torch.stack((x.real, x.imag, torch.ones_like(x.real)), dim=1).float()
        added = self.filter(planes)
        image = x / (1 + sigma**2) + torch.complex(added[:, 0], added[:, 1])
        self.log.append((float(sigma), image.detach()))
        return image


@pytest.fixture
def bright():
    """Half of the pixels of two images around 1."""
    generator = torch.Generator().manual_seed(5)
    truth = 1 + 0.1 * batch_noise(generator)(torch.empty(2, 16, 16, dtype=torch.complex64))
    mask = torch.rand(16, 16, generator=generator) < 0.5
    return truth, InverseProblem(SamplingMask(mask), mask * truth, 0.02, (2, 16, 16))


def noise_of(*seeds):
    return item_noise([torch.Generator().manual_seed(seed) for seed in seeds])


def test_the_loss_falls_and_the_error_of_what_was_not_measured_with_it(bright):
    truth, problem = bright
    network = FilterNetwork()
    images = list(FAST(problem, network, noise_of(0, 1)))
    answers = [answer for _, answer in network.log[FAST.diffusion_steps :: 2]]  # of the first item
    losses = [float((problem.operator(answer) - problem.y[:1]).abs().mean()) for answer in answers]
    assert losses[-1] < 0.5 * losses[0]
    first, last = ((image - truth).norm() for image in (images[0], images[-1]))
    assert last < 0.95 * first


def test_weights_are_as_before_to_the_bit(bright):
    _, problem = bright
    network = FilterNetwork()
    before = network.filter.weight.clone()
    draw(FAST, problem, network, noise_of(0, 1))
    assert torch.equal(network.filter.weight, before)
    assert network.filter.weight.grad is None


def test_what_was_measured_is_kept(bright):
    _, problem = bright
    images = draw(replace(FAST, steps=2), problem, FilterNetwork(), noise_of(0, 1)).images
    torch.testing.assert_close(problem.operator(images), problem.y)


@pytest.mark.parametrize("steps", [5, 2])
def test_it_evaluates_the_prior_at_each_level_and_in_each_iteration(steps, bright):
    _, problem = bright
    sampler, network = AdaDiff(steps=steps), FilterNetwork()
    alone = replace(problem, y=problem.y[:1], shape=(1, 16, 16))
    assert draw(sampler, alone, network, noise_of(0)).steps == steps
    sigmas = [sigma for sigma, _ in network.log]
    assert len(sigmas) == sampler.evaluations
    assert sigmas == pytest.approx([10, 10 ** (2 / 3), 10 ** (1 / 3), *[1] * (1 + steps)])


def test_an_image_is_the_same_whatever_it_is_computed_together_with(bright):
    _, problem = bright
    together = draw(FAST, problem, FilterNetwork(), noise_of(0, 1)).images
    alone = draw(FAST, replace(problem, y=problem.y[1:], shape=(1, 16, 16)), FilterNetwork(), noise_of(1)).images
    torch.testing.assert_close(together[1:], alone, rtol=1e-5, atol=1e-5)


def test_images_of_several_coils_come_closer_to_what_was_measured(sense_case):
    case = sense_case(2)
    images = list(FAST(case.problem, FilterNetwork(), noise_of(0, 1)))
    assert (case.residuals(images[-1]) < 0.3).all()


def test_an_exact_prior_is_refused(bright):
    _, problem = bright
    with pytest.raises(TypeError, match="adapts them to the scan"):
        draw(FAST, problem, GaussianPrior(torch.zeros(256), torch.eye(256)), noise_of(0, 1))
