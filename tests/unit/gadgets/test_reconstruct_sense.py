from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import ConfigurationError, DataError
from echotrain.engine.messages import NoiseState
from echotrain.engine.records import CalibratedKSpace, KSpace, Reconstruction
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.reconstruct_fourier import reconstruction_grid
from echotrain.gadgets.reconstruct_sense import ReconstructSense
from echotrain.models.fourier import centred_fft

PLAIN = {"matrix": (12, 16, 1), "recon": (12, 16, 1), "fov": (200, 200, 5), "coils": 4}


def calibrated(scans, scan, lines, *, scale=1.0):
    """K-space of a random image seen through random maps, those maps, and the image."""
    (kspace,) = [m for m in scans.run(scan, Accumulate(), scan.readouts(lines)) if isinstance(m, KSpace)]
    rng = np.random.default_rng(0)
    grid = reconstruction_grid(kspace.encoding)
    maps, image = (rng.standard_normal((*s, *grid, 2)) @ (1, 1j) for s in ((scan.coils,), ()))
    maps /= np.linalg.norm(maps, axis=0)
    data = np.asarray(centred_fft(scale * maps * image, (1, 2, 3)) * kspace.sampled[:, :, None], np.complex64)
    for array in (data, maps := maps.astype(np.complex64)):
        array.flags.writeable = False
    return CalibratedKSpace(replace(kspace, data=data), maps, "known", (*kspace.history, "maps")), scale * image


def unfold(record, **fields):
    gadget = ReconstructSense(device="cpu", **fields)
    return list(gadget.receive(record))


@pytest.mark.parametrize(
    "geometry",
    [PLAIN, {**PLAIN, "matrix": (11, 15, 1), "recon": (11, 15, 1)}, {**PLAIN, "matrix": (6, 8, 5), "recon": (6, 8, 5)}],
    ids=["plain", "odd", "volume"],
)
def test_half_the_lines_and_four_coils_give_the_image(scans, geometry):
    scan = scans.Scan(**geometry)
    nz, ny = scan.matrix[2], scan.matrix[1]
    record, image = calibrated(scans, scan, [(z, y) for z in range(nz) for y in range(ny) if y % 2 == 0 or y % 7 == 0])
    (out,) = unfold(record, iterations=200, regularisation=0.0, magnitude=False)
    assert out.data.dtype == np.complex64
    np.testing.assert_allclose(out.data[0], image, atol=1e-3)
    (magnitude,) = unfold(record, iterations=200, regularisation=0.0)
    assert magnitude.data.dtype == np.float32
    np.testing.assert_allclose(magnitude.data[0], np.abs(image), atol=1e-3)


@pytest.mark.parametrize("coils", [1, 4])
def test_a_fully_sampled_scan_is_exact(scans, coils):
    record, image = calibrated(scans, scans.Scan(**{**PLAIN, "coils": coils}), range(16))
    (out,) = unfold(record, regularisation=0.0, magnitude=False)
    np.testing.assert_allclose(out.data[0], image, atol=1e-5)


def test_the_image_says_how_it_was_made(scans):
    record, _ = calibrated(scans, scans.Scan(**PLAIN), range(0, 16, 2))
    record = replace(record, kspace=replace(record.kspace, variant="copy", noise=NoiseState(prewhitened=True)))
    (out,) = unfold(record, iterations=7, regularisation=0.25)
    assert (out.method, out.variant, out.key) == ("sense", "copy", record.kspace.key)
    assert out.history == (*record.history, "reconstruct_sense: 7 conjugate gradient steps, lambda 0.25")


def test_k_space_is_passed_on_if_it_is_to_be_kept(scans):
    record, _ = calibrated(scans, scans.Scan(**PLAIN), range(16))
    image, kept = unfold(record, keep_kspace=True)
    assert isinstance(image, Reconstruction)
    assert kept is record
    assert ReconstructSense().types().makes == (Reconstruction,)
    assert ReconstructSense(keep_kspace=True).types().makes == (Reconstruction, CalibratedKSpace)


def test_k_space_without_signal_gives_an_image_of_zeros(scans):
    record, _ = calibrated(scans, scans.Scan(**PLAIN), range(16), scale=0.0)
    (out,) = unfold(record)
    assert not out.data.any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_k_space_that_is_not_finite_is_refused(scans, value):
    record, _ = calibrated(scans, scans.Scan(**PLAIN), range(16))
    data = record.kspace.data.copy()
    data[1, 0, 3, 5] = value
    with pytest.raises(DataError, match="slice 0: k-space holds values that are not finite"):
        unfold(replace(record, kspace=replace(record.kspace, data=data)))


def test_maps_of_other_coils_are_refused(scans):
    record, _ = calibrated(scans, scans.Scan(**PLAIN), range(16))
    with pytest.raises(DataError, match="slice 0: "):
        unfold(replace(record, sensitivities=record.sensitivities[:2]))


def test_a_device_that_is_not_there_is_refused_before_the_first_readout(scans):
    with pytest.raises(ConfigurationError, match="abacus"):
        scans.run(scans.Scan(**PLAIN), ReconstructSense(device="abacus"))
