from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.models.flags.features import features

SPREAD = {"spread_level", "spread_peak", "disagreement_over_spread"}


def test_the_truth_leaves_noise(scan):
    found = features(scan())
    for band in ("low", "middle", "high"):
        assert found[f"judged_residual_{band}"] == pytest.approx(0, abs=0.12)
    assert found["noise_excess"] == pytest.approx(0, abs=0.12)
    assert max(found["judged_residual_correlation_ky"], found["judged_residual_correlation_kx"]) < 0.05
    assert found["judged_residual_kurtosis"] == pytest.approx(0, abs=0.15)
    assert found["disagreement_level"] == found["disagreement_peak"] == np.log(1e-3)


def test_twice_the_noise_that_was_measured_shows_by_the_logarithm_of_two(scan):
    found = features(scan(added=1.0))
    assert found["judged_residual_high"] == pytest.approx(np.log(2), abs=0.1)
    assert found["noise_excess"] == pytest.approx(np.log(2), abs=0.1)


def test_nothing_is_said_of_noise_that_was_not_measured(scan):
    assert features(scan(added=1.0, level=None))["noise_excess"] == 0


def test_a_structure_that_is_only_in_the_image_contradicts_kspace_where_it_is(scan):
    clean = scan()
    image = clean.judged.copy()
    image[30:36, 40:46] *= 1.3
    found, before = features(replace(clean, judged=image)), features(clean)
    assert found["misfit_peak"] > before["misfit_peak"] + 1
    assert found["misfit_contrast"] > before["misfit_contrast"] + 1
    assert found["disagreement_peak"] > before["disagreement_peak"] + 1


def test_a_structure_that_the_coils_carry_into_the_data_does_not(scan):
    clean = scan()
    image = clean.judged.copy()
    image[30:36, 40:46] *= 1.3
    added = clean.measurements.operator()(torch.from_numpy(image - clean.judged)[None])
    seen = replace(clean.measurements, kspace=clean.measurements.kspace + added)
    found = features(replace(clean, measurements=seen, judged=image, conventional=image))
    before = features(clean)
    for name in ("misfit_peak", "judged_residual_middle", "disagreement_peak"):
        assert found[name] == pytest.approx(before[name], abs=0.02)


def test_features_are_the_same_in_any_unit(scan):
    one = scan()
    scaled = replace(one.measurements, kspace=1e-6 * one.measurements.kspace, noise=1e-6)
    other = replace(one, measurements=scaled, judged=one.judged * 1e-6, conventional=one.conventional * 1e-6)
    assert features(other) == pytest.approx(features(one), abs=1e-3)


def test_spread_other_methods_and_sensitivity_add_their_features(scan):
    one = scan()
    assert not SPREAD & features(one).keys()
    more = features(
        replace(
            one,
            deviation=np.full(one.judged.shape, one.image_noise, np.float32),
            others={"tv": one.judged},
            sensitivity=np.e,
        )
    )
    assert SPREAD | {"tv_disagreement_peak", "sensitivity"} <= more.keys()
    assert more["sensitivity"] == 1
    assert more["spread_level"] == pytest.approx(0, abs=1e-6)


def test_a_scan_of_nothing_has_finite_features(scan):
    one = scan()
    empty = replace(
        one,
        measurements=replace(one.measurements, kspace=0 * one.measurements.kspace, noise=None),
        judged=0 * one.judged,
        conventional=0 * one.judged,
    )
    assert np.isfinite(list(features(empty).values())).all()


def test_an_image_of_another_shape_is_refused(scan):
    one = scan()
    with pytest.raises(ValueError, match=r"judged is \(8, 8\), expected \(64, 64\)"):
        replace(one, judged=one.judged[:8, :8])
