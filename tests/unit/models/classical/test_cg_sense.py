from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.measurements import Measurements


@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize(("grid", "coils"), [((8, 8), 4), ((7, 5), 3), ((9, 4), 1), ((3, 4, 5), 4)])
@pytest.mark.parametrize("regularisation", [0.01, 0.3])
def test_sense_equals_a_dense_solve(make_measurements, dense, grid, coils, points, regularisation):
    measurements, _ = make_measurements(grid, coils=coils, points=points)
    A = dense(measurements)
    normal = A.mH @ A + regularisation * torch.eye(A.shape[1], dtype=A.dtype)
    expected = torch.linalg.solve(normal, A.mH @ measurements.kspace.flatten())
    found = CGSense(iterations=200, regularisation=regularisation)(measurements)
    torch.testing.assert_close(found.flatten(), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("coils", [1, 4])
def test_a_fully_sampled_noiseless_scan_is_exact(make_measurements, coils):
    measurements, images = make_measurements(coils=coils, fraction=1)
    torch.testing.assert_close(CGSense(regularisation=0)(measurements), images)


def test_enough_coils_unfold_without_regularisation(make_measurements):
    measurements, images = make_measurements((8, 8), coils=8)
    torch.testing.assert_close(CGSense(iterations=300, regularisation=0)(measurements), images, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**80])
def test_images_scale_with_k_space_as_far_as_single_precision_goes(make_measurements, scale):
    measurements, _ = make_measurements((16, 15))
    kspace, maps = measurements.kspace.to(torch.complex64), measurements.maps.to(torch.complex64)
    once, scaled = (Measurements(data, measurements.mask, maps) for data in (kspace, kspace * scale))
    solve = CGSense()
    torch.testing.assert_close(solve(scaled) / scale, solve(once), rtol=1e-4, atol=1e-5)


def test_a_slice_is_reconstructed_alike_alone_and_in_a_batch(make_measurements):
    measurements, _ = make_measurements(batch=3)
    middle = slice(1, 2)
    alone = replace(
        measurements,
        kspace=measurements.kspace[middle],
        mask=measurements.mask[middle],
        maps=measurements.maps[middle],
    )
    torch.testing.assert_close(CGSense()(measurements)[middle], CGSense()(alone))


def test_nothing_sampled_gives_zero_and_a_nan_stays_in_its_slice(make_measurements):
    measurements, _ = make_measurements(batch=3)
    measurements.kspace[0] = 0
    measurements.kspace[2, 0, :, 3] = torch.nan
    found = CGSense()(measurements)
    assert not found[0].any()
    assert found[1].isfinite().all()
    assert not found[2].isfinite().any()


def test_sense_agrees_with_sigpy(make_measurements):
    app = pytest.importorskip("sigpy.mri.app")
    measurements, _ = make_measurements((12, 10), points=True)
    kspace, maps, mask = (a[0].numpy() for a in (measurements.kspace, measurements.maps, measurements.mask))
    theirs = app.SenseRecon(kspace, maps, lamda=0.05, weights=mask[0], max_iter=200, show_pbar=False).run()
    ours = CGSense(iterations=200, regularisation=0.05)(measurements)
    np.testing.assert_allclose(ours[0].numpy(), theirs, rtol=1e-6, atol=1e-7)


def test_every_step_stays_on_the_device_of_the_measurements():
    kspace = torch.zeros(2, 3, 9, 8, dtype=torch.complex64, device="meta")
    mask = torch.zeros(2, 1, 9, 1, dtype=torch.bool, device="meta")
    found = CGSense()(Measurements(kspace, mask, kspace))
    assert (found.device.type, found.shape, found.dtype) == ("meta", (2, 9, 8), torch.complex64)
