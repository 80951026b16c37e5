import numpy as np
import pytest
import torch

from echotrain.models.classical.wavelet_l1 import WaveletL1
from echotrain.models.classical.zero_filled import brightness
from echotrain.models.measurements import Measurements
from echotrain.models.operators.proximal import soft_threshold
from echotrain.models.operators.wavelet import WaveletOperator


def test_a_fully_sampled_scan_has_its_orthonormal_wavelet_coefficients_shrunk(make_measurements):
    measurements, images = make_measurements((8, 16), batch=2, fraction=1)
    haar = WaveletOperator((8, 16), "haar", levels=3)
    weight = 0.3 * brightness(images).squeeze(-1)
    expected = haar.adjoint(soft_threshold(haar(images), weight))
    solve = WaveletL1(weight=0.3, wavelet="haar", levels=3, shifts=False)
    torch.testing.assert_close(solve(measurements), expected)


@pytest.mark.parametrize(("grid", "shifts"), [((8, 8), False), ((9, 7), True)])
def test_a_weight_of_zero_gives_least_squares(make_measurements, grid, shifts):
    measurements, images = make_measurements(grid, coils=8)
    found = WaveletL1(weight=0, iterations=1000, shifts=shifts)(measurements)
    torch.testing.assert_close(found, images, rtol=1e-5, atol=1e-5)


def test_minima_agree_with_sigpys(make_measurements):
    app = pytest.importorskip("sigpy.mri.app")
    measurements, _ = make_measurements((16, 16), points=True)
    weight = 0.1 * float(brightness(measurements.zero_filled()))
    kspace, maps, mask = (a[0].numpy() for a in (measurements.kspace, measurements.maps, measurements.mask))
    theirs = app.L1WaveletRecon(
        kspace, maps, lamda=weight, weights=mask[0], wave_name="haar", max_iter=1000, show_pbar=False
    ).run()
    ours = WaveletL1(weight=0.1, iterations=1000, wavelet="haar", shifts=False)(measurements)
    np.testing.assert_allclose(ours[0].numpy(), theirs, atol=1e-4)


def test_the_seed_decides_the_shifts(make_measurements):
    measurements, _ = make_measurements((16, 18))
    one, again, other = (WaveletL1(weight=0.1, iterations=5, seed=seed)(measurements) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**80])
def test_images_scale_with_k_space_as_far_as_single_precision_goes(make_measurements, scale):
    measurements, _ = make_measurements((16, 15))
    kspace, maps = measurements.kspace.to(torch.complex64), measurements.maps.to(torch.complex64)
    once, scaled = (Measurements(data, measurements.mask, maps) for data in (kspace, kspace * scale))
    solve = WaveletL1(weight=0.1, iterations=10)
    torch.testing.assert_close(solve(scaled) / scale, solve(once), rtol=1e-4, atol=1e-5)


def test_slices_of_a_volume_and_of_a_batch_get_thresholds_of_their_own(make_measurements):
    measurements, images = make_measurements((3, 8, 8), batch=2, fraction=1)
    measurements.kspace[1] *= 100
    found = WaveletL1(weight=0.3, wavelet="haar", shifts=False)(measurements)
    assert found.shape == images.shape
    alone, _ = make_measurements((3, 8, 8), batch=2, fraction=1)
    torch.testing.assert_close(found[1], 100 * WaveletL1(weight=0.3, wavelet="haar", shifts=False)(alone)[1])


def test_nothing_sampled_gives_zero_and_a_nan_stays_in_its_slice(make_measurements):
    measurements, _ = make_measurements(batch=3)
    measurements.kspace[0] = 0
    measurements.kspace[2, 0, :, 3] = torch.nan
    found = WaveletL1()(measurements)
    assert not found[0].any()
    assert found[1].isfinite().all()
    assert not found[2].isfinite().any()


def test_every_step_stays_on_the_device_of_the_measurements():
    kspace = torch.zeros(2, 3, 9, 8, dtype=torch.complex64, device="meta")
    mask = torch.zeros(2, 1, 9, 1, dtype=torch.bool, device="meta")
    found = WaveletL1(iterations=2)(Measurements(kspace, mask, kspace))
    assert (found.device.type, found.shape, found.dtype) == ("meta", (2, 9, 8), torch.complex64)
