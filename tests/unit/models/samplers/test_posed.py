"""Scans as problems for samplers."""

import math
from dataclasses import replace

import pytest
import torch

from echotrain.models.classical.zero_filled import ZeroFilled
from echotrain.models.measurements import Measurements
from echotrain.models.operators.slicewise import Slicewise
from echotrain.models.samplers.posed import calibration_mask, pose


def scan(scale=1.0, noise=0.05, size=(24, 20), coils=3):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, coils, *size, dtype=torch.complex64, generator=generator)
    maps /= maps.abs().square().sum(dim=1, keepdim=True).sqrt()
    mask = torch.zeros(1, 1, size[0], 1, dtype=torch.bool)
    mask[:, :, ::2] = True
    mask[:, :, 8:16] = True
    image = torch.full((1, *size), 2.0, dtype=torch.complex64)
    empty = Measurements(torch.zeros_like(maps), mask, maps)
    k = empty.operator()(image)
    k = k + noise * torch.randn(k.shape, dtype=torch.complex64, generator=generator) * mask
    return Measurements(scale * k, mask, maps, noise * scale)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e5])
def test_a_scan_of_any_unit_becomes_the_same_problem(scale):
    posed, expected = pose(scan(scale)), pose(scan())
    assert posed.scale == pytest.approx(scale * expected.scale, rel=1e-4)
    assert posed.problem.sigma == pytest.approx(expected.problem.sigma, rel=1e-4)
    torch.testing.assert_close(posed.problem.y, expected.problem.y, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(posed.problem.start, expected.problem.start, rtol=1e-3, atol=1e-3)


def test_images_have_an_intensity_of_one_and_noise_is_that_of_each_part():
    posed = pose(scan())
    assert posed.scale == pytest.approx(2, rel=0.05)
    assert posed.problem.sigma == pytest.approx(0.05 / math.sqrt(2) / posed.scale)
    assert not posed.estimated


def test_unknown_noise_is_estimated_and_that_is_told():
    posed = pose(replace(scan(), noise=None))
    assert posed.estimated
    assert posed.noise > 0


def test_a_problem_of_several_samples_repeats_the_scan():
    problem = pose(scan()).problem
    several = problem.repeated(3)
    assert len(several) == 3
    zero_filled = several.operator.adjoint(several.y)
    assert zero_filled.shape == several.shape == several.start.shape
    for n in range(3):
        torch.testing.assert_close(zero_filled[n], problem.operator.adjoint(problem.y)[0])


def test_hot_starts_begin_at_the_image_of_any_method_in_the_unit_of_the_prior():
    measurements = scan()
    posed, conventional = pose(measurements, ZeroFilled()), pose(measurements)
    assert posed.scale == conventional.scale
    torch.testing.assert_close(posed.problem.start, measurements.zero_filled() / posed.scale)
    assert not torch.allclose(posed.problem.start, conventional.problem.start, rtol=0.1)


def test_a_volume_starts_at_images_of_its_slices():
    slices = [scan(size=(24, 20)), scan(scale=2.0, size=(24, 20))]
    volume = Measurements(
        *(torch.stack([getattr(one, part) for one in slices], 2) for part in ("kspace", "mask", "maps"))
    )
    k = torch.fft.fftshift(torch.fft.fft(torch.fft.ifftshift(volume.kspace, dim=2), dim=2, norm="ortho"), dim=2)
    posed = pose(replace(volume, kspace=k, noise=0.05), ZeroFilled())
    expected = torch.stack([one.zero_filled() for one in slices], 1)
    torch.testing.assert_close(posed.problem.start * posed.scale, expected, rtol=1e-4, atol=1e-4)


def test_a_start_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="the image to start at holds values that are not finite"):
        pose(scan(), lambda measurements: measurements.zero_filled() * float("nan"))


@pytest.mark.parametrize("whole", [True, False])
def test_a_volume_is_one_problem_whatever_was_sampled_of_its_partitions(whole):
    flat = scan()
    maps = torch.stack([flat.maps, flat.maps.roll(1, dims=3), flat.maps.conj()], dim=2)
    mask = flat.mask.unsqueeze(2).repeat(1, 1, 3, 1, 1)
    if not whole:
        mask[:, :, 0] = ~mask[:, :, 0]
    image = torch.tensor([1.0, 2.0, 3.0])[None, :, None, None] * torch.ones(1, 3, 24, 20, dtype=torch.complex64)
    volume = Measurements(torch.zeros_like(maps), mask, maps, 0.05)
    posed = pose(replace(volume, kspace=volume.operator()(image)))
    assert posed.problem.shape == (1, 3, 24, 20)
    assert isinstance(posed.problem.operator, Slicewise) == whole
    torch.testing.assert_close(posed.problem.operator(image) / posed.scale, posed.problem.y, rtol=1e-4, atol=1e-4)
    assert (posed.problem.start * posed.scale - image).abs().square().mean().sqrt() < 0.1
    several = posed.problem.repeated(2)
    assert several.operator.adjoint(several.y).shape == (2, 3, 24, 20)


def test_the_calibration_region_is_what_was_sampled_without_gaps():
    mask = calibration_mask(scan())
    assert mask.shape == (1, 24, 1)
    assert mask.flatten().nonzero().flatten().tolist() == list(range(8, 17))  # 16 is one of every other line


def test_without_the_central_line_there_is_no_calibration_region():
    without = scan()
    without.mask[:, :, 12] = False
    assert calibration_mask(without) is None


def test_no_signal_several_slices_and_values_that_are_not_finite_are_refused():
    good = scan()
    with pytest.raises(ValueError, match="no signal"):
        pose(replace(good, kspace=torch.zeros_like(good.kspace)))
    with pytest.raises(ValueError, match="got 2 slices, expected one"):
        pose(Measurements(*(torch.cat([part, part]) for part in (good.kspace, good.mask, good.maps))))
    with pytest.raises(ValueError, match="not finite"):
        pose(replace(good, kspace=good.kspace * math.nan))
