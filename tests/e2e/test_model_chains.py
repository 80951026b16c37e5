"""The chains that start from coil maps, served over both protocols: a real brain, undersampled at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from echotrain.clients import Client
from echotrain.clients.scan_file import Scan, read_scan
from echotrain.clients.undersampled_scan import undersampled_scan
from echotrain.engine.messages import Header, Image
from echotrain.models.model_store import SHIPPED, ModelStore

BRAIN = "brain_t1_7ch.h5"
NETWORK, PRIOR, ADMM_NET, MODL, VARNET = (
    ModelStore(SHIPPED).card(name).label
    for name in ("default-supervised", "default-prior", "admm-net", "modl", "varnet")
)
LIMITS = {"sense": 0.16, "cs": 0.12, "supervised": 0.12}
"""Largest NRMSE at R = 4 (zero-filled: .24) against the root sum of squares, which is noisy where the maps are zero."""


@pytest.fixture(scope="module")
def brain(data):
    """The brain at R = 4, as a scanner would send it."""
    return undersampled_scan(read_scan(data / "raw" / BRAIN), 4)


@pytest.fixture(scope="module")
def noisy_brain(data):
    """The whole brain with an SNR of about 5."""
    whole = read_scan(data / "raw" / BRAIN)
    rng = np.random.default_rng(0)
    blocks = []
    for block in whole.messages:
        noise = rng.standard_normal((*block.samples.shape, 2)) @ (4e-3, 4e-3j)
        blocks.append(replace(block, samples=(block.samples + noise).astype(np.complex64)))
    return Scan(header=whole.header, messages=tuple(blocks))


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


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
def test_three_networks_give_their_mean_and_how_far_it_can_be_trusted(served, brain, truth, protocol):
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = client.reconstruct(brain, chain="supervised-ensemble")
    sense, mean, deviation, width, one = (image for image in images if isinstance(image, Image))
    assert all(image.pixels.dtype == np.float32 and image.pixels.shape == (1, 1, 256, 216) for image in images)
    assert len({image.meta["SeriesDescription"] for image in images}) == 5
    assert len({int(image.header["image_series_index"]) for image in images}) == 5
    assert len({image.meta["EchotrainUnit"] for image in images}) == 1
    assert sense.meta["EchotrainMethod"] == "sense"
    assert max(error_of(mean, truth), error_of(one, truth)) < 0.9 * error_of(sense, truth)
    assert deviation.meta["DataRole"] == ("Quantitative", "standard_deviation")
    assert width.meta["DataRole"] == ("Quantitative", "interval_width")
    assert mean.meta["EchotrainSamples"] == "3 of 3"
    assert mean.meta["EchotrainModel"] == (MODL, ADMM_NET, VARNET)
    # the map knows where the mean is wrong
    head = truth > 0.1 * truth.max()
    x = mean.pixels[0].astype(float)
    error = np.abs(x * (x * truth).sum() / (x * x).sum() - truth)[head]
    assert spearmanr(error, width.pixels[0][head]).statistic > 0.15


def test_methods_of_different_kind_give_their_mean_and_how_far_they_disagree(served, brain, truth):
    with Client(served.zmq) as client:
        images = client.reconstruct(brain, chain="methods-ensemble")
    sense, mean, deviation, width, one = (image for image in images if isinstance(image, Image))
    assert all(image.pixels.dtype == np.float32 and image.pixels.shape == (1, 1, 256, 216) for image in images)
    assert sense.meta["EchotrainMethod"] == "sense"
    assert one.meta["EchotrainMethod"] == f"supervised({MODL})"
    assert mean.meta["EchotrainMethod"] == "ensemble(modl, admm-net, cs-tv, cs-wavelet)+mean"
    assert mean.meta["EchotrainModel"] == (MODL, ADMM_NET)
    assert [text.partition(" ")[0] for text in mean.meta["EchotrainMethodSettings"]] == ["cs-tv", "cs-wavelet"]
    assert mean.meta["EchotrainSamples"] == "4 of 4"
    assert max(error_of(mean, truth), error_of(one, truth)) < 0.9 * error_of(sense, truth)
    assert deviation.meta["DataRole"] == ("Quantitative", "standard_deviation")
    head = truth > 0.1 * truth.max()
    x = mean.pixels[0].astype(float)
    error = np.abs(x * (x * truth).sum() / (x * x).sum() - truth)[head]
    assert spearmanr(error, width.pixels[0][head]).statistic > 0.15


def test_intervals_of_a_scan_unlike_all_that_were_calibrated_say_so(served, brain):
    few = replace(
        brain,
        header=Header(brain.header.xml.replace(b"<receiverChannels>7<", b"<receiverChannels>2<")),
        messages=tuple(_with_coils(brain.messages, 2)),
    )
    with Client(served.zmq) as client:
        width = client.reconstruct(few, chain="supervised-ensemble")[3]
    assert width.meta["EchotrainCalibration"].startswith("not calibrated: ")
    assert width.meta["EchotrainCalibration"] in width.meta["ImageComments"]


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
def test_a_noisy_brain_is_denoised(served, noisy_brain, truth, protocol):
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = client.reconstruct(noisy_brain, chain="denoise")
    noisy, denoised = (image for image in images if isinstance(image, Image))
    assert noisy.meta["EchotrainMethod"] == "fourier+adaptive"
    assert denoised.meta["EchotrainNoiseLevel"] == "estimated from the scan"
    assert 3.5e-3 < float(denoised.meta["EchotrainNoiseFloor"]) < 5e-3
    assert error_of(denoised, truth) < 0.5 * error_of(noisy, truth)


def test_an_image_of_a_network_says_which_network_made_it_and_what_it_was_not_trained_for(served, brain, data):
    few = undersampled_scan(read_scan(data / "raw" / BRAIN), 16)
    with Client(served.zmq) as client:
        (known,) = client.reconstruct(brain, chain="supervised")
        (strange,) = client.reconstruct(few, chain="supervised")
    assert known.meta["EchotrainModel"] == NETWORK
    assert "PyTorch" in known.meta["EchotrainModelRuntime"]
    assert not known.meta["EchotrainOutOfRange"]
    assert "acceleration 16, trained for 2 to 12" in strange.meta["EchotrainOutOfRange"]


@pytest.mark.timeout(300)  # seconds by itself; two threads beside other work may take minutes
@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
@pytest.mark.parametrize("chain", ["diffusion", "diffusion-ensemble"])
def test_a_prior_reconstructs_a_brain_and_says_how_far_it_can_be_trusted(served, brain, truth, chain, protocol):
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = [image for image in client.reconstruct(brain, chain=chain) if isinstance(image, Image)]
    assert all(image.pixels.dtype == np.float32 and image.pixels.shape == (1, 1, 256, 216) for image in images)
    methods = [image.meta["EchotrainMethod"] for image in images]
    drawn = f"diffusion({PRIOR}, dds from admm-net, 20 steps)"
    if chain == "diffusion":
        assert methods == [drawn]
        assert error_of(images[0], truth) < 0.14
        return
    sense, mean, deviation, width, one = images
    assert methods == ["sense", f"{drawn}+mean", drawn, drawn, f"{drawn}+sample"]
    assert error_of(mean, truth) < error_of(one, truth) < 0.9 * error_of(sense, truth)
    assert deviation.meta["DataRole"] == ("Quantitative", "standard_deviation")
    assert width.meta["EchotrainCalibration"].startswith("calibrated: ")
    x, half = mean.pixels[0].astype(float), width.pixels[0] / 2
    scale = (x * truth).sum() / (x * x).sum()
    assert (np.abs(scale * x - truth) <= scale * half)[truth > 0.1 * truth.max()].mean() > 0.9
    assert mean.meta["EchotrainModel"] == (PRIOR, ADMM_NET)
    assert mean.meta["EchotrainSamples"] == "8 of 8"
    assert mean.meta["EchotrainSteps"] == "20 of 20"
    assert mean.meta["EchotrainNoiseLevel"] == "estimated from the scan"


def _with_coils(blocks, coils):
    for block in blocks:
        headers = block.headers.copy()
        headers["active_channels"] = headers["available_channels"] = coils
        yield replace(block, headers=headers, samples=block.samples[:, :coils])
