from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.models.classical.total_variation import TotalVariation, TotalVariationDenoiser
from echotrain.models.classical.zero_filled import brightness
from echotrain.models.measurements import Measurements
from echotrain.models.operators.finite_differences import FiniteDifferences


def denoised(image, weight, iterations=2000):
    return TotalVariationDenoiser(tuple(range(1 - image.ndim, 0)), weight, iterations)(image)


def test_plateaus_come_nearer_by_the_weight_over_their_length():
    image = torch.cat((torch.full((4,), 2 + 2j), torch.full((6,), 5 - 2j))).to(torch.complex128)
    towards = (3 - 4j) / 5
    expected = image + 0.9 * towards * torch.tensor([1 / 4] * 4 + [-1 / 6] * 6)
    torch.testing.assert_close(denoised(image.view(1, 10, 1), 0.9).flatten(), expected, rtol=1e-6, atol=1e-6)


def test_a_large_weight_leaves_the_mean():
    image = torch.randn(2, 5, 4, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    expected = image.mean((1, 2), keepdim=True).expand_as(image)
    torch.testing.assert_close(denoised(image, 100.0), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("grid", [(7, 8), (3, 4, 5)])
def test_the_denoised_image_closes_the_duality_gap(grid):
    image = torch.randn(1, *grid, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    found = denoised(image, 0.4)
    differences = FiniteDifferences(tuple(range(-len(grid), 0)))(found)
    variation = torch.linalg.vector_norm(differences, dim=1).sum()
    # with x = v - D^H u and |u| <= w, w TV(x) = Re <D x, u> = Re <x, v - x> at the minimum and nowhere else
    assert float((found.conj() * (image - found)).sum().real) == pytest.approx(float(0.4 * variation), rel=1e-5)


def test_many_short_calls_lead_where_a_long_one_does():
    image = torch.randn(1, 6, 5, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    often = TotalVariationDenoiser((-2, -1), 0.4, 3)
    for _ in range(1500):
        found = often(image)
    torch.testing.assert_close(found, denoised(image, 0.4), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("grid", [(8, 8), (9, 7), (4, 3, 5)])
def test_a_weight_of_zero_gives_least_squares(make_measurements, grid):
    measurements, images = make_measurements(grid, coils=8)
    found = TotalVariation(weight=0, iterations=2000, inner_iterations=1)(measurements)
    torch.testing.assert_close(found, images, rtol=1e-5, atol=1e-5)


def test_a_piecewise_constant_line_is_found_where_an_independent_solver_finds_it():
    sigpy = pytest.importorskip("sigpy")
    n = 24
    truth = torch.ones(1, n, 1, dtype=torch.complex128)
    truth[:, 9:16] = 3
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(1, 1, n, 1, generator=generator) < 0.6
    maps = torch.randn(1, 2, n, 1, dtype=torch.complex128, generator=generator)
    maps /= torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    operator = Measurements(torch.zeros_like(maps), mask, maps).operator()
    measurements = Measurements(operator(truth), mask, maps)
    weight = 0.05 * float(brightness(measurements.zero_filled()))
    A = operator(torch.eye(n, dtype=torch.complex128)[..., None]).flatten(1).T.numpy()
    theirs = sigpy.app.LinearLeastSquares(
        sigpy.linop.MatMul((n, 1), A),
        measurements.kspace.numpy().reshape(-1, 1),
        proxg=sigpy.prox.L1Reg((n - 1, 1), weight),
        G=sigpy.linop.MatMul((n, 1), np.diff(np.eye(n), axis=0)),
        max_iter=4000,
        show_pbar=False,
    ).run()
    ours = TotalVariation(weight=0.05, iterations=2000)(measurements)
    np.testing.assert_allclose(ours[0].numpy(), theirs, atol=1e-4)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**80])
def test_images_scale_with_k_space_as_far_as_single_precision_goes(make_measurements, scale):
    measurements, _ = make_measurements((16, 15))
    kspace, maps = measurements.kspace.to(torch.complex64), measurements.maps.to(torch.complex64)
    once, scaled = (Measurements(data, measurements.mask, maps) for data in (kspace, kspace * scale))
    solve = TotalVariation(weight=0.1, iterations=10)
    torch.testing.assert_close(solve(scaled) / scale, solve(once), rtol=1e-4, atol=1e-5)


def test_a_slice_is_reconstructed_alike_alone_and_in_a_batch(make_measurements):
    measurements, _ = make_measurements(batch=3)
    measurements.kspace[0] *= 100
    middle = slice(1, 2)
    alone = replace(
        measurements,
        kspace=measurements.kspace[middle],
        mask=measurements.mask[middle],
        maps=measurements.maps[middle],
    )
    torch.testing.assert_close(TotalVariation(weight=0.1)(measurements)[middle], TotalVariation(weight=0.1)(alone))


def test_nothing_sampled_gives_zero_and_a_nan_stays_in_its_slice(make_measurements):
    measurements, _ = make_measurements(batch=3)
    measurements.kspace[0] = 0
    measurements.kspace[2, 0, :, 3] = torch.nan
    found = TotalVariation()(measurements)
    assert not found[0].any()
    assert found[1].isfinite().all()
    assert not found[2].isfinite().all()


def test_every_step_stays_on_the_device_of_the_measurements():
    kspace = torch.zeros(2, 3, 9, 8, dtype=torch.complex64, device="meta")
    mask = torch.zeros(2, 1, 9, 1, dtype=torch.bool, device="meta")
    found = TotalVariation(iterations=2)(Measurements(kspace, mask, kspace))
    assert (found.device.type, found.shape, found.dtype) == ("meta", (2, 9, 8), torch.complex64)
