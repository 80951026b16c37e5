import numpy as np
import pytest

from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.reconstruct_fourier import ReconstructFourier
from echotrain.gadgets.remove_oversampling import RemoveOversampling


def coil_images(scans, scan, *blocks, gadgets=()):
    (out,) = scans.run(scan, [*gadgets, Accumulate(), ReconstructFourier()], *blocks)
    return out


def by_shifts(kspace):
    axes = (1, 2, 3)
    wide = kspace.astype(np.complex128)
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(wide, axes), axes=axes, norm="ortho"), axes)


@pytest.mark.parametrize("matrix", [(16, 8, 1), (15, 9, 1), (6, 10, 7)])
def test_coil_images_are_the_centred_transform_in_single_precision(scans, matrix):
    scan = scans.Scan(matrix=matrix, recon=matrix, fov=(200, 200, 5))
    out = coil_images(scans, scan, scan.all_lines())
    expected = by_shifts(out.kspace.data)
    assert out.data.dtype == np.complex64
    assert np.linalg.norm(out.data - expected) < 1e-6 * np.linalg.norm(expected)


def test_oversampling_along_every_axis_is_cropped_in_the_image(scans):
    scan = scans.Scan(matrix=(16, 12, 6), recon=(8, 10, 4), fov=(400, 240, 60), recon_fov=(200, 200, 40))
    block = scan.all_lines()
    out = coil_images(scans, scan, block)
    expected = by_shifts(out.kspace.data)[:, 1:5, 1:11, 4:12]
    np.testing.assert_allclose(out.data, expected, atol=1e-5)
    early = coil_images(scans, scan, block, gadgets=[RemoveOversampling()])
    np.testing.assert_allclose(early.data, expected, atol=1e-5)


def test_a_finer_reconstruction_matrix_interpolates(scans):
    scan = scans.Scan(matrix=(8, 8, 1), recon=(16, 16, 1), fov=(200, 200, 5), recon_fov=(200, 200, 5))
    out = coil_images(scans, scan, scan.all_lines())
    assert out.data.shape == (3, 1, 16, 16)
    np.testing.assert_allclose(out.data[:, :, ::2, ::2] * 2, by_shifts(out.kspace.data), atol=1e-5)


def test_matrices_alone_decide_where_no_field_of_view_is_given(scans):
    scan = scans.Scan(matrix=(16, 8, 1), recon=(8, 8, 1), fov=(0, 0, 0), recon_fov=(0, 0, 0))
    out = coil_images(scans, scan, scan.all_lines())
    np.testing.assert_allclose(out.data, by_shifts(out.kspace.data)[..., 4:12], atol=1e-5)


def test_the_history_says_that_undersampled_images_are_aliased(scans):
    scan = scans.Scan(acceleration=(2, 1))
    out = coil_images(scans, scan, scan.readouts(range(0, 8, 2)))
    assert out.history[-1].endswith("acceleration 2 x 1 not unfolded")
