"""Samplers by name and plain settings."""

import dataclasses

import pytest

from echotrain.models.samplers.build import SAMPLERS, VOLUME_SAMPLERS, build_sampler, ensemble_label
from echotrain.models.samplers.dds import Dds


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
    changed = Dds(steps=7, sigma_min=0.02, gamma="matched")
    assert ensemble_label("dds", changed, 3) == "dds-7x3-gamma_matched-sigma_min_0.02"
