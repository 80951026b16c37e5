from dataclasses import replace

import pytest
import torch

from echotrain.models.priors.slice_prior import SlicePrior
from echotrain.models.samplers.dds import Dds
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.noise import batch_noise, item_noise
from echotrain.models.samplers.volume_dds import PUBLISHED, VolumeDds

FAST = VolumeDds(sigma_max=10.0)
SHORT = replace(PUBLISHED, steps=30, schedule="edm", sigma_max=10.0)


def noise_of(*seeds):
    return item_noise([torch.Generator().manual_seed(seed) for seed in seeds])


@pytest.mark.parametrize("sampler", [FAST, SHORT])
def test_slices_jitter_less_than_one_by_one(sampler, stack_case):
    case = stack_case()
    slicewise = Dds(steps=30, eta=0.85, gamma=5.0, iterations=5)
    apart = draw(slicewise, case.slices, case.prior, batch_noise(torch.Generator().manual_seed(0))).images
    together = draw(sampler, case.volume, SlicePrior(case.prior), noise_of(0)).images
    assert case.jitter(apart) > 3
    assert case.jitter(together) < 0.5 * case.jitter(apart)
    assert case.error(together) < 0.6 * case.error(apart)


def test_without_total_variation_it_is_dds_slice_by_slice(stack_case):
    case, settings = stack_case(), {"steps": 8, "gamma": 5.0, "iterations": 60, "sigma_max": 10.0}
    apart = draw(Dds(**settings), case.slices, case.prior, batch_noise(torch.Generator().manual_seed(0))).images
    sampler = VolumeDds(tv=0.0, penalty=1e-9, **settings)
    together = draw(sampler, case.volume, SlicePrior(case.prior), noise_of(0)).images
    torch.testing.assert_close(together[0], apart, rtol=1e-5, atol=1e-5)


def test_a_hot_start_begins_at_an_image(stack_case):
    case = stack_case()
    volume = replace(case.volume, start=case.truth)
    sampler = replace(FAST, hot=True, sigma_max=1e-3, sigma_min=1e-3, steps=1)
    hot = draw(sampler, volume, SlicePrior(case.prior), noise_of(0)).images
    assert case.error(hot) < 0.02


@pytest.mark.parametrize("steps", [10, 3])
def test_each_step_evaluates_the_prior_once_from_the_same_first_to_the_same_last_level(steps, stack_case):
    case, asked = stack_case(), []

    class Recording:
        sigmas = case.prior.sigmas

        def denoise(self, x, sigma):
            asked.append(float(sigma))
            assert x.shape == (6, 12, 12)
            return case.prior.denoise(x, sigma)

    sampler = replace(FAST, steps=steps)
    drawn = draw(sampler, case.volume, SlicePrior(Recording()), noise_of(0))
    assert drawn.images.shape == case.volume.shape
    assert drawn.images.dtype == torch.complex128
    assert len(asked) == sampler.evaluations == drawn.steps == steps
    assert (asked[0], asked[-1]) == pytest.approx((10, 0.01))


def test_a_stack_is_the_same_whatever_it_is_computed_together_with(stack_case):
    case = stack_case()
    two = replace(case.volume, y=case.volume.y.expand(2, *case.volume.y.shape[1:]), shape=(2, *case.volume.shape[1:]))
    together = draw(FAST, two, SlicePrior(case.prior), noise_of(0, 1)).images
    alone = draw(FAST, case.volume, SlicePrior(case.prior), noise_of(1)).images
    torch.testing.assert_close(together[1:], alone, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(together[:1], alone)
