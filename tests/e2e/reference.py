"""An independent reconstruction of Cartesian MRD files in double precision, to hold the engine against.

It shares no code with the engine: its own reading of HDF5 and XML, one readout at a time, NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import h5py
import numpy as np

NOISE, CALIBRATION, REVERSE = 1 << 18, 1 << 19, 1 << 21
ELSEWHERE = NOISE | CALIBRATION | sum(1 << (flag - 1) for flag in (23, 24, 26, 27, 28, 29, 30, 31))


class Which(NamedTuple):
    """Which image of a scan."""

    encoding_space: int
    repetition: int
    set: int
    phase: int
    contrast: int
    slice: int


class Scan(NamedTuple):
    """A file's contents."""

    xml: bytes
    headers: np.ndarray
    samples: list[np.ndarray]
    """(coils, samples) complex64 of each readout."""


def read_scan(path: Path) -> Scan:
    """Read the XML header and all readouts of an MRD file."""
    with h5py.File(path, "r") as file:
        records = file["dataset/data"][()]
        xml = file["dataset/xml"][0]
    headers = records["head"]
    samples = [
        np.asarray(data, np.float32).view(np.complex64).reshape(int(head["active_channels"]), -1)
        for head, data in zip(headers, records["data"], strict=True)
    ]
    return Scan(xml if isinstance(xml, bytes) else xml.encode(), headers, samples)


def reconstruct(path: Path) -> dict[Which, np.ndarray]:
    """Return the root-sum-of-squares image (z, y, x) float64 of every key of a scan.

    Prewhitened with the scan's noise readouts where it has any; lines without data are zero; lines that came several
    times are averaged; calibration lines are left out; oversampling is cropped from the image.
    """
    return reconstruct_scan(read_scan(path))


def reconstruct_together(scan: Scan) -> np.ndarray:
    """Return the image (z, y, x) of all repetitions averaged line by line, calibration lines included.

    It is fully sampled where repetitions leave out different lines: the truth for each of them.
    """
    headers = scan.headers.copy()
    headers["idx"]["repetition"] = 0
    headers["flags"] &= ~np.uint64(CALIBRATION)
    (image,) = reconstruct_scan(scan._replace(headers=headers)).values()
    return image


def reconstruct_scan(scan: Scan) -> dict[Which, np.ndarray]:
    """Reconstruct what ``read_scan`` returned."""
    root = ET.fromstring(scan.xml.rstrip(b"\0").decode())
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
    encodings = [_Encoding(element) for element in root.findall("encoding")]
    whiten = _whitening(scan, float(root.findtext(".//relativeReceiverNoiseBandwidth") or 1.0))
    sums: dict[Which, np.ndarray] = {}
    counts: dict[Which, np.ndarray] = {}
    for head, samples in zip(scan.headers, scan.samples, strict=True):
        flags = int(head["flags"])
        if flags & ELSEWHERE:
            continue
        index = head["idx"]
        encoding = encodings[int(head["encoding_space_ref"])]
        line = whiten(head, samples.astype(np.complex128))
        nx, ny, nz = encoding.encoded
        centre = int(head["center_sample"]) or nx // 2
        pre, post = int(head["discard_pre"]), int(head["discard_post"])
        if flags & REVERSE:
            line = line[:, ::-1]
            pre, post = post, pre
        which = Which(
            int(head["encoding_space_ref"]),
            *(int(index[name]) for name in ("repetition", "set", "phase", "contrast", "slice")),
        )
        if which not in sums:
            sums[which] = np.zeros((len(line), nz, ny, nx), np.complex128)
            counts[which] = np.zeros((nz, ny))
        y = int(index["kspace_encode_step_1"]) - encoding.centres[0] + ny // 2
        z = int(index["kspace_encode_step_2"]) - encoding.centres[1] + nz // 2
        for sample in range(pre, line.shape[1] - post):
            sums[which][:, z, y, sample - centre + nx // 2] += line[:, sample]
        counts[which][z, y] += 1
    return {
        which: _image(total / np.maximum(counts[which], 1)[None, :, :, None], encodings[which.encoding_space].recon)
        for which, total in sums.items()
    }


def _whitening(scan: Scan, bandwidth: float) -> Callable[[np.void, np.ndarray], np.ndarray]:
    noise = [i for i, head in enumerate(scan.headers) if int(head["flags"]) & NOISE]
    if not noise:
        return lambda _, line: line
    together = np.concatenate([scan.samples[i] for i in noise], axis=1).astype(np.complex128)
    covariance = together @ together.conj().T / (together.shape[1] - 1)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    noise_dwell = float(scan.headers[noise[-1]]["sample_time_us"])

    def apply(head: np.void, line: np.ndarray) -> np.ndarray:
        dwell = float(head["sample_time_us"])
        ratio = dwell / noise_dwell if noise_dwell and dwell else 1.0
        return np.sqrt(2 * ratio * bandwidth) * (whiten @ line)

    return apply


def _image(kspace: np.ndarray, recon: tuple[int, int, int]) -> np.ndarray:
    axes = (1, 2, 3)
    coils = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes)
    image = np.sqrt((np.abs(coils) ** 2).sum(axis=0))
    for axis, size in enumerate(reversed(recon)):
        start = image.shape[axis] // 2 - size // 2
        image = image.take(range(start, start + size), axis=axis)
    return image


class _Encoding:
    def __init__(self, element: ET.Element) -> None:
        self.encoded = self._matrix(element.find("encodedSpace"))
        recon = element.find("reconSpace")
        self.recon = self.encoded if recon is None else self._matrix(recon)
        self.centres = tuple(
            int(element.findtext(f"encodingLimits/kspace_encoding_step_{step}/center") or self.encoded[step] // 2)
            if element.find(f"encodingLimits/kspace_encoding_step_{step}") is not None
            else self.encoded[step] // 2
            for step in (1, 2)
        )

    @staticmethod
    def _matrix(space: ET.Element | None) -> tuple[int, int, int]:
        assert space is not None
        return tuple(int(space.findtext(f"matrixSize/{axis}") or 0) for axis in "xyz")  # type: ignore[return-value]
