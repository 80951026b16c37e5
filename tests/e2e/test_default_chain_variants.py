"""The default chain against the independent reconstruction, on scans unlike the shared ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.gadget import Context
from echotrain.engine.messages import Image, Readouts
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.registry import Registry

NOISE, CALIBRATION, REVERSE, NAVIGATOR = 1 << 18, 1 << 19, 1 << 21, 1 << 22
KEYS = ("repetition", "set", "phase", "contrast", "slice")


@dataclasses.dataclass(kw_only=True)
class Scan:
    """A random scan; (x, y, z) sizes, and what is unlike the plain one."""

    encoded: tuple[int, int, int] = (32, 12, 1)
    recon: tuple[int, int, int] = (16, 12, 1)
    first: int = 0
    centre: int | None = None
    samples: int | None = None
    center_sample: int | None = None
    discard: tuple[int, int] = (0, 0)
    noise: int = 0
    dwell: float = 5.0
    averages: int = 1
    counters: dict = dataclasses.field(default_factory=dict)
    flags: tuple[int, ...] = (0,)
    coils: int = 3
    order: str = "in turn"

    def xml(self) -> bytes:
        def space(name, matrix):
            fov = [matrix[0] * 10, matrix[1] * 10, matrix[2] * 5]
            sizes = "".join(f"<{a}>{n}</{a}>" for a, n in zip("xyz", matrix, strict=True))
            lengths = "".join(f"<{a}>{n}</{a}>" for a, n in zip("xyz", fov, strict=True))
            return f"<{name}><matrixSize>{sizes}</matrixSize><fieldOfView_mm>{lengths}</fieldOfView_mm></{name}>"

        def limit(name, top, centre):
            return f"<{name}><minimum>0</minimum><maximum>{top}</maximum><center>{centre}</center></{name}>"

        _, ny, nz = self.encoded
        centre = ny // 2 - self.first if self.centre is None else self.centre
        limits = limit("kspace_encoding_step_1", ny - 1 - self.first, centre)
        limits += limit("kspace_encoding_step_2", nz - 1, nz // 2) + limit("average", self.averages - 1, 0)
        system = "<relativeReceiverNoiseBandwidth>0.8</relativeReceiverNoiseBandwidth>"
        return (
            f"<ismrmrdHeader><acquisitionSystemInformation>{system}</acquisitionSystemInformation><encoding>"
            f"{space('encodedSpace', self.encoded)}{space('reconSpace', self.recon)}"
            f"<encodingLimits>{limits}</encodingLimits><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"
        ).encode()

    def readouts(self):
        """(headers, samples): noise first, then every line of every image."""
        _, ny, nz = self.encoded
        names = list(self.counters)
        lines = [(z, y) for z in range(nz) for y in range(ny - self.first)]
        images = [()]
        for name in names:
            images = [(*image, value) for image in images for value in range(self.counters[name])]
        average = range(self.averages)
        if self.order == "in turn":
            table = [(z, y, a, *image) for image in images for a in average for z, y in lines]
        else:
            table = [(z, y, a, *image) for a in average for z, y in lines for image in images]
        length = self.samples or self.encoded[0]
        headers = np.zeros(self.noise + len(table), ACQUISITION_DTYPE)
        headers["number_of_samples"], headers["active_channels"] = length, self.coils
        headers["center_sample"] = length // 2 if self.center_sample is None else self.center_sample
        headers["discard_pre"], headers["discard_post"] = self.discard
        headers["sample_time_us"] = self.dwell
        headers["flags"][: self.noise] = NOISE
        headers["sample_time_us"][: self.noise] = 5.0
        body = headers[self.noise :]
        body["flags"] = np.resize(self.flags, len(table))
        for column, name in enumerate(("kspace_encode_step_2", "kspace_encode_step_1", "average", *names)):
            body["idx"][name] = [row[column] for row in table]
        rng = np.random.default_rng(3)
        samples = rng.standard_normal((len(headers), self.coils, length, 2)).astype("<f4").view("<c8")[..., 0]
        mix = np.tri(self.coils, dtype=np.complex64)
        return headers, np.matmul(mix, samples)


SCANS = {
    "plain": Scan(),
    "no oversampling": Scan(encoded=(16, 12, 1)),
    "odd sizes": Scan(encoded=(30, 13, 1), recon=(15, 13, 1)),
    "phase oversampling": Scan(encoded=(32, 20, 1), recon=(16, 12, 1)),
    "volume": Scan(encoded=(32, 12, 7), recon=(16, 12, 5)),
    "partial Fourier": Scan(first=4),
    "asymmetric echo": Scan(samples=24, center_sample=8),
    "asymmetric echo without oversampling": Scan(encoded=(16, 12, 1), samples=12, center_sample=4),
    "discarded samples": Scan(discard=(3, 1)),
    "discarded samples without oversampling": Scan(encoded=(16, 12, 1), discard=(3, 1)),
    "echo planar, every second line reversed": Scan(flags=(0, REVERSE)),
    "reversed lines that discard": Scan(flags=(0, REVERSE), discard=(2, 0)),
    "noise": Scan(noise=40),
    "noise at another dwell time": Scan(noise=40, dwell=8.0),
    "averages": Scan(averages=3),
    "slices and repetitions": Scan(counters={"repetition": 2, "slice": 3}),
    "interleaved slices and echoes": Scan(counters={"slice": 3, "contrast": 2}, order="interleaved"),
    "everything": Scan(
        encoded=(30, 14, 5), recon=(15, 9, 3), first=3, samples=24, center_sample=9, discard=(1, 2), noise=30,
        dwell=7.0, averages=2, counters={"phase": 2, "set": 2}, flags=(0, REVERSE, 0, NAVIGATOR | 0, CALIBRATION, 0, 0),
        order="interleaved",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("block", [1000, 5])
def test_unusual_scans_agree_with_the_double_precision_reconstruction(reference, name, block):
    scan = SCANS[name]
    headers, samples = scan.readouts()
    expected = reference.reconstruct_scan(reference.Scan(scan.xml(), headers, list(samples)))
    chain, _ = ChainLibrary().get("default").build(Registry())
    chain.start(Context(header=parse_header(scan.xml())))
    blocks = [Readouts(headers[i : i + block], samples[i : i + block]) for i in range(0, len(headers), block)]
    messages = [message for part in blocks for message in chain.feed(part)]
    messages += chain.finish()
    images = {reference.Which(0, *(int(m.header[key]) for key in KEYS)): m for m in messages if isinstance(m, Image)}
    assert set(images) == set(expected)
    assert sum(isinstance(m, Image) for m in messages) == len(expected), "one image each"
    for which, image in images.items():
        assert image.pixels.shape == (1, *expected[which].shape)
        error = np.linalg.norm(image.pixels[0] - expected[which]) / np.linalg.norm(expected[which])
        assert error < 1e-6, which
        if name != "everything":  # where some lines are calibration or navigators only
            assert image.meta["EchotrainComplete"] == "true"


def test_prewhitened_images_are_in_units_of_the_noise():
    """One coil of nothing but noise: a Rayleigh distribution of unit sigma, oversampling removed."""
    scan = Scan(encoded=(128, 64, 1), recon=(64, 64, 1), coils=1, noise=60, dwell=5.0)
    headers, samples = scan.readouts()
    chain, _ = ChainLibrary().get("default").build(Registry())
    header = dataclasses.replace(parse_header(scan.xml()), relative_receiver_noise_bandwidth=None)
    chain.start(Context(header=header))
    (image,) = [m for m in chain.feed(Readouts(headers, samples * 1e-6)) if isinstance(m, Image)]
    assert image.meta["EchotrainUnit"] == "SNR"
    assert image.pixels.mean() == pytest.approx(np.sqrt(np.pi / 2), rel=0.03)
    assert image.pixels.var() == pytest.approx(2 - np.pi / 2, rel=0.06)
