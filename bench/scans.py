"""The scan that is measured with: 256 x 256, 8 coils, twofold readout oversampling, so readouts of 32 KiB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from echotrain.clients.simulator import ScanProtocol, simulate
from echotrain.engine.messages import ConfigName, Header, Readouts
from echotrain.engine.mrd_codec import encode_bytes
from echotrain.engine.mrd_header import ScanHeader, parse_header

LINES, COILS, SAMPLES = 256, 8, 512


@dataclass(frozen=True, eq=False)
class BenchScan:
    """A simulated scan in memory."""

    header: Header
    noise: Readouts
    lines: Readouts
    """All imaging readouts, (repetitions * 256) of (8, 512)."""

    @property
    def parsed(self) -> ScanHeader:
        """What the header says."""
        return parse_header(self.header.xml)

    def start(self, chain: str) -> bytes:
        """MRD stream bytes before the data."""
        return encode_bytes(ConfigName(chain)) + encode_bytes(self.header)


@lru_cache(maxsize=4)
def bench_scan(repetitions: int) -> BenchScan:
    """Simulate it: one slice, fully sampled, with a noise measurement."""
    protocol = ScanProtocol(
        matrix=(LINES, LINES), slices=1, coils=COILS, oversampling=2, acceleration=1, repetitions=repetitions
    )
    simulated = simulate(protocol)
    noise, *blocks = (block for block in simulated.messages() if isinstance(block, Readouts))
    lines = Readouts(
        np.concatenate([block.headers for block in blocks]), np.concatenate([block.samples for block in blocks])
    )
    if lines.samples.shape != (repetitions * LINES, COILS, SAMPLES):
        raise RuntimeError(f"the simulated scan has shape {lines.samples.shape}")
    return BenchScan(simulated.header, noise, lines)


def samples_of(scan: BenchScan) -> NDArray[np.complex64]:
    """(repetitions, 256 lines, 8 coils, 512 samples) complex64 in acquisition order."""
    return scan.lines.samples.reshape(-1, LINES, COILS, SAMPLES)
