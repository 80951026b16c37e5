from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass

import pytest
import torch

from echotrain.models.samplers.dds import Dds
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.noise import batch_noise


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Yields the number of each step, and calls the prior twice for it."""

    steps: int = 10

    @property
    def evaluations(self):
        return 2 * self.steps

    def __call__(self, problem, prior, noise) -> Iterator[torch.Tensor]:
        for number in range(self.steps):
            for _ in range(2):
                prior.denoise(problem.y, torch.ones(()))
            yield torch.full(problem.shape, float(number + 1))


class Clock:
    """Time that goes on by a fixed amount with every evaluation of the prior."""

    sigmas = (0.0, 1.0)

    def __init__(self, *seconds):
        self.now, self.seconds = 0.0, list(seconds)

    def denoise(self, x, sigma):
        self.now += self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]
        return x

    def __call__(self):
        return self.now


@pytest.fixture
def problem(gaussian_case):
    return gaussian_case(samples=3).problem


def noise():
    return batch_noise(torch.Generator().manual_seed(0))


def test_all_steps_are_taken_and_told(problem):
    told = []
    drawn = draw(Counting(), problem, Clock(1.0), noise(), progress=lambda *step: told.append(step))
    assert (drawn.steps, drawn.requested, drawn.expired) == (10, 10, False)
    assert told == [(n + 1, 10) for n in range(10)]
    assert (drawn.images == 10).all()


def test_a_deadline_means_fewer_steps(problem):
    clock = Clock(1.0)
    drawn = draw(Counting(), problem, clock, noise(), seconds=9.0, clock=clock)
    assert (drawn.steps, drawn.requested, drawn.expired) == (4, 10, False)
    assert clock() <= 9.0


@dataclass(frozen=True, kw_only=True)
class Adapting(Counting):
    """Whose steps cost three evaluations more, and a run four before the first."""

    @property
    def cost(self):
        return 4 + 5 * self.steps

    def __call__(self, problem, prior, noise) -> Iterator[torch.Tensor]:
        prior.now += 4
        for estimate in super().__call__(problem, prior, noise):
            prior.now += 3
            yield estimate


def test_a_deadline_takes_it_that_evaluations_cost_what_the_sampler_says(problem):
    clock = Clock(1.0)
    drawn = draw(Adapting(), problem, clock, noise(), seconds=33.0, clock=clock)
    assert (drawn.steps, drawn.requested, drawn.expired) == (5, 10, False)
    assert clock() == 1 + 4 + 5 * 5 <= 33.0


def test_a_deadline_that_is_too_short_still_gives_one_step(problem):
    clock = Clock(1.0)
    drawn = draw(Counting(), problem, clock, noise(), seconds=0.5, clock=clock)
    assert (drawn.steps, drawn.expired) == (1, False)


def test_evaluations_slower_than_the_first_end_at_the_deadline_with_the_best_so_far(problem):
    clock = Clock(1.0, 5.0)
    drawn = draw(Counting(), problem, clock, noise(), seconds=21.0, clock=clock)
    assert (drawn.steps, drawn.requested, drawn.expired) == (2, 10, True)
    assert (drawn.images == 2).all()


def test_cancelling_ends_between_two_steps(problem):
    asked = iter([False, False, True])
    with pytest.raises(CancelledError):
        draw(Counting(), problem, Clock(1.0), noise(), cancelled=lambda: next(asked))


def test_levels_that_the_prior_does_not_know_are_refused(problem):
    with pytest.raises(ValueError, match="dds has sigma_max = 3, but the prior Clock knows noise from 0 to 1 alone"):
        draw(Dds(), problem, Clock(1.0), noise())
