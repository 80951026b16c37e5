from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.engine.messages import NoiseState, Preparation
from echotrain.engine.records import CalibratedKSpace, KSpace
from echotrain.gadgets._measurements import measurements_of, reconstruction_of
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.reconstruct_fourier import ReconstructFourier, reconstruction_grid

PLAIN = {"matrix": (8, 6, 1), "recon": (8, 6, 1), "fov": (200, 200, 5)}


def calibrated(scans, scan, *blocks):
    """K-space with maps of the first coil alone, so that its image is that coil's."""
    (kspace,) = [m for m in scans.run(scan, [Accumulate()], *blocks) if isinstance(m, KSpace)]
    maps = np.zeros((scan.coils, *reconstruction_grid(kspace.encoding)), np.complex64)
    maps[0] = 1
    maps.flags.writeable = False
    return CalibratedKSpace(kspace, maps, "known", (*kspace.history, "maps: known"))


def first_coil(calibrated):
    """What the Fourier chain makes of the first coil."""
    (images,) = ReconstructFourier().receive(calibrated.kspace)
    return images.data[0]


@pytest.mark.parametrize(
    "geometry",
    [
        PLAIN,
        {"matrix": (7, 5, 1), "recon": (7, 5, 1), "fov": (200, 200, 5)},
        {"matrix": (16, 12, 1), "recon": (8, 10, 1), "fov": (400, 240, 5)},
        {"matrix": (8, 6, 1), "recon": (16, 9, 1), "fov": (200, 200, 5)},
        {"matrix": (8, 6, 4), "recon": (8, 6, 3), "fov": (200, 200, 20), "recon_fov": (200, 200, 15)},
    ],
    ids=["plain", "odd", "oversampled", "interpolated", "volume"],
)
def test_a_zero_filled_image_is_what_the_fourier_chain_makes(scans, geometry):
    scan = scans.Scan(**geometry)
    record = calibrated(scans, scan, scan.all_lines())
    measurements = measurements_of(record)
    assert measurements.kspace.ndim == (4 if scan.matrix[2] == 1 else 5)
    assert measurements.kspace.dtype == torch.complex64
    out = reconstruction_of(record, measurements.zero_filled(), method="sense", step="x", magnitude=False)
    assert out.data.shape == (1, *scan.recon[::-1])
    np.testing.assert_allclose(out.data[0], first_coil(record), atol=1e-5)


def test_the_mask_says_which_lines_were_sampled(scans):
    scan = scans.Scan(**PLAIN)
    measurements = measurements_of(calibrated(scans, scan, scan.readouts([1, 3, 5])))
    assert measurements.mask.shape == (1, 1, 6, 1)
    assert measurements.mask.flatten().tolist() == [False, True, False, True, False, True]
    finer = scans.Scan(**{**PLAIN, "recon": (8, 12, 1)})
    mask = measurements_of(calibrated(scans, finer, finer.readouts([1, 3, 5]))).mask
    assert mask.flatten().nonzero().flatten().tolist() == [4, 6, 8]


def test_columns_beside_an_asymmetric_echo_are_neither_sampled_nor_taken(scans):
    scan = scans.Scan(**PLAIN)
    record = calibrated(scans, scan, scan.readouts(range(6), samples=5, center_sample=1))
    tails = record.kspace.data + np.float32(1)
    record = replace(record, kspace=replace(record.kspace, data=tails))
    measurements = measurements_of(record)
    assert measurements.mask.shape == (1, 1, 6, 8)
    assert measurements.mask[0, 0, 2].nonzero().flatten().tolist() == [3, 4, 5, 6, 7]
    assert not measurements.kspace[..., :3].any()


@pytest.mark.parametrize(("mode", "lines"), [("embedded", [0, 2, 3, 4]), ("separate", [0, 2, 4])])
def test_embedded_calibration_lines_count_as_sampled_and_separate_ones_do_not(scans, mode, lines):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1), calibration_mode=mode)
    both = scan.readouts([2], flags=scans.bit("IS_PARALLEL_CALIBRATION_AND_IMAGING"))
    own = scan.readouts([3], flags=scans.bit("IS_PARALLEL_CALIBRATION"), seed=1)
    record = calibrated(scans, scan, both, own, scan.readouts([0, 4], seed=2))
    measurements = measurements_of(record)
    assert measurements.mask.flatten().nonzero().flatten().tolist() == lines
    assert measurements.kspace[0, 0].abs().sum(-1).nonzero().flatten().tolist() == lines
    if mode == "embedded":
        np.testing.assert_array_equal(measurements.kspace[0, :, 3], own.samples[0])
    out = reconstruction_of(record, measurements.zero_filled(), method="sense", step="last")
    assert ("1 embedded calibration lines taken as sampled" in out.history) == (mode == "embedded")


def test_only_prewhitened_and_fully_sampled_images_are_in_snr_units(scans):
    scan = scans.Scan(**PLAIN)
    white = Preparation(noise=NoiseState(prewhitened=True, source="here"))
    blocks = [scan.all_lines(), *(replace(b, prepared=white) for b in (scan.all_lines(), scan.readouts([1, 3, 5])))]
    records = [calibrated(scans, scan, block) for block in blocks]
    assert [measurements_of(r).noise for r in records] == [None, pytest.approx(2**0.5), pytest.approx(2**0.5)]
    images = [reconstruction_of(r, measurements_of(r).zero_filled(), method="m", step="s") for r in records]
    assert [image.unit for image in images] == ["a.u.", "SNR", "k-space noise"]


def test_a_reconstruction_carries_labels_history_and_metadata(scans):
    scan = scans.Scan(**PLAIN)
    record = calibrated(scans, scan, scan.readouts(range(5), slice=3))
    image = measurements_of(record).zero_filled()
    out = reconstruction_of(record, image, method="sense", step="sense: 10 steps", meta={"EchotrainSteps": "10"})
    assert (out.method, out.quantity, out.variant, out.key.slice) == ("sense", "magnitude", "acquired", 3)
    assert out.data.dtype == np.float32
    np.testing.assert_allclose(out.data, image.abs()[None], rtol=1e-6)
    assert out.history == (*record.history, "sense: 10 steps")
    assert out.meta["EchotrainSteps"] == "10"
    assert out.meta["EchotrainMissingLines"] == "1"


def test_maps_of_another_grid_are_refused(scans):
    scan = scans.Scan(**PLAIN)
    record = calibrated(scans, scan, scan.all_lines())
    with pytest.raises(ValueError, match="expected both complex"):
        measurements_of(replace(record, sensitivities=record.sensitivities[..., :-1]))
