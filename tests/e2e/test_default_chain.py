"""The default chain, in this process, against the independent reconstruction of every shared scan."""

from __future__ import annotations

import numpy as np
import pytest

from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.gadget import Context
from echotrain.engine.messages import Image, Readouts
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.registry import Registry

SAMPLED = ("brain_sim_odd_header.h5", "brain_t1_7ch.h5", "phantom_16ch.h5", "phantom_gre_2ch.h5")
UNDERSAMPLED = "shepp_logan_r2_acs16_noise_8ch.h5"
KEYS = ("repetition", "set", "phase", "contrast", "slice")


def run(scan, chain_name: str, block: int) -> list[Image]:
    chain, digest = ChainLibrary().get(chain_name).build(Registry())
    chain.start(Context(header=parse_header(scan.xml), chain=chain_name, chain_hash=digest))
    headers = scan.headers.astype(ACQUISITION_DTYPE)
    out, first = [], 0
    while first < len(headers):
        last = first + 1
        while last < min(first + block, len(headers)) and scan.samples[last].shape == scan.samples[first].shape:
            last += 1
        out += chain.feed(Readouts(headers[first:last], np.stack(scan.samples[first:last])))
        first = last
    out += chain.finish()
    return [message for message in out if isinstance(message, Image)]


@pytest.mark.parametrize("file", SAMPLED)
def test_the_default_chain_agrees_with_a_double_precision_reconstruction(data, reference, file):
    path = data / "raw" / file
    expected = reference.reconstruct(path)
    images = run(reference.read_scan(path), "default", block=32)
    assert len(images) == len(expected)
    for image in images:
        which = reference.Which(0, *(int(image.header[name]) for name in KEYS))
        assert image.pixels.dtype == np.float32
        error = np.linalg.norm(image.pixels[0] - expected[which]) / np.linalg.norm(expected[which])
        assert error < 1e-6


def test_an_undersampled_scan_is_unfolded_by_grappa(data, reference):
    """Its four repetitions shift the lines that they leave out: their mean, in which none is missing, is the truth."""
    path = data / "raw" / UNDERSAMPLED
    scan = reference.read_scan(path)
    images = run(scan, "default", block=32)
    aliased = reference.reconstruct_scan(scan)
    truth = reference.reconstruct_together(scan)
    assert len(images) == len(aliased) == 4
    for image, zero_filled in zip(images, aliased.values(), strict=True):
        assert image.meta["EchotrainMethod"] == "grappa+rss"
        assert image.meta["EchotrainReconstruction"] == "GRAPPA: regular sampling, R = 2, 8 coils"
        errors = [np.linalg.norm(x - truth) / np.linalg.norm(truth) for x in (image.pixels[0], zero_filled)]
        assert errors[0] < 0.1
        assert errors[1] > 0.3, "there was something to unfold"


@pytest.mark.parametrize("file", [*SAMPLED, UNDERSAMPLED])
def test_the_openrecon_chain_gives_whole_numbers_that_the_rescale_takes_back(data, reference, file):
    path = data / "raw" / file
    floats = run(reference.read_scan(path), "default", block=1000)
    expected = [image.pixels[0] for image in floats]
    images = run(reference.read_scan(path), "openrecon", block=1000)
    slopes = {image.meta["RescaleSlope"] for image in images}
    assert len(slopes) == 1
    slope = float(slopes.pop())
    for image, pixels in zip(images, expected, strict=True):
        assert image.pixels.dtype == np.int16
        assert int(image.meta["EchotrainClippedPixels"]) == 0
        np.testing.assert_allclose(image.pixels[0] * slope, pixels, atol=0.501 * slope)


@pytest.mark.parametrize("file", [*SAMPLED, UNDERSAMPLED])
def test_images_are_bit_identical_however_the_stream_is_cut(data, reference, file):
    scan = reference.read_scan(data / "raw" / file)
    whole = run(scan, "default", block=100_000)
    for block in (1, 7):
        parts = run(scan, "default", block=block)
        assert [image.pixels.tobytes() for image in parts] == [image.pixels.tobytes() for image in whole]
        assert [dict(image.meta) for image in parts] == [dict(image.meta) for image in whole]
        assert [image.header.tobytes() for image in parts] == [image.header.tobytes() for image in whole]


def test_the_brain_stands_upright_and_unmirrored(data, reference):
    """Rows follow the phase encoding and columns the readout, without a flip or a shift, as NumPy transforms them."""
    path = data / "raw" / "brain_t1_7ch.h5"
    (image,) = run(reference.read_scan(path), "default", block=64)
    scan = reference.read_scan(path)
    kspace = np.zeros((256, 7, 216), np.complex128)
    for head, line in zip(scan.headers, scan.samples, strict=True):
        kspace[int(head["idx"]["kspace_encode_step_1"])] = line
    coils = np.fft.ifft2(np.fft.ifftshift(kspace.transpose(1, 0, 2), (1, 2)), axes=(1, 2))
    direct = np.fft.fftshift(np.sqrt((np.abs(coils) ** 2).sum(0)))
    pixels = image.pixels[0, 0]
    assert np.corrcoef(pixels.ravel(), direct.ravel())[0, 1] > 0.999999
    for turned in (direct[::-1], direct[:, ::-1], direct[::-1, ::-1], np.roll(direct, 1, 0), np.roll(direct, 1, 1)):
        assert np.corrcoef(pixels.ravel(), turned.ravel())[0, 1] < 0.999
