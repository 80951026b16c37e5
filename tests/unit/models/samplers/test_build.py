"""Samplers by name and plain settings."""

import dataclasses

import pytest

from echotrain.models.samplers.build import (
    SAMPLERS,
    VOLUME_SAMPLERS,
    build_sampler,
    check_levels,
    ensemble_label,
    levels_within,
)
from echotrain.models.samplers.dds import Dds
from echotrain.models.samplers.predictor_corrector import SCORE_MRI
from echotrain.models.samplers.tweedie import Tweedie


def test_a_sampler_is_made_of_its_name_and_settings():
    assert build_sampler("dds", {"steps": 7, "eta": 1}) == Dds(steps=7, eta=1.0)


@pytest.mark.parametrize("name", [*SAMPLERS, *VOLUME_SAMPLERS])
def test_every_sampler_can_be_made_shorter(name):
    sampler = build_sampler(name, {})
    shorter = dataclasses.replace(sampler, steps=3)
    assert shorter.steps == 3
    assert 0 < shorter.evaluations < sampler.evaluations


def test_an_unknown_sampler_names_the_known_ones():
    with pytest.raises(ValueError, match=r"got the sampler 'ddss'; did you mean 'dds'\? Known: pc, .*dds, .*mbir"):
        build_sampler("ddss", {})


def test_an_unknown_setting_names_the_known_ones():
    with pytest.raises(ValueError, match=r"dds: got the setting 'etta'; did you mean 'eta'\? Known: steps, eta"):
        build_sampler("dds", {"etta": 1.0})


@pytest.mark.parametrize(("key", "value"), [("steps", "20"), ("steps", 2.5), ("schedule", "edn"), ("hot", 1)])
def test_a_value_that_a_setting_does_not_take_is_refused(key, value):
    with pytest.raises(ValueError, match=f"dds: got {key} = .*, expected: Input should be"):
        build_sampler("dds", {key: value})


def test_an_ensemble_s_label_names_what_is_not_default():
    assert ensemble_label("dds", Dds(), 8) == f"dds-{Dds().steps}x8"
    assert ensemble_label("dds", Dds(hot=True), 8, "modl@2") == f"dds-{Dds().steps}x8-hot_true-from_modl"
    changed = Dds(steps=7, sigma_min=0.02, gamma="matched")
    assert ensemble_label("dds", changed, 3) == "dds-7x3-gamma_matched-sigma_min_0.02"


class Knowing:
    """A prior that knows some noise levels."""

    def __init__(self, low, high):
        self.sigmas = (low, high)

    def denoise(self, x, sigma):
        return x


def test_levels_that_a_prior_does_not_know_are_refused_with_what_to_set():
    prior = Knowing(0.02, 80.0)
    with pytest.raises(ValueError, match=r"pc has sigma_max = 378 and sigma_min = 0.01, but the prior Knowing knows"):
        check_levels(SCORE_MRI, prior)
    with pytest.raises(ValueError, match=r"noise from 0.02 to 80 alone: set sigma_max = 80, sigma_min = 0.02$"):
        check_levels(SCORE_MRI, prior)
    needed = levels_within(SCORE_MRI, prior)
    check_levels(dataclasses.replace(SCORE_MRI, **needed), prior)


@pytest.mark.parametrize("name", [*SAMPLERS, *VOLUME_SAMPLERS])
def test_an_exact_prior_knows_all_levels(name):
    check_levels(build_sampler(name, {}), Knowing(0.0, float("inf")))


def test_the_noise_of_the_measurements_is_no_setting():
    check_levels(Tweedie(), Knowing(0.02, 80.0))
