"""The ``noncartesian`` chain, served over both protocols: radial and spiral scans against the simulator's truth."""

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
DISTANCE = np.hypot(*np.mgrid[-48:48, -48:48])
WITHIN = DISTANCE < 46
"""The field of view of spirals and spokes is a disc: aliases begin in the corners of the image."""


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
@pytest.mark.parametrize(
    "fields", [{"trajectory": "radial"}, {"trajectory": "radial", "angles": "golden"}, {"trajectory": "spiral"}]
)
def test_a_scan_along_trajectories_looks_like_the_phantom(served, fields, protocol):
    scan = simulate(scan_protocol(COMMON | fields))
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = [m for m in client.reconstruct(scan.scan(), chain="noncartesian") if isinstance(m, Image)]
    assert sorted(int(image.header["slice"]) for image in images) == [0, 1]
    for image in images:
        number = int(image.header["slice"])
        whitened = np.tensordot(whitening_matrix(scan.truth.noise_covariance), scan.truth.sensitivities[number], 1)
        seen = centred_fft(scan.truth.images[0, number] * whitened, (1, 2))
        truth = np.linalg.norm(centred_ifft(seen * (DISTANCE <= 48), (1, 2)), axis=0).astype(float) * WITHIN
        pixels = image.pixels[0, 0] * WITHIN
        assert image.meta["EchotrainUnit"] == "SNR"
        assert image.meta["EchotrainComplete"] == "true"
        assert error_of(pixels, truth) < LIMIT
        for other in (pixels[::-1], pixels[:, ::-1], pixels.T, np.roll(pixels, 1, 0), np.roll(pixels, 1, 1)):
            assert error_of(other, truth) > 1.5 * error_of(pixels, truth)


def error_of(image, truth):
    """NRMSE after the best common scale: prewhitened images are in SNR units."""
    scaled = image * (image * truth).sum() / (image * image).sum()
    return np.linalg.norm(scaled - truth) / np.linalg.norm(truth)
