"""The chains that start from coil maps, served over both protocols: a real brain, undersampled at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from echotrain.clients import Client
from echotrain.clients.scan_file import Scan, read_scan
from echotrain.engine.messages import Header, Image, Readouts
from echotrain.models.simulation.random_masks import uniform_lines

BRAIN = "brain_t1_7ch.h5"
LIMITS = {"sense": 0.16, "cs": 0.12, "supervised": 0.13}
"""Largest NRMSE at R = 4 (zero-filled: .24) against the root sum of squares, which is noisy where the maps are zero."""


@pytest.fixture(scope="module")
def brain(data):
    """The brain at R = 4, as a scanner would send it."""
    whole = read_scan(data / "raw" / BRAIN)
    lines = uniform_lines(256, 4, np.random.default_rng(0))
    parallel = (
        "<parallelImaging><accelerationFactor><kspace_encoding_step_1>4</kspace_encoding_step_1>"
        "<kspace_encoding_step_2>1</kspace_encoding_step_2></accelerationFactor>"
        "<calibrationMode>embedded</calibrationMode></parallelImaging>"
    )
    xml = whole.header.xml.replace(b"</encoding>", f"{parallel}</encoding>".encode())
    blocks = []
    for block in whole.messages:
        assert isinstance(block, Readouts)
        kept = lines[block.headers["idx"]["kspace_encode_step_1"]]
        if kept.any():
            blocks.append(block[kept])
    return Scan(header=Header(xml), messages=tuple(blocks))


@pytest.fixture(scope="module")
def truth(data, reference):
    (image,) = reference.reconstruct(data / "raw" / BRAIN).values()
    return image


def error_of(image, truth):
    x = image.pixels[0].astype(float)
    x *= (x * truth).sum() / (x * x).sum()
    return np.linalg.norm(x - truth) / np.linalg.norm(truth)


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
@pytest.mark.parametrize("chain", LIMITS)
def test_a_brain_at_fourfold_acceleration_is_reconstructed(served, brain, truth, chain, protocol):
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = client.reconstruct(brain, chain=chain)
    (image,) = [image for image in images if isinstance(image, Image)]
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == (1, 1, 256, 216)
    assert error_of(image, truth) < LIMITS[chain]


def test_an_image_of_a_network_says_which_network_made_it_and_what_it_was_not_trained_for(served, brain):
    few = replace(
        brain,
        header=Header(brain.header.xml.replace(b"<receiverChannels>7<", b"<receiverChannels>2<")),
        messages=tuple(_with_coils(brain.messages, 2)),
    )
    with Client(served.zmq) as client:
        (known,) = client.reconstruct(brain, chain="supervised")
        (strange,) = client.reconstruct(few, chain="supervised")
    assert known.meta["EchotrainModel"] == "modl@1"
    assert "PyTorch" in known.meta["EchotrainModelRuntime"]
    assert not known.meta["EchotrainOutOfRange"]
    assert "2 coils, trained for 4 to 12" in strange.meta["EchotrainOutOfRange"]


def _with_coils(blocks, coils):
    for block in blocks:
        headers = block.headers.copy()
        headers["active_channels"] = headers["available_channels"] = coils
        yield replace(block, headers=headers, samples=block.samples[:, :coils])
