"""What all samplers promise, whichever a chain names."""

from concurrent.futures import CancelledError

import pytest
import torch
from torch import nn

from echotrain.models.operators.sense import SenseOperator
from echotrain.models.samplers.build import DIFFERENTIATING, SAMPLERS
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import item_noise

SIZE = (184, 188)
"""Of images whose sums are long enough for threads to share them."""


class White(nn.Module):
    """The prior N(0, 1), exact until its one layer, which begins at nothing, is adapted."""

    sigmas = (0.0, float("inf"))

    def __init__(self):
        super().__init__()
        self.filter = nn.Conv2d(2, 2, 1, bias=False)
        nn.init.zeros_(self.filter.weight)
        self.requires_grad_(False)

    def denoise(self, x, sigma):
        added = self.filter(torch.stack((x.real, x.imag), dim=1))
        return x / (1 + sigma**2) + torch.complex(added[:, 0], added[:, 1])


class Timed(White):
    """Takes a second for every evaluation; more with a gradient in the image, and yet more with one in weights."""

    now = [0.0]  # noqa: RUF012  (of all copies)

    def denoise(self, x, sigma):
        self.now[0] += (2 if x.requires_grad else 3.5) if torch.is_grad_enabled() else 1
        return super().denoise(x, sigma)


@pytest.fixture(scope="module")
def problem():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2, *SIZE, dtype=torch.complex64, generator=generator)
    maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    lines = torch.arange(SIZE[0])
    calibration = ((lines - SIZE[0] // 2).abs() < 6)[:, None]
    mask = (calibration | (lines % 2 == 0)[:, None])[None, None]
    operator = SenseOperator(maps, mask)
    clean = operator(torch.randn(1, *SIZE, dtype=torch.complex64, generator=generator))
    y = clean + 0.05 * mask * torch.randn(clean.shape, dtype=torch.complex64, generator=generator)
    return InverseProblem(operator, y, 0.05, (1, *SIZE), start=operator.adjoint(y), calibration=calibration)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def brief(name, steps=2):
    """Return a sampler with few steps, none of which takes long."""
    less = {"scd": {"adaptations": 2}, "smrd": {"updates": 1}}
    return SAMPLERS[name](steps=steps, **less.get(name, {}))


def noise_of(*seeds):
    return item_noise([torch.Generator().manual_seed(seed) for seed in seeds])


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_is_the_same_to_the_bit_whatever_it_is_drawn_together_with(problem, name):
    together = draw(brief(name), problem.repeated(3), White(), noise_of(1, 2, 3)).images
    alone = draw(brief(name), problem, White(), noise_of(2)).images
    assert torch.equal(together[1:2], alone)
    assert not torch.equal(together[:1], together[1:2])


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_step_is_told_and_may_be_the_last(problem, name):
    told = []
    draw(brief(name), problem, White(), noise_of(1), progress=lambda *step: told.append(step))
    assert told == [(1, 2), (2, 2)]
    told.clear()
    with pytest.raises(CancelledError):
        draw(
            brief(name),
            problem,
            White(),
            noise_of(1),
            progress=lambda *step: told.append(step),
            cancelled=lambda: True,
        )
    assert told == [(1, 2)]


@pytest.mark.parametrize("name", sorted(DIFFERENTIATING))
def test_a_deadline_is_kept_by_those_whose_evaluations_have_gradients(problem, name):
    prior, seconds = Timed(), 60.0
    prior.now[0] = 0.0
    drawn = draw(brief(name, 40), problem, prior, noise_of(1), seconds=seconds, clock=lambda: prior.now[0])
    assert not drawn.expired
    assert 0 < drawn.steps < 40
    assert 0.8 * seconds < prior.now[0] <= seconds
