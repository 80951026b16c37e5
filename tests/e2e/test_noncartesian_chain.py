"""The chains of radial and spiral scans, served over both protocols, against the simulator's truth."""

from __future__ import annotations

import numpy as np
import pytest

from echotrain.clients import Client
from echotrain.clients.simulator import scan_protocol, simulate
from echotrain.engine.messages import Image
from echotrain.models.fourier import centred_fft, centred_ifft
from echotrain.models.noise import whitening_matrix

COMMON = {"matrix": (96, 96), "slices": 2, "coils": 4, "snr": 100.0}
LIMIT = 0.05
"""Largest NRMSE against what a disc of k-space shows of the truth: noise is .01, the disc's rim most of the rest."""
UNFOLDED = 0.04
"""The same for undersampled scans by SENSE, of 8 coils; regularisation is most of the rest."""
DISTANCE = np.hypot(*np.mgrid[-48:48, -48:48])
WITHIN = DISTANCE < 46
"""The field of view of spirals and spokes is a disc: aliases begin in the corners of the image."""


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
@pytest.mark.parametrize(
    "fields", [{"trajectory": "radial"}, {"trajectory": "radial", "angles": "golden"}, {"trajectory": "spiral"}]
)
def test_a_scan_along_trajectories_looks_like_the_phantom(served, fields, protocol):
    scan = simulate(scan_protocol(COMMON | fields))
    for number, image in enumerate(images_of(scan, served, protocol, "noncartesian")):
        truth, pixels = truth_of(scan, number), image.pixels[0, 0] * WITHIN
        assert image.meta["EchotrainUnit"] == "SNR"
        assert image.meta["EchotrainComplete"] == "true"
        assert error_of(pixels, truth) < LIMIT
        for other in (pixels[::-1], pixels[:, ::-1], pixels.T, np.roll(pixels, 1, 0), np.roll(pixels, 1, 1)):
            assert error_of(other, truth) > 1.5 * error_of(pixels, truth)


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
@pytest.mark.parametrize(
    ("fields", "gridded"),
    [
        ({"trajectory": "radial", "spokes": 60}, 0.07),  # of 151
        ({"trajectory": "radial", "spokes": 60, "angles": "golden"}, 0.08),
        ({"trajectory": "spiral", "undersampling": 3}, 0.2),
    ],
)
def test_an_undersampled_scan_is_unfolded_by_sense(served, fields, gridded, protocol):
    scan = simulate(scan_protocol(COMMON | {"coils": 8} | fields))
    for number, image in enumerate(images_of(scan, served, protocol, "noncartesian-sense")):
        truth, pixels = truth_of(scan, number), image.pixels[0, 0] * WITHIN
        assert pixels.dtype == np.float32
        assert image.meta["EchotrainUnit"] == "k-space noise"
        assert image.meta["EchotrainSensitivities"].startswith("espirit from the gridded centre of k-space")
        assert error_of(pixels, truth) < UNFOLDED
        for other in (pixels[::-1], pixels[:, ::-1], pixels.T, np.roll(pixels, 1, 0), np.roll(pixels, 1, 1)):
            assert error_of(other, truth) > 1.5 * error_of(pixels, truth)
    for number, image in enumerate(images_of(scan, served, protocol, "noncartesian")):
        assert error_of(image.pixels[0, 0] * WITHIN, truth_of(scan, number)) > gridded


def images_of(scan, served, protocol, chain):
    """Reconstruct a scan: one image a slice, in order of slices."""
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = [m for m in client.reconstruct(scan.scan(), chain=chain) if isinstance(m, Image)]
    images.sort(key=lambda image: int(image.header["slice"]))
    assert [int(image.header["slice"]) for image in images] == [0, 1]
    return images


def truth_of(scan, number):
    """What a disc of k-space shows of a slice: the root sum of squares over whitened coils."""
    whitened = np.tensordot(whitening_matrix(scan.truth.noise_covariance), scan.truth.sensitivities[number], 1)
    seen = centred_fft(scan.truth.images[0, number] * whitened, (1, 2))
    return np.linalg.norm(centred_ifft(seen * (DISTANCE <= 48), (1, 2)), axis=0).astype(float) * WITHIN


def error_of(image, truth):
    """NRMSE after the best common scale: prewhitened images are in SNR units."""
    scaled = image * (image * truth).sum() / (image * image).sum()
    return np.linalg.norm(scaled - truth) / np.linalg.norm(truth)
