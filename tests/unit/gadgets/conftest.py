"""A small scan to test gadgets with: header, readouts, and what a chain of gadgets makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

from echotrain.engine.chain import Chain
from echotrain.engine.gadget import Context
from echotrain.engine.messages import Readouts
from echotrain.engine.mrd_header import Encoding, Limit, ScanHeader, Space
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, AcquisitionFlag


@dataclass
class Scan:
    """A Cartesian scan; ``limits`` by MRD name, on top of those of lines and partitions."""

    matrix: tuple[int, int, int] = (16, 8, 1)
    recon: tuple[int, int, int] = (8, 8, 1)
    fov: tuple[float, float, float] = (400, 200, 5)
    recon_fov: tuple[float, float, float] = (200, 200, 5)
    coils: int = 3
    limits: dict = field(default_factory=dict)
    lines: Limit | None = None
    acceleration: tuple[int, int] = (1, 1)
    calibration_mode: str | None = None
    trajectory: str = "cartesian"
    extra: dict = field(default_factory=dict)

    @property
    def header(self) -> ScanHeader:
        _, ny, nz = self.matrix
        limits = {
            "kspace_encoding_step_1": self.lines or Limit(0, ny - 1, ny // 2),
            "kspace_encoding_step_2": Limit(0, nz - 1, nz // 2),
            **self.limits,
        }
        encoding = Encoding(
            encoded=Space(self.matrix, self.fov),
            recon=Space(self.recon, self.recon_fov),
            limits=MappingProxyType(limits),
            trajectory=self.trajectory,
            acceleration=self.acceleration,
            calibration_mode=self.calibration_mode,
        )
        return ScanHeader(**{"encodings": (encoding,), **self.extra})

    def context(self, **options) -> Context:
        return Context(header=self.header, **options)

    def readouts(self, lines, *, flags=0, seed=0, samples=None, **fields) -> Readouts:
        """Readouts of random samples; ``lines`` are ky or (kz, ky); ``fields`` set header fields and counters."""
        pairs = [(0, line) if np.isscalar(line) else line for line in lines]
        length = self.matrix[0] if samples is None else samples
        headers = np.zeros(len(pairs), ACQUISITION_DTYPE)
        headers["flags"], headers["number_of_samples"], headers["center_sample"] = flags, length, length // 2
        headers["active_channels"] = headers["available_channels"] = self.coils
        headers["idx"]["kspace_encode_step_2"] = [z for z, _ in pairs]
        headers["idx"]["kspace_encode_step_1"] = [y for _, y in pairs]
        headers["scan_counter"] = np.arange(len(pairs)) + 100
        headers["sample_time_us"] = 5
        headers["read_dir"], headers["phase_dir"], headers["slice_dir"] = (0, 1, 0), (0, 0, 1), (1, 0, 0)
        for name, value in fields.items():
            (headers["idx"] if name in headers["idx"].dtype.names else headers)[name] = value
        rng = np.random.default_rng(seed)
        parts = rng.standard_normal((len(pairs), self.coils, length, 2)).astype(np.float32)
        return Readouts(headers, parts.view(np.complex64)[..., 0])

    def all_lines(self, **options) -> Readouts:
        _, ny, nz = self.matrix
        return self.readouts([(z, y) for z in range(nz) for y in range(ny)], **options)


def run(scan: Scan, gadgets, *messages, **context) -> list:
    """Everything that gadgets (or one) make of messages, finish included."""
    gadgets = gadgets if isinstance(gadgets, list) else [gadgets]
    chain = Chain([(type(g).__name__, g) for g in gadgets], check=False)
    chain.start(scan.context(**context))
    out = [made for message in messages for made in chain.feed(message)]
    return [*out, *chain.finish()]


def joined(*blocks: Readouts) -> Readouts:
    """One block of several."""
    return replace(
        blocks[0],
        headers=np.concatenate([b.headers for b in blocks]),
        samples=np.concatenate([b.samples for b in blocks]),
    )


def cut(block: Readouts, edges) -> list[Readouts]:
    """A block in pieces."""
    places = [0, *sorted(set(edges)), len(block)]
    return [block[a:b] for a, b in pairwise(places) if b > a]


@pytest.fixture
def scans() -> SimpleNamespace:
    """``Scan(...)``, ``run(scan, gadgets, *messages)``, ``joined(*blocks)``, ``cut(block, edges)``, ``bit(name)``."""
    return SimpleNamespace(
        Scan=Scan, run=run, joined=joined, cut=cut, bit=lambda name: AcquisitionFlag[name].bit, Limit=Limit
    )
