import math

import numpy as np
import pytest
import torch

from echotrain.models.simulation.acquisition_range import AcquisitionRange
from echotrain.models.simulation.simulated_slices import SimulatedSlices, random_view

NOISELESS = (math.inf, math.inf)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    heads = [np.where(x**2 + (y / r) ** 2 < 0.6, 120 + 60 * np.cos(9 * r * x), 0) for r in rng.uniform(0.8, 1, 5)]
    return np.array(heads).astype(np.uint8)


def small(**changes):
    return AcquisitionRange(**{"crop": (32, 40), "coils": (3, 5), "acceleration": (2.0, 4.0)} | changes)


def parts(batch):
    m = batch.measurements
    return m.kspace, m.mask, m.maps, batch.target


def test_a_batch_is_the_same_to_the_bit_whatever_was_asked_for_before(images):
    kinds = ("uniform", "variable_density", "equispaced", "partial_fourier", "poisson_disc")
    first, second = (SimulatedSlices(images, small(masks=kinds), seed=7) for _ in range(2))
    forwards = [parts(first.batch(number, 3)) for number in range(4)]
    backwards = [parts(second.batch(number, 3)) for number in (3, 2, 1, 0)][::-1]
    for ours, theirs in zip(forwards, backwards, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_batches_differ_by_number_and_by_seed(images):
    batches = SimulatedSlices(images, small(crop=(32, 32), coils=(4, 4)), seed=7)
    other = SimulatedSlices(images, small(crop=(32, 32), coils=(4, 4)), seed=8)
    assert not torch.equal(batches.batch(0, 1).target, batches.batch(1, 1).target)
    assert not torch.equal(batches.batch(0, 1).target, other.batch(0, 1).target)


@pytest.mark.parametrize("maps", ["true", "low_resolution", "espirit"])
def test_of_fully_sampled_noiseless_data_the_adjoint_is_the_target(images, maps):
    drawn = small(acceleration=(1.0, 1.0), masks=("variable_density",), maps=(maps,), snr=NOISELESS)
    batch = SimulatedSlices(images, drawn, seed=1).batch(0, 4)
    assert batch.measurements.mask.all()
    assert batch.measurements.noise == 0
    assert batch.target.abs().max() > 0.5
    torch.testing.assert_close(batch.measurements.zero_filled(), batch.target, rtol=0, atol=1e-5)


@pytest.mark.parametrize("maps", ["true", "low_resolution", "espirit"])
def test_the_squares_of_the_maps_sum_to_one_or_nothing(images, maps):
    batch = SimulatedSlices(images, small(maps=(maps,)), seed=1).batch(0, 4)
    power = batch.measurements.maps.abs().square().sum(dim=1)
    inside = power > 0.5
    torch.testing.assert_close(power, inside.float(), rtol=0, atol=1e-4)
    assert inside.float().mean() > 0.3
    assert inside.all() == (maps == "true")


@pytest.mark.parametrize("maps", ["low_resolution", "espirit"])
def test_estimated_maps_see_nearly_all_of_the_true_image(images, maps):
    drawn = small(crop=(64, 64), window=(1.0, 1.0), maps=(maps,), snr=(100.0, 100.0))
    batch = SimulatedSlices(images, drawn, seed=2).batch(0, 4)
    true = SimulatedSlices(images, drawn.model_copy(update={"maps": ("true",)}), seed=2).batch(0, 4)
    error = (batch.target.abs() - true.target.abs()).norm() / true.target.norm()
    assert error < (0.1 if maps == "low_resolution" else 0.02)


def test_a_body_with_snr_100_has_a_mean_of_100(images):
    drawn = small(snr=(100.0, 100.0), maps=("true",), window=(1.0, 1.0))
    batch = SimulatedSlices(images, drawn, seed=3).batch(0, 8)
    magnitude = batch.target.abs()
    for image in magnitude:
        assert image[image > 0.1 * image.max()].mean() == pytest.approx(100, rel=0.1)


def test_a_batch_has_one_matrix_and_one_number_of_coils_within_the_range(images):
    batches = SimulatedSlices(images, small(), seed=4)
    shapes = {tuple(batches.batch(number, 2).measurements.kspace.shape) for number in range(12)}
    assert {shape[1] for shape in shapes} == {3, 4, 5}
    assert {side for shape in shapes for side in shape[2:]} == {32, 40}


def test_readouts_are_whole_unless_the_batch_has_poisson_discs(images):
    lines = SimulatedSlices(images, small(masks=("uniform", "equispaced")), seed=0).batch(0, 2).measurements
    discs = SimulatedSlices(images, small(masks=("poisson_disc",)), seed=0).batch(0, 2).measurements
    assert lines.mask.shape[1:] == (1, lines.kspace.shape[2], 1)
    assert discs.mask.shape[1:] == (1, *discs.kspace.shape[2:])
    assert (lines.kspace == 0)[~lines.mask.expand_as(lines.kspace)].all()


def test_accelerations_fill_the_range(images):
    drawn = small(crop=(64, 64), acceleration=(1.0, 4.0), masks=("variable_density",))
    r = torch.cat([SimulatedSlices(images, drawn, seed=0).batch(n, 8).measurements.acceleration() for n in range(4)])
    assert r.min() < 1.5
    assert r.max() > 3
    assert r.max() <= 4.1


def test_a_view_of_the_whole_image_keeps_its_pixels_but_for_turns_and_flips(images):
    seen = random_view(images[0], (64, 64), 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.sort(seen.ravel()), np.sort(images[0].ravel() / 255), atol=0.51 / 255)
    assert len(np.unique(seen[seen > 0.1])) > 250  # eight bits are no steps any more


def test_a_window_above_one_puts_air_around_the_whole_image(images):
    seen = random_view(images[0], (96, 112), 1.75, np.random.default_rng(0))
    assert seen.shape == (96, 112)
    assert seen.sum() == pytest.approx(images[0].sum() / 255, rel=0.01)
    inside = seen > 0.1
    assert inside.any(axis=0).sum() <= 64
    assert inside.any(axis=1).sum() <= 64


def test_tissue_phase_changes_the_phase_of_the_target_alone(images):
    drawn = {"maps": ("true",), "snr": NOISELESS, "acceleration": (1.0, 1.0), "masks": ("variable_density",)}
    smooth, rough = (
        SimulatedSlices(images, small(**drawn, phase=(low, low)), seed=1).batch(0, 2).target for low in (1e-6, 2.0)
    )
    # the numbers drawn are the same
    torch.testing.assert_close(smooth.abs(), rough.abs(), rtol=0, atol=2e-3)
    step = torch.angle(rough[:, 1:] * rough[:, :-1].conj()).abs()[rough[:, 1:].abs() > 0.5].median()
    before = torch.angle(smooth[:, 1:] * smooth[:, :-1].conj()).abs()[smooth[:, 1:].abs() > 0.5].median()
    assert step > 1.5 * before


def test_contrast_changes_magnitudes(images):
    drawn = {"maps": ("true",), "snr": NOISELESS}
    plain = SimulatedSlices(images, small(**drawn), seed=1).batch(0, 2)
    changed = SimulatedSlices(images, small(**drawn, contrast=True), seed=1).batch(0, 2)
    assert (plain.target.abs() - changed.target.abs()).abs().max() > 0.1


def test_a_view_at_half_the_resolution_keeps_the_mean(images):
    seen = random_view(images[0], (32, 32), 1.0, np.random.default_rng(0))
    assert seen.shape == (32, 32)
    assert seen.mean() == pytest.approx(images[0].mean() / 255, rel=0.02)


def test_images_of_another_type_are_refused_by_shape_and_type(images):
    with pytest.raises(ValueError, match=r"\(64, 64\) uint8, expected \(N, y, x\) uint8"):
        SimulatedSlices(images[0], small(), seed=0)
    with pytest.raises(ValueError, match="float64, expected"):
        SimulatedSlices(images / 2, small(), seed=0)


@pytest.mark.parametrize("maps", ["true", "espirit"])
def test_strips_of_fully_sampled_noiseless_slices_have_the_target_as_adjoint(images, maps):
    drawn = small(strip=16, acceleration=(1.0, 1.0), masks=("variable_density",), maps=(maps,), snr=NOISELESS)
    batch = SimulatedSlices(images, drawn, seed=1).batch(0, 3)
    assert batch.target.shape[0] == 3
    assert batch.target.shape[2] == batch.measurements.kspace.shape[3] == 16
    assert batch.target.abs().max() > 0.5
    torch.testing.assert_close(batch.measurements.zero_filled(), batch.target, rtol=0, atol=1e-5)


def test_a_strip_is_undersampled_and_noisy_like_the_slice_that_it_is_of(images):
    drawn = {"crop": (40, 40), "maps": ("true",), "acceleration": (4.0, 4.0), "masks": ("uniform",)}
    whole = SimulatedSlices(images, small(**drawn), seed=4).batch(0, 1)
    strips = SimulatedSlices(images, small(**drawn, strip=24), seed=4).batch(0, 2)
    aliased, cut = whole.measurements.zero_filled()[0], strips.measurements.zero_filled()
    for image in cut:
        starts = range(40 - 24 + 1)
        assert min(float((aliased[:, s : s + 24] - image).abs().max()) for s in starts) < 1e-4 * aliased.abs().max()


def test_strips_of_points_are_refused():
    with pytest.raises(ValueError, match="expected at most the crop, and masks of whole readouts"):
        small(strip=16, masks=("poisson_disc",))
