import numpy as np
import pytest

from echotrain.engine.errors import DataError
from echotrain.gadgets.remove_oversampling import RemoveOversampling
from echotrain.models.fourier import centre, centred_ifft


def image(samples):
    return centred_ifft(samples.astype(np.complex128), (-1,))


def test_the_image_along_the_readout_is_the_middle_of_the_oversampled_one(scans):
    scan = scans.Scan()
    block = scan.all_lines()
    (out,) = scans.run(scan, RemoveOversampling(), block)
    np.testing.assert_allclose(image(out.samples), centre(image(block.samples), (8, 3, 8)), atol=1e-6)
    head = out.headers[0]
    assert (head["number_of_samples"], head["center_sample"], head["sample_time_us"]) == (8, 4, 10)
    assert out.prepared.columns == 8


def test_an_asymmetric_echo_is_placed_by_its_centre_and_says_which_columns_it_fills(scans):
    scan = scans.Scan()
    block = scan.readouts([0], samples=12, center_sample=4)
    (out,) = scans.run(scan, RemoveOversampling(), block)
    whole = np.zeros((1, 3, 16), np.complex64)
    whole[:, :, 4:] = block.samples
    np.testing.assert_allclose(image(out.samples), centre(image(whole), (1, 3, 8)), atol=1e-6)
    assert (out.headers["discard_pre"][0], out.headers["discard_post"][0]) == (2, 0)


def test_discarded_samples_count_as_zero(scans):
    scan = scans.Scan()
    block = scan.readouts([0], discard_pre=2, discard_post=1)
    (out,) = scans.run(scan, RemoveOversampling(), block)
    whole = block.samples.copy()
    whole[:, :, :2] = whole[:, :, 15:] = 0
    np.testing.assert_allclose(image(out.samples), centre(image(whole), (1, 3, 8)), atol=1e-6)


def test_reversed_readouts_are_turned_round_with_what_they_discard(scans):
    scan = scans.Scan()
    block = scan.readouts([0, 1], discard_pre=2)
    block.headers["flags"][1] = scans.bit("IS_REVERSE")
    out = scans.run(scan, RemoveOversampling(), block)
    assert [len(part) for part in out] == [1, 1]
    turned = block.samples[1:, :, ::-1].copy()
    turned[:, :, 14:] = 0
    np.testing.assert_allclose(image(out[1].samples), centre(image(turned), (1, 3, 8)), atol=1e-6)
    assert out[1].headers["flags"][0] == 0


def test_matrices_decide_where_the_header_gives_no_field_of_view(scans):
    scan = scans.Scan(fov=(0, 0, 0), recon_fov=(0, 0, 0))
    (out,) = scans.run(scan, RemoveOversampling(), scan.readouts([0]))
    assert out.samples.shape == (1, 3, 8)


def test_fields_of_view_decide_where_the_image_is_interpolated(scans):
    scan = scans.Scan(recon=(32, 8, 1))
    (out,) = scans.run(scan, RemoveOversampling(), scan.readouts([0]))
    assert out.samples.shape == (1, 3, 8)


def test_without_oversampling_and_for_noise_readouts_nothing_changes(scans):
    plain = scans.Scan(matrix=(8, 8, 1), fov=(200, 200, 5))
    block = plain.readouts([0])
    assert scans.run(plain, RemoveOversampling(), block) == [block]
    scan = scans.Scan()
    noise = scan.readouts([0], samples=30, flags=scans.bit("IS_NOISE_MEASUREMENT"))
    (out,) = scans.run(scan, RemoveOversampling(), noise)
    assert out.samples is noise.samples or (out.samples == noise.samples).all()
    assert out.prepared.columns is None


def test_samples_beyond_the_grid_are_refused(scans):
    scan = scans.Scan()
    with pytest.raises(DataError, match="would cover the columns 6 to 17, expected within 0 to 15"):
        scans.run(scan, RemoveOversampling(), scan.readouts([0], samples=12, center_sample=2))


def test_a_centre_that_was_not_given_is_the_middle_and_that_is_said(scans):
    scan = scans.Scan()
    (middle,) = scans.run(scan, RemoveOversampling(), scan.readouts([0]))
    (unset,) = scans.run(scan, RemoveOversampling(), scan.readouts([0], center_sample=0))
    np.testing.assert_array_equal(unset.samples, middle.samples)
    assert "center_sample was not given" in unset.prepared.history[-1]
