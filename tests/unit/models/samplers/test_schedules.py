import itertools

import pytest
import torch

from echotrain.models.priors.parametrisations import sigma_of
from echotrain.models.samplers.schedules import SCHEDULES, chain_step, cosine_chain, ddpm_chain, noise_levels


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_falls_from_its_first_to_its_last_level(schedule):
    for steps in (2, 3, 20, 1000):
        levels = noise_levels(schedule, steps, 80.0, 0.01)
        assert levels.dtype == torch.float64
        assert levels.shape == (steps,)
        assert (levels[0], levels[-1]) == (80.0, 0.01)
        assert (levels.diff() < 0).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_one_step_is_at_the_first_level(schedule):
    assert noise_levels(schedule, 1, 3.0, 0.01).tolist() == [3.0]


@pytest.mark.parametrize("schedule", sorted(SCHEDULES.keys() - {"linear"}))
def test_the_levels_of_a_part_are_those_of_a_run_between_its_ends(schedule):
    whole = noise_levels(schedule, 21, 50.0, 0.02)
    torch.testing.assert_close(noise_levels(schedule, 8, float(whole[5]), float(whole[12])), whole[5:13])


def test_geometric_levels_have_one_ratio():
    levels = noise_levels("geometric", 4, 10.0, 0.01)
    torch.testing.assert_close(levels, torch.tensor([10, 1, 0.1, 0.01], dtype=torch.float64))


def test_edm_levels_are_those_of_the_papers_equation():
    expected = [(80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(18)]
    torch.testing.assert_close(noise_levels("edm", 18, 80.0, 0.002), torch.tensor(expected, dtype=torch.float64))


def test_the_whole_ddpm_chain_is_its_own_selection():
    chain = sigma_of(ddpm_chain()).flip(0)
    torch.testing.assert_close(noise_levels("ddpm", 1000, float(chain[0]), float(chain[-1])), chain)
    every_37th = noise_levels("ddpm", 28, float(chain[0]), float(chain[-1]))  # 999 = 27 * 37
    torch.testing.assert_close(every_37th, chain[::37])


def test_ddpms_first_and_last_steps_are_known():
    abar = ddpm_chain()
    assert float(abar[0]) == pytest.approx(1 - 1e-4)
    assert float(abar[1]) == pytest.approx((1 - 1e-4) * (1 - 1e-4 - (0.02 - 1e-4) / 999))
    assert float(abar[-1]) == pytest.approx(4.036e-5, rel=1e-3)


def test_half_of_a_cosine_chain_keeps_about_half_of_the_variance():
    abar = cosine_chain()
    assert float(abar[499]) == pytest.approx(0.49, abs=0.005)
    assert float((abar[1:] / abar[:-1]).min()) == pytest.approx(0.001)
    middle = noise_levels("cosine", 3, float(sigma_of(abar[899])), float(sigma_of(abar[99])))[1]
    assert float(middle) == pytest.approx(float(sigma_of(abar[499])))


def test_variance_per_step_is_constant_or_grows_linearly_and_levels_are_uniform():
    added = -noise_levels("constant", 10, 2.0, 0.1).square().diff()
    torch.testing.assert_close(added, added[:1].expand(9))
    between = noise_levels("uniform", 10, 2.0, 0.1).diff()
    torch.testing.assert_close(between, between[:1].expand(9))
    growth = noise_levels("linear", 1000, 2.0, 1e-4).square().diff()
    torch.testing.assert_close(growth.diff(), growth.diff().mean().expand(998), rtol=1e-3, atol=0)
    assert float(growth[0] / growth[-1]) == pytest.approx(200, rel=0.1)


def test_a_noise_level_is_found_in_its_chain():
    chain = ddpm_chain()
    steps = chain_step(chain[[0, 500, 999]], chain)
    torch.testing.assert_close(steps, torch.tensor([0, 500, 999], dtype=torch.float64))
    assert 500 < float(chain_step(chain[500:502].mean(), chain)) < 501


def test_what_no_schedule_holds_is_refused():
    for wrong in (
        ("geometric", 0, 1.0, 0.1),
        ("geometric", 5, 0.1, 1.0),
        ("edm", 5, 1.0, 0.0),
        ("square", 5, 1.0, 0.1),
    ):
        with pytest.raises(ValueError, match="expected"):
            noise_levels(*wrong)
    with pytest.raises(ValueError, match="at most 157"):
        noise_levels("ddpm", 5, 378.0, 0.01)


def test_levels_are_as_exact_on_long_runs():
    levels = noise_levels("geometric", 2000, 128.0, 0.01)
    ratios = [float(a / b) for a, b in itertools.pairwise(levels)]
    assert max(ratios) / min(ratios) == pytest.approx(1, abs=1e-9)
