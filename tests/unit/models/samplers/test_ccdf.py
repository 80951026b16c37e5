from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.ccdf import hot_start
from echotrain.models.samplers.dds import PUBLISHED, Dds
from echotrain.models.samplers.heun import Heun
from echotrain.models.samplers.noise_matched import Regularised
from echotrain.models.samplers.schedules import noise_levels

SAMPLERS = [
    Dds(steps=20),
    Heun(steps=20, hot=False, sigma_max=10.0),
    Dds(steps=20, eta=0.0, schedule="geometric"),
]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_whole_run_is_the_sampler_itself(gaussian_case, sampler):
    case = gaussian_case(samples=5)
    cold = case.samples(sampler)
    hot = case.with_start(torch.zeros_like(cold)).samples(hot_start(sampler, 1.0))
    torch.testing.assert_close(hot, cold)


def test_no_time_at_all_makes_the_start_consistent(gaussian_case):
    case = gaussian_case(samples=1)
    start = torch.randn(1, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    operator, y = case.problem.operator, case.problem.y
    hot = case.with_start(start).samples(hot_start(PUBLISHED, 1e-7))
    data = Regularised(operator, operator.adjoint(y), 5)
    consistent = data(start, data.misfit(start), 1.0)
    torch.testing.assert_close(hot, consistent, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_matched_to_the_noise_a_start_as_clean_as_that_is_trusted_but_for_measurements_that_are_cleaner(
    gaussian_case, sampler
):
    case = gaussian_case(samples=1)
    start = torch.randn(1, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    operator, y = case.problem.operator, case.problem.y
    brief = hot_start(sampler, 1e-7)
    torch.testing.assert_close(case.with_start(start).samples(brief), start, rtol=0, atol=1e-5)
    exact = replace(case, problem=replace(case.problem, sigma=0.0))
    data = Regularised(operator, operator.adjoint(y), 1)
    closest = data(start, data.misfit(start), 0.0)
    torch.testing.assert_close(exact.with_start(start).samples(brief), closest, rtol=0, atol=1e-5)


def test_a_part_of_the_run_has_the_last_levels_of_the_whole():
    whole = noise_levels("edm", 20, 10.0, 0.01)
    part = hot_start(Dds(steps=20, sigma_max=10.0), 0.25)
    assert part.steps == 5
    torch.testing.assert_close(noise_levels(part.schedule, part.steps, part.sigma_max, part.sigma_min), whole[-5:])


def test_from_a_good_start_a_quarter_of_the_steps_is_enough(gaussian_case):
    case = gaussian_case(sigma=0.3, samples=1500)
    start = case.posterior.mean.expand(1500, 32)
    sampler = Dds(steps=100, eta=0.0, sigma_max=80.0)
    statistics = case.with_start(start).statistics(case.with_start(start).samples(hot_start(sampler, 0.5)))
    assert statistics.bias < 0.1
    assert statistics.variance_null > 0.8


def test_it_starts_at_an_image_or_not_at_all(gaussian_case):
    with pytest.raises(ValueError, match="needs an image"):
        gaussian_case(samples=1).samples(hot_start(Dds(), 0.5))
    for t0 in (0.0, 1.5):
        with pytest.raises(ValueError, match="expected above 0"):
            hot_start(Dds(), t0)
