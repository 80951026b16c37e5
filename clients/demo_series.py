"""The images of a demonstration by series, and how far each is from the phantom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..engine.messages import Image
from .simulator import SimulatedScan

Place = tuple[int, ...]
"""Slice, contrast, repetition, set, phase and average of an image."""
Pixels = NDArray[np.float64]
"""(y, x); of a volume the middle partition."""

_COUNTERS = ("slice", "contrast", "repetition", "set", "phase", "average")


@dataclass(frozen=True, eq=False)
class Series:
    """Images of one method and quantity."""

    method: str
    quantity: str
    images: dict[Place, Pixels] = field(default_factory=dict)

    @property
    def is_map(self) -> bool:
        """Whether it shows something about images: how uncertain they are, say."""
        return self.quantity not in {"magnitude", "complex"}

    @property
    def name(self) -> str:
        """For people: the quantity of a map, or the method without its settings."""
        if self.is_map:
            return self.quantity.replace("_", " ")
        return re.sub(r"\(.*\)", "", self.method).replace("+", " ")


def series_of(images: Iterable[Image]) -> list[Series]:
    """Sort images into series, in the order in which each began."""
    found: dict[int, Series] = {}
    for image in images:
        number = int(image.header["image_series_index"])
        if number not in found:
            method = str(image.meta.get("EchotrainMethod", f"series {number}"))
            found[number] = Series(method, str(image.meta.get("EchotrainQuantity", "magnitude")))
        place = tuple(int(image.header[name]) for name in _COUNTERS)
        pixels = image.pixels[0, image.pixels.shape[1] // 2]
        found[number].images[place] = np.abs(pixels).astype(np.float64)
    return list(found.values())


def flags_told(scan: str, images: Iterable[Image]) -> list[tuple[str, str]]:
    """Return rows that say which flags the images of a scan have, why, and what was decided; each once."""
    end = f", {scan}" if scan else ""
    rows: dict[tuple[str, str], None] = {}
    for image in images:
        for entry, name in (
            ("EchotrainFlags", "flags"),
            ("EchotrainFlagReasons", "why"),
            ("EchotrainDecision", "decision"),
        ):
            told = image.meta.get(entry, ())
            for text in (told,) if isinstance(told, str) else told:
                rows[name + end, text] = None
    return sorted(rows, key=lambda row: ("flags", "why", "decision").index(row[0].removesuffix(end)))


def best_estimate(series: Iterable[Series]) -> Series | None:
    """Return the images to compare with the truth: the mean of an ensemble, or what the chain gives last."""
    images = [one for one in series if not one.is_map]
    means = [one for one in images if one.method.endswith("+mean")]
    return next(reversed(means or images), None)


def uncertainty(series: Iterable[Series]) -> Series | None:
    """Return the standard deviation of an ensemble, or the width of its intervals; None if neither is given."""
    given = {one.quantity: one for one in series}
    return given.get("standard_deviation", given.get("interval_width"))


def overlay(series: Iterable[Series]) -> Series | None:
    """Return the pictures with flags in words, if there are some."""
    return next((one for one in series if one.quantity == "overlay"), None)


@dataclass(frozen=True, eq=False)
class Run:
    """What came of one scan."""

    name: str
    """For people; empty of the only one."""
    series: Sequence[Series]
    best: Comparison | None
    """The best estimate beside the phantom; None without a phantom."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One series beside the phantom, under one least-squares scale for all its images."""

    series: Series
    truth: Mapping[Place, Pixels]
    """The phantom in the unit of the images."""
    errors: Mapping[Place, Pixels]
    """Magnitude of the difference."""
    nrmse: float
    """Root of the mean squared error over that of the mean squared phantom."""


def compare(series: Series, simulated: SimulatedScan) -> Comparison:
    """Compare images with the phantom that they were acquired from."""
    seen = seen_by_coils(simulated)
    places = list(series.images)
    found = np.stack([series.images[place] for place in places])
    reference = np.stack([seen[contrast, number] for number, contrast, *_ in places])
    energy = float(np.vdot(found, found))
    scale = float(np.vdot(found, reference)) / energy if energy else 1.0
    truth = reference / scale
    errors = np.abs(found - truth)
    return Comparison(
        series=series,
        truth=dict(zip(places, truth, strict=True)),
        errors=dict(zip(places, errors, strict=True)),
        nrmse=float(np.linalg.norm(errors) / np.linalg.norm(truth)),
    )


def error_correlation(comparison: Comparison, spread: Series) -> float:
    """Return Spearman's correlation of errors with an uncertainty over the head's pixels, the mean over images."""
    import torch  # starts slowly: only chains with maps pay for it, and those have loaded it

    from ..models.uncertainty.body import body_mask
    from ..models.uncertainty.interval_scores import rank_correlation

    found = []
    for place in (place for place in comparison.errors if place in spread.images):
        head = body_mask(torch.from_numpy(comparison.truth[place])[None])[0].numpy()
        found.append(rank_correlation(comparison.errors[place][head], spread.images[place][head]))
    return float(np.mean(found))


def seen_by_coils(simulated: SimulatedScan) -> NDArray[np.float64]:
    """Return the phantom as the root sum of squares of prewhitened coil images has it.

    That is its magnitude times sqrt(s^H C^-1 s), s the sensitivities and C the noise covariance: (contrasts, slices,
    y, x).
    """
    truth = simulated.truth
    covariance = truth.noise_covariance if truth.noise_covariance.any() else np.eye(len(truth.noise_covariance))
    s = truth.sensitivities
    quadratic = np.einsum("scyx,cd,sdyx->syx", s.conj(), np.linalg.inv(covariance), s, optimize=True)
    return np.asarray(np.abs(truth.images) * np.sqrt(np.maximum(quadratic.real, 0)), np.float64)
