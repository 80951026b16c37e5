import math

import pytest
import torch

from echotrain.models.coils.calibration import calibration_kspace
from echotrain.models.coils.espirit import espirit_kernel, espirit_maps
from echotrain.models.operators.fourier import FourierOperator

EXACT = {"threshold": 1e-3, "iterations": 200}


def everything(kspace):
    return torch.ones(1, 1, *kspace.shape[2:-1], 1, dtype=torch.bool)


@pytest.mark.parametrize("shape", [(32, 28), (33, 40), (31, 27), (14, 13, 16)], ids=str)
def test_band_limited_sensitivities_are_found_exactly(coil, shape):
    maps, kspace = coil.data(5, shape)
    kernel = 6 if len(shape) == 2 else 5
    calibration = calibration_kspace(kspace, everything(kspace), width=24, least=kernel)
    found, eigenvalues = espirit_maps(calibration, shape, kernel=kernel, **EXACT)
    assert found.shape == (1, 5, *shape)
    assert found.dtype == torch.complex64
    assert eigenvalues.min() > 0.9999
    assert coil.alignment(found, maps).min() > 0.9999
    torch.testing.assert_close(found.abs().square().sum(dim=1), torch.ones(1, *shape))


def test_the_phase_makes_the_strongest_combination_of_coils_real(coil):
    _, kspace = coil.data(4, (24, 24))
    found, _ = espirit_maps(kspace, (24, 24), **EXACT)
    flat = kspace.flatten(2)
    reference = torch.linalg.eigh(flat @ flat.mH).eigenvectors[0, :, -1]
    combined = (reference.conj().view(1, -1, 1, 1) * found).sum(dim=1)
    assert combined.real.min() >= 0
    assert combined.imag.abs().max() < 1e-5


def test_a_batch_is_what_its_entries_are_alone(coil):
    _, first = coil.data(4, (20, 20), seed=0)
    _, second = coil.data(4, (20, 20), seed=5)
    both = torch.cat([first, 1e3 * second])
    maps, eigenvalues = espirit_maps(both, (24, 26), threshold=0.05)
    for entry, alone in enumerate((first, second)):
        expected, values = espirit_maps(alone, (24, 26), threshold=0.05)
        torch.testing.assert_close(eigenvalues[entry : entry + 1], values, atol=1e-4, rtol=0)
        torch.testing.assert_close(
            coil.alignment(maps[entry : entry + 1], expected).round(), expected.abs().sum(1).sign()
        )


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e8])
def test_the_unit_of_k_space_does_not_matter(coil, scale):
    _, kspace = coil.data(4, (20, 20))
    maps, _ = espirit_maps(kspace, (20, 20))
    scaled, _ = espirit_maps(kspace * scale, (20, 20))
    torch.testing.assert_close(scaled, maps, atol=1e-3, rtol=1e-3)


def disc(shape, radius):
    y, x = (torch.arange(n) - n // 2 for n in shape)
    return ((y[:, None] / shape[0]) ** 2 + (x / shape[1]) ** 2).sqrt() < radius


def test_maps_are_zero_outside_the_object(coil):
    shape = (48, 48)
    _, kspace = coil.data(5, shape)
    fourier = FourierOperator()
    kspace = fourier(fourier.adjoint(kspace) * disc(shape, 0.25))
    maps, eigenvalues = espirit_maps(calibration_kspace(kspace, everything(kspace)), shape)
    support = maps.abs().sum(dim=1)[0] > 0
    assert torch.equal(support, eigenvalues[0] > 0.8)
    assert support[disc(shape, 0.22)].all()
    assert not support[~disc(shape, 0.4)].any()


def test_one_coil_has_a_map_of_ones_where_there_is_signal():
    fourier = FourierOperator()
    shape = (32, 32)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 1, *shape, dtype=torch.complex64, generator=generator) * disc(shape, 0.25)
    maps, _ = espirit_maps(fourier(image), shape)
    inside = disc(shape, 0.2)
    torch.testing.assert_close(maps[0, 0][inside], torch.ones(int(inside.sum()), dtype=torch.complex64))
    assert not maps[0, 0][~disc(shape, 0.4)].any()


def test_few_calibration_lines_use_the_smaller_gram_matrix_and_give_the_same_maps(coil):
    maps, kspace = coil.data(8, (32, 32))
    lines = calibration_kspace(kspace, everything(kspace), width=32)[:, :, 9:22]  # 8 x 27 positions, 8 x 36 elements
    found, _ = espirit_maps(lines, (32, 32), **EXACT)
    assert coil.alignment(found, maps).min() > 0.999


def test_a_volume_thinner_than_the_kernel_is_taken_whole(coil):
    maps, kspace = coil.data(4, (3, 24, 24))
    found, _ = espirit_maps(kspace, (3, 24, 24), **EXACT)
    assert found.shape == maps.shape
    assert torch.isfinite(torch.view_as_real(found)).all()


def test_slabs_leave_no_seam(coil, monkeypatch):
    _, kspace = coil.data(4, (20, 20))
    whole, _ = espirit_maps(kspace, (20, 20))
    monkeypatch.setattr("echotrain.models.coils.espirit._SLAB_BYTES", 8 * 16 * 20 * 3)
    slabs, _ = espirit_maps(kspace, (20, 20))
    torch.testing.assert_close(slabs, whole, atol=1e-5, rtol=1e-4)


def test_k_space_without_signal_has_maps_of_zeros():
    maps, eigenvalues = espirit_maps(torch.zeros(2, 3, 12, 12, dtype=torch.complex64), (16, 16))
    assert not maps.any()
    assert not eigenvalues.any()


def test_too_few_lines_and_values_that_are_not_finite_are_refused(coil):
    _, kspace = coil.data(3, (16, 16))
    with pytest.raises(ValueError, match=r"region is \(4, 16\), expected at least the kernel, \(6, 6\): acquire more"):
        espirit_maps(kspace[:, :, 6:10], (16, 16))
    kspace[0, 0, 3, 3] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        espirit_maps(kspace, (16, 16))


def test_patches_have_an_edge_of_six_but_five_places_across_the_calibration_lines():
    assert [espirit_kernel(lines) for lines in (1, 5, 6, 8, 9, 10, 24)] == [1, 1, 2, 4, 5, 6, 6]
