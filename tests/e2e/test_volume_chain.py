"""The chain of 3-D scans by a diffusion prior, served over both protocols, against the simulator's truth."""

from __future__ import annotations

import numpy as np
import pytest

from echotrain.clients import Client
from echotrain.clients.simulator import scan_protocol, simulate
from echotrain.engine.messages import Image

PARTITIONS = 12
BRAIN = {
    "trajectory": "3d",
    "matrix": (44, 48),
    "slices": PARTITIONS,
    "slice_thickness_mm": 6.0,
    "coils": 4,
    "acceleration": 3,
    "calibration": 12,
    "snr": 40.0,
}


def error_of(image, truth):
    return np.linalg.norm(image * (image * truth).sum() / (image * image).sum() - truth) / np.linalg.norm(truth)


@pytest.mark.parametrize(("protocol", "mask"), [("mrd", "equispaced"), ("zmq", "random")])
def test_a_volume_comes_back_as_one_and_in_order(served, protocol, mask):
    scan = simulate(scan_protocol(BRAIN | {"mask": mask}))
    with Client(getattr(served, protocol), protocol=protocol) as client:
        (image,) = [m for m in client.reconstruct(scan.scan(), chain="diffusion-volume") if isinstance(m, Image)]
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == (1, PARTITIONS, 48, 44)
    assert image.meta["EchotrainSampler"] == "volume-dds"
    assert image.meta["EchotrainSteps"] == "20 of 20"
    assert image.meta["EchotrainSliceCoupling"] == f"total variation between {PARTITIONS} slices"
    pixels, truth = image.pixels[0].astype(float), scan.truth.rss[0].astype(float)
    assert error_of(pixels, truth) < 0.2
    for other in (pixels[::-1], pixels[:, ::-1], pixels[:, :, ::-1], np.roll(pixels, 1, 0), np.roll(pixels, 1, 1)):
        assert error_of(other, truth) > 1.1 * error_of(pixels, truth)
    for number in range(PARTITIONS):  # each is nearest to its own slice of the truth
        assert np.argmin([error_of(pixels[number], slice_) for slice_ in truth]) == number


def test_a_slice_that_comes_alone_says_so(served):
    scan = simulate(scan_protocol(BRAIN | {"trajectory": "2d", "slices": 1}))
    with Client(served.zmq) as client:
        (image,) = [m for m in client.reconstruct(scan.scan(), chain="diffusion-volume") if isinstance(m, Image)]
    assert image.pixels.shape == (1, 1, 48, 44)
    assert image.meta["EchotrainSliceCoupling"] == "none, of a single slice"
    assert "volume-dds holds the slices of volumes together: this came alone" in image.meta["ImageComments"]
