"""What a scan is like, and whether models were trained for such scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .noise_level import estimated_noise
from .signal_to_noise import body_snr

if TYPE_CHECKING:
    from .measurements import Measurements
    from .model_card import ModelCard


@dataclass(frozen=True)
class ScanFacts:
    """What measurements tell of themselves."""

    acceleration: float
    """Grid points over sampled ones, calibration lines counted; mean over slices."""
    matrix: tuple[int, int]
    """Pixels of a slice, y and x."""
    coils: int
    """After compression."""
    noise: float
    """Standard deviation of the complex noise of a k-space sample, in the unit of k-space."""
    measured: bool
    """Whether the noise was measured; else it was estimated from the scan."""
    snr: float | None
    """As ``body_snr``; None where there is no signal, or no noise."""


def scan_facts(measurements: Measurements, noise: float | None = None) -> ScanFacts:
    """Return what slices or volumes tell of themselves.

    Parameters
    ----------
    measurements
        Slices of one image, or volumes.
    noise
        As ``Measurements.noise``: the level that was assumed, where somebody has estimated it already.
    """
    known = measurements.noise if measurements.noise is not None else noise
    level = estimated_noise(measurements) if known is None else known
    height, width = measurements.maps.shape[-2:]
    return ScanFacts(
        acceleration=float(measurements.acceleration().mean()),
        matrix=(height, width),
        coils=measurements.kspace.shape[1],
        noise=level,
        measured=measurements.noise is not None,
        snr=body_snr(replace(measurements, noise=level)),
    )


def outside_training(cards: Iterable[ModelCard], facts: ScanFacts) -> tuple[str, ...]:
    """Say in what a scan lies outside what models were trained for; empty if in nothing.

    Parameters
    ----------
    cards
        Of all models that make the image. Reasons by the second and the others name the model.
    facts
        Of the scan. Priors know nothing of sampling: of them the matrix alone counts.
    """
    reasons: list[str] = []
    for number, card in enumerate(cards):
        if card.kind == "prior":
            found = card.trained.outside_matrix(facts.matrix)
        else:
            found = card.trained.outside(
                acceleration=facts.acceleration, matrix=facts.matrix, coils=facts.coils, snr=facts.snr
            )
        reasons += [f"{card.label}: {reason}" for reason in found] if number else found
    return tuple(reasons)
