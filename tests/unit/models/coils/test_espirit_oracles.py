"""ESPIRiT against other implementations of it, on simulated coils and on a real brain."""

import shutil
import subprocess

import h5py
import numpy as np
import pytest
import torch

from echotrain.models.coils.calibration import calibration_kspace
from echotrain.models.coils.espirit import espirit_maps
from echotrain.models.fourier import centred_fft

needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")
BART = {"threshold": 0.001**0.5, "crop": 0.8}  # what `bart ecalib` does by default: its threshold is of powers
SIGPY = {"threshold": 0.02, "crop": 0.95}  # what sigpy does by default


def brain(folder):
    """K-space (coils, ky, kx) of the real brain."""
    with h5py.File(folder / "raw" / "brain_t1_7ch.h5") as file:
        rows = file["dataset/data"][()]
    lines = [(int(row["head"]["idx"]["kspace_encode_step_1"]), row) for row in rows]
    coils, samples = (int(rows[0]["head"][name]) for name in ("active_channels", "number_of_samples"))
    kspace = np.zeros((coils, 1 + max(number for number, _ in lines), samples), np.complex64)
    for number, row in lines:
        kspace[:, number] = row["data"].view(np.complex64).reshape(coils, samples)
    return kspace


@pytest.fixture
def simulated():
    """K-space (coils, ky, kx) of an ellipse with texture, seen by four smooth coils, with some noise."""
    rng = np.random.default_rng(0)
    y, x = (np.arange(n) / n - 0.5 for n in (60, 48))
    body = (y[:, None] / 0.35) ** 2 + (x / 0.3) ** 2 < 1
    image = body * (1 + 0.3 * np.sin(17 * y)[:, None] * np.cos(23 * x)) * np.exp(1j * (3 * x + 2 * y[:, None] ** 2))
    angles = np.arange(4) * np.pi / 2
    coils = [np.exp(-((y[:, None] - 0.5 * np.sin(a)) ** 2 + (x - 0.5 * np.cos(a)) ** 2) / 0.3 + 1j * a) for a in angles]
    kspace = centred_fft(np.array(coils) * image, (1, 2))
    return (kspace + 0.01 * (rng.standard_normal((*kspace.shape, 2)) @ [1, 1j])).astype(np.complex64)


def ours(kspace, **options):
    whole = torch.from_numpy(kspace)[None]
    region = calibration_kspace(whole, torch.ones(1, 1, kspace.shape[1], 1, dtype=torch.bool), width=24)
    maps, eigenvalues = espirit_maps(region, kspace.shape[1:], **options)
    return maps[0].numpy(), eigenvalues[0].numpy()


def ecalib(kspace, folder):
    """Maps (coils, y, x) and eigenvalues of `bart ecalib -m1 -r24`."""
    turned = kspace.transpose(2, 1, 0)[:, :, None, :]
    (folder / "k.hdr").write_text("# Dimensions\n" + " ".join(map(str, turned.shape)) + "\n")
    turned.ravel(order="F").tofile(folder / "k.cfl")
    subprocess.run(["bart", "ecalib", "-m1", "-r24", "k", "m", "e"], cwd=folder, check=True, capture_output=True)
    maps = np.fromfile(folder / "m.cfl", np.complex64).reshape(turned.shape, order="F")[:, :, 0].transpose(2, 1, 0)
    values = np.fromfile(folder / "e.cfl", np.complex64).reshape(turned.shape[:2], order="F").T.real
    return maps, values


def alike(found, theirs, *, everywhere, median):
    """Whether maps agree: up to phase where both have any, in support but for its edge."""
    support = np.abs(found).sum(axis=0) > 0, np.abs(theirs).sum(axis=0) > 0
    both = support[0] & support[1]
    overlap = np.abs((found.conj() * theirs).sum(axis=0))[both]
    assert (support[0] != support[1]).sum() < 0.02 * both.sum()
    assert overlap.min() > everywhere
    assert np.median(overlap) > median


@needs_bart
def test_maps_of_simulated_coils_are_barts(simulated, tmp_path):
    theirs, values = ecalib(simulated, tmp_path)
    found, eigenvalues = ours(simulated, **BART)
    alike(found, theirs, everywhere=0.99, median=0.9999)
    assert np.abs(eigenvalues - values)[np.abs(found).sum(axis=0) > 0].max() < 0.02


@needs_bart
def test_maps_of_a_real_brain_are_barts(data, tmp_path):
    kspace = brain(data)
    theirs, values = ecalib(kspace, tmp_path)
    found, eigenvalues = ours(kspace, **BART)
    alike(found, theirs, everywhere=0.999, median=0.99999)
    assert np.abs(eigenvalues - values)[np.abs(found).sum(axis=0) > 0].max() < 0.02
    default, _ = ours(kspace)
    alike(default, theirs, everywhere=0.99, median=0.9999)


def sigpy_maps(kspace):
    app = pytest.importorskip("sigpy.mri.app")
    return app.EspiritCalib(kspace, calib_width=24, show_pbar=False, max_iter=30).run()


def test_maps_of_simulated_coils_are_sigpys(simulated):
    alike(ours(simulated, **SIGPY)[0], sigpy_maps(simulated), everywhere=0.99, median=0.9999)


def test_maps_of_a_real_brain_are_sigpys(data):
    kspace = brain(data)
    alike(ours(kspace, **SIGPY)[0], sigpy_maps(kspace), everywhere=0.99, median=0.99999)
