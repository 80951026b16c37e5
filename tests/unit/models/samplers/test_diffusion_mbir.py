from dataclasses import replace

import pytest
import torch

from echotrain.models.priors.slice_prior import SlicePrior
from echotrain.models.samplers.diffusion_mbir import DiffusionMbir
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.noise import batch_noise, item_noise
from echotrain.models.samplers.predictor_corrector import PredictorCorrector

FAST = DiffusionMbir(steps=200, sigma_max=50)


def noise_of(*seeds):
    return item_noise([torch.Generator().manual_seed(seed) for seed in seeds])


def test_slices_jitter_less_than_one_by_one(stack_case):
    case = stack_case()
    slicewise = PredictorCorrector(steps=200, snr=0.16, sigma_max=50)
    apart = draw(slicewise, case.slices, case.prior, batch_noise(torch.Generator().manual_seed(0))).images
    together = draw(FAST, case.volume, SlicePrior(case.prior), noise_of(0)).images
    assert case.jitter(apart) > 3
    assert case.jitter(together) < 0.7 * case.jitter(apart)
    assert case.error(together) < 0.8 * case.error(apart)


@pytest.mark.parametrize("steps", [10, 3])
def test_each_step_evaluates_the_prior_twice_from_the_same_first_to_the_same_last_level(steps, stack_case):
    case, asked = stack_case(), []

    class Recording:
        sigmas = case.prior.sigmas

        def denoise(self, x, sigma):
            asked.append(float(sigma))
            return case.prior.denoise(x, sigma)

    sampler = replace(FAST, steps=steps)
    drawn = draw(sampler, case.volume, SlicePrior(Recording()), noise_of(0))
    assert drawn.images.shape == case.volume.shape
    assert drawn.steps == steps
    assert len(asked) == sampler.evaluations == 2 * steps
    assert (asked[0], asked[-1]) == pytest.approx((50, 0.01))


def test_a_stack_is_the_same_whatever_it_is_computed_together_with(stack_case):
    case, sampler = stack_case(), replace(FAST, steps=30)
    two = replace(case.volume, y=case.volume.y.expand(2, *case.volume.y.shape[1:]), shape=(2, *case.volume.shape[1:]))
    together = draw(sampler, two, SlicePrior(case.prior), noise_of(0, 1)).images
    alone = draw(sampler, case.volume, SlicePrior(case.prior), noise_of(1)).images
    torch.testing.assert_close(together[1:], alone, rtol=1e-6, atol=1e-6)
