from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.engine.errors import DataError
from echotrain.engine.records import CalibratedKSpace, KSpace, Reconstruction
from echotrain.gadgets._measurements import measurements_of
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.reconstruct_compressed_sensing import ReconstructCompressedSensing
from echotrain.gadgets.reconstruct_fourier import reconstruction_grid
from echotrain.models.classical.total_variation import TotalVariation
from echotrain.models.classical.wavelet_l1 import WaveletL1
from echotrain.models.fourier import centred_fft

PLAIN = {"matrix": (24, 32, 1), "recon": (24, 32, 1), "fov": (200, 200, 5), "coils": 4}
LINES = [0, 3, 5, 9, 11, 13, 14, 15, 16, 17, 18, 20, 23, 26, 29, 30]


def calibrated(scans, *, lines=LINES, geometry=PLAIN, scale=1.0):
    """K-space of a box seen through smooth maps, those maps, and the box."""
    scan = scans.Scan(**geometry)
    (kspace,) = [m for m in scans.run(scan, Accumulate(), scan.readouts(lines)) if isinstance(m, KSpace)]
    grid = reconstruction_grid(kspace.encoding)
    box = np.zeros(grid, complex)
    box[..., grid[1] // 4 : -grid[1] // 4, grid[2] // 4 : -grid[2] // 4] = scale
    z, y, x = (np.linspace(-1, 1, n).reshape([-1 if a == b else 1 for b in range(3)]) for a, n in enumerate(grid))
    maps = np.stack([np.exp(1j * a * y - (y - a) ** 2 - (x - b) ** 2 + 0 * z) for a in (-1, 1) for b in (-1, 1)])
    maps = np.asarray(maps / np.linalg.norm(maps, axis=0), np.complex64)
    data = np.asarray(centred_fft(maps * box, (1, 2, 3)) * kspace.sampled[:, :, None], np.complex64)
    return CalibratedKSpace(replace(kspace, data=data), maps, "known", (*kspace.history, "maps")), box


def sparsest(scans, record, **fields):
    gadget = ReconstructCompressedSensing(device="cpu", **fields)
    gadget.start(scans.Scan(**PLAIN).context(seed=3))
    return list(gadget.receive(record))


@pytest.mark.parametrize(("fields", "error"), [({}, 0.05), ({"regulariser": "tv"}, 0.02), ({"wavelet": "haar"}, 0.03)])
def test_a_box_comes_back_from_half_its_lines(scans, fields, error):
    record, box = calibrated(scans)
    (out,) = sparsest(scans, record, magnitude=False, **fields)
    assert out.data.dtype == np.complex64
    assert np.linalg.norm(out.data[0] - box) < error * np.linalg.norm(box)


@pytest.mark.parametrize(
    ("fields", "solve"),
    [
        ({"wavelet": "haar", "weight": 0.02}, WaveletL1(weight=0.02, iterations=9, wavelet="haar", seed=3)),
        ({}, WaveletL1(iterations=9, seed=3)),
        ({"regulariser": "tv", "weight": 0.02}, TotalVariation(weight=0.02, iterations=9)),
        ({"regulariser": "tv"}, TotalVariation(iterations=9)),
    ],
)
def test_fields_and_the_sessions_seed_reach_the_numerics(scans, fields, solve):
    record, _ = calibrated(scans)
    (out,) = sparsest(scans, record, iterations=9, magnitude=False, **fields)
    torch.testing.assert_close(torch.from_numpy(out.data[0]), solve(measurements_of(record)))


@pytest.mark.parametrize("regulariser", ["wavelet", "tv"])
def test_volumes_are_reconstructed_whole(scans, regulariser):
    geometry = {**PLAIN, "matrix": (12, 15, 5), "recon": (12, 15, 5)}
    lines = [(z, y) for z in range(5) for y in range(15) if (z + y) % 3 or 5 <= y <= 9]
    record, box = calibrated(scans, lines=lines, geometry=geometry)
    (out,) = sparsest(scans, record, regulariser=regulariser)
    assert out.data.shape == (1, 5, 15, 12)
    assert out.meta["EchotrainMethodSettings"].endswith(", volume = true }")
    assert np.linalg.norm(out.data[0] - box) < 0.1 * np.linalg.norm(box)


def test_the_image_says_how_it_was_made(scans):
    record, _ = calibrated(scans)
    (wavelet,) = sparsest(scans, record, iterations=2)
    assert wavelet.method == "cs-wavelet"
    assert wavelet.history[-1] == (
        "reconstruct_compressed_sensing: 2 iterations of FISTA, L1 norm of db2 wavelets, weight 0.005, seed 3"
    )
    (tv,) = sparsest(scans, record, iterations=2, regulariser="tv")
    assert tv.method == "cs-tv"
    assert tv.history[-1].endswith("total variation, weight 0.004")
    settings = "cs-tv = { weight = 0.004, iterations = 2, inner_iterations = 3 }"
    assert tv.meta["EchotrainMethodSettings"] == settings


def test_k_space_is_passed_on_if_it_is_to_be_kept(scans):
    record, _ = calibrated(scans)
    image, kept = sparsest(scans, record, iterations=1, keep_kspace=True)
    assert isinstance(image, Reconstruction)
    assert kept is record
    assert ReconstructCompressedSensing().types().makes == (Reconstruction,)


@pytest.mark.parametrize("regulariser", ["wavelet", "tv"])
def test_no_signal_gives_zeros_and_what_is_not_finite_is_refused(scans, regulariser):
    record, _ = calibrated(scans, scale=0)
    (out,) = sparsest(scans, record, regulariser=regulariser)
    assert not out.data.any()
    data = record.kspace.data.copy()
    data[1, 0, 3, 5] = np.nan
    with pytest.raises(DataError, match="not finite"):
        sparsest(scans, replace(record, kspace=replace(record.kspace, data=data)), regulariser=regulariser)
