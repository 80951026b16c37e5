"""Coil maps from what a reconstruction made of the centre of k-space."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.models.coils.maps_of_image import with_maps_of_image
from echotrain.models.evaluation.case import undersampled
from echotrain.models.measurements import joined
from echotrain.models.simulation.noisy_kspace import noisy_kspace
from echotrain.models.simulation.random_coils import random_sensitivities


@pytest.fixture
def scan():
    """Return a function: a scan of an ellipse with few central lines, its image by the true maps, and these."""

    def make(lines=8, seed=0, coils=4, size=48):
        y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
        image = ((x**2 + (y / 0.8) ** 2 < 0.7) * (1 + 0.3 * np.sin(9 * x) * np.cos(7 * y))).astype(np.complex64)
        sensitivities = random_sensitivities(coils, (size, size), np.random.default_rng(seed), 1.5, 0.1)
        seen, kspace = noisy_kspace(image, sensitivities, 200.0, np.random.default_rng(seed))
        mask = np.zeros(size, bool)
        mask[size // 2 - lines // 2 : size // 2 + lines // 2] = True
        mask[::3] = True
        true = torch.from_numpy(seen / np.sqrt((np.abs(seen) ** 2).sum(axis=0)).clip(1e-6))[None]
        return undersampled(kspace, mask, noise=1.0), true, torch.from_numpy(seen)[None], torch.from_numpy(image != 0)

    return make


def unlike(maps, true, inside):
    """Return how far maps lie from the true ones, whatever their common phase: the mean angle, in radians."""
    along = (maps.conj() * true).sum(dim=1).abs()[0][inside].clamp(max=1)
    return float(torch.arccos(along).mean())


@pytest.mark.parametrize("seed", range(3))
def test_maps_from_a_good_image_are_nearer_to_the_true_ones_and_keep_their_phase(scan, seed):
    measurements, true, coil_images, inside = scan(seed=seed)
    image = (measurements.maps.conj() * coil_images).sum(dim=1)
    again = with_maps_of_image(measurements, image)
    assert unlike(again.maps, true, inside) < 0.9 * unlike(measurements.maps, true, inside)
    turned = (measurements.maps.conj() * again.maps).sum(dim=1)
    assert (torch.angle(turned[turned.abs() > 1e-3]).abs() < 1e-3).all()
    assert torch.equal(again.kspace, measurements.kspace)
    assert torch.equal(again.mask, measurements.mask)


def test_maps_stay_where_there_are_calibration_lines_enough_no_signal_or_too_little_kspace(scan):
    for measurements, _, coil_images, _ in (scan(lines=16), scan(lines=6, size=14)):
        image = (measurements.maps.conj() * coil_images).sum(dim=1)
        assert torch.equal(with_maps_of_image(measurements, image).maps, measurements.maps)
    measurements, *_ = scan()
    assert torch.equal(
        with_maps_of_image(measurements, torch.zeros_like(measurements.maps[:, 0])).maps, measurements.maps
    )


def test_each_slice_of_a_batch_has_the_maps_that_it_has_alone(scan):
    parts = [scan(lines=lines, seed=seed) for seed, lines in enumerate((8, 16, 10))]
    images = torch.cat([(one.maps.conj() * coil_images).sum(dim=1) for one, _, coil_images, _ in parts])
    together = with_maps_of_image(joined([one for one, *_ in parts]), images)
    for n, (one, *_) in enumerate(parts):
        alone = with_maps_of_image(one, images[n : n + 1])
        torch.testing.assert_close(together.maps[n : n + 1], alone.maps, rtol=0, atol=1e-6)


def test_no_gradient_goes_through_new_maps(scan):
    measurements, *_ = scan()
    kspace = measurements.kspace.clone().requires_grad_()
    image = replace(measurements, kspace=kspace).zero_filled()
    assert not with_maps_of_image(replace(measurements, kspace=kspace), image).maps.requires_grad
