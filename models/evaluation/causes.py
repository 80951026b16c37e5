"""What each cause of error costs on a real scan: the same scan with one thing at a time replaced by simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..simulation.noisy_kspace import noisy_kspace
from ..simulation.random_coils import random_sensitivities
from ..simulation.random_phase import random_phase, tissue_phase
from .case import MASKS, Case, MaskName, maps_of, undersampled
from .real_case import real_case

_SEED = 5
_DISTANCE = 1.8  # of simulated coils from the middle, in half fields of view
_CORRELATION = 0.3  # share of the noise that simulated coils have in common
_QUIET = 200.0  # SNR at which noise is no cause
_TYPICAL = 40.0

Array = NDArray[np.complex64]


class _Scan(NamedTuple):
    phase: str
    coils: str
    snr: float


CAUSES: Mapping[str, _Scan | None] = MappingProxyType(
    {
        "the scan itself": None,
        "its image and maps, SNR 200": _Scan("real", "real", _QUIET),
        "SNR 40": _Scan("real", "real", _TYPICAL),
        "phase 0": _Scan("none", "real", _QUIET),
        "smooth random phase": _Scan("smooth", "real", _QUIET),
        "smooth and tissue phase": _Scan("tissue", "real", _QUIET),
        "simulated coils": _Scan("real", "simulated", _QUIET),
        "smooth random phase, simulated coils": _Scan("smooth", "simulated", _QUIET),
    }
)
"""What is simulated, by name; from the third on, each differs from the second in what it says."""
ORACLE = "the scan itself, maps of all its lines"


def cause_cases(
    kspace: Array, acceleration: float, *, data: str, mask: MaskName = "uniform"
) -> Iterator[tuple[str, Case]]:
    """Make a fully sampled scan again, cause by cause, and undersample each.

    Image and maps are those of the scan by ESPIRiT. What is made again has white noise and the root sum of squares of
    the noise-free coil images for reference; the scan itself is as ``real_case`` has it. Phase, coils, noise and lines
    do not depend on the acceleration, but for the number of lines.

    Parameters
    ----------
    kspace
        (coils, ky, kx) complex64, fully sampled.
    acceleration
        R, all lines counted.
    data
        Name of the scan.
    mask
        Kind of undersampling; drawn with seed 0, as in ``real_case``.

    Yields
    ------
        Each of ``CAUSES`` and ``ORACLE``, and its case of one slice.

    Raises
    ------
    ValueError
        The scan is too small for ESPIRiT.
    """
    true = torch.from_numpy(kspace)[None]
    maps = maps_of(true, torch.ones(1, 1, kspace.shape[1], 1, dtype=torch.bool))
    itself = real_case(kspace, acceleration, data=data, mask=mask)
    image = replace(itself.measurements, kspace=true, mask=torch.ones_like(itself.measurements.mask), maps=maps)
    phases, coils = _ingredients(image.zero_filled()[0].numpy(), maps[0].numpy())
    lines = MASKS[mask](kspace.shape[1], acceleration, np.random.default_rng(0))
    for name, scan in CAUSES.items():
        if scan is None:
            yield name, itself
            continue
        seen, noisy = noisy_kspace(phases[scan.phase], coils[scan.coils], scan.snr, np.random.default_rng(1))
        reference = torch.from_numpy(np.sqrt(np.sum(np.abs(seen) ** 2, axis=0)))[None]
        yield name, Case(data, acceleration, mask, undersampled(noisy, lines, noise=1.0), reference)
    yield ORACLE, replace(itself, measurements=replace(itself.measurements, maps=maps))


def _ingredients(image: Array, maps: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """Images with the magnitude of one, by their phase; sensitivities by whose they are."""
    rng = np.random.default_rng(_SEED)
    shape = (image.shape[0], image.shape[1])
    simulated = random_sensitivities(len(maps), shape, rng, _DISTANCE, _CORRELATION)
    magnitude = np.abs(image)
    smooth = magnitude * random_phase(shape, rng)
    tissue = smooth * tissue_phase(magnitude / magnitude.max(), rng, 1.0)
    images = {"real": image, "none": magnitude.astype(np.complex64), "smooth": smooth, "tissue": tissue}
    return images, {"real": maps, "simulated": simulated}
