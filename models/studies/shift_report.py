"""What the study of shifted scans found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..uncertainty.calibration import Calibration, CalibrationError, calibrate, images_needed
from .conditions import Condition, Mean, mean_of
from .shift import ALPHA, DELTA, DIFFUSION, SCALES, SCD, SEEN, SHIFTS, SUPERVISED, UNSEEN, ShiftRow
from .study import Report, Table

if TYPE_CHECKING:
    from .shift import ShiftStudy

_SPLITS = 200


class Coverage:
    """Rows by ensemble and condition, before and after calibration on the rows of ``SEEN``."""

    def __init__(self, rows: Sequence[ShiftRow]) -> None:
        self._rows: dict[tuple[str, str], dict[int, ShiftRow]] = {}
        for row in sorted(rows, key=lambda row: row.number):
            self._rows.setdefault((row.ensemble, row.condition), {})[row.number] = row
        self.calibrations = {name: _calibrated(self.risks(name, SEEN)) for name in (SUPERVISED, DIFFUSION)}
        self.calibrations[SCD] = self.calibrations[DIFFUSION]  # what is promised of samples of the prior itself

    def conditions(self, ensemble: str) -> list[str]:
        """List those that there are rows of, that of the calibration first."""
        return [condition for name, condition in self._rows if name == ensemble]

    def risks(self, ensemble: str, condition: str) -> NDArray[np.float64]:
        """Return (slices, scales)."""
        return np.array([row.risks() for row in self._rows.get((ensemble, condition), {}).values()])

    def value(self, ensemble: str, condition: str, name: str) -> dict[int, float]:
        """Return a field of the rows, or ``calibrated``, the risk after calibration, by the number of the slice."""
        rows = self._rows.get((ensemble, condition), {})
        if name != "calibrated":
            return {number: getattr(row, name) for number, row in rows.items()}
        calibration = self.calibrations[ensemble]
        if calibration is None:
            return {}
        at = int(np.flatnonzero(calibration.scale == SCALES)[0])
        return {number: float(row.risks()[at]) for number, row in rows.items()}

    def mean(self, ensemble: str, condition: str, name: str, like: str | None = None) -> Mean | None:
        """Average over slices, or over those that the ensemble ``like`` has, too; None where there is nothing."""
        of = self.value(ensemble, condition, name)
        chosen = of if like is None else self._rows.get((like, condition), {})
        values = np.array([of[number] for number in of if number in chosen], np.float64)
        values = values[~np.isnan(values)]
        return mean_of(values) if len(values) else None

    def minus(self, one: tuple[str, str], other: tuple[str, str], name: str) -> Mean | None:
        """Average the paired difference of two (ensemble, condition)."""
        first, second = self.value(*one, name), self.value(*other, name)
        pairs = [first[n] - second[n] for n in sorted(first.keys() & second.keys())]
        return mean_of(pairs) if pairs else None


def shift_report(rows: Sequence[ShiftRow], study: ShiftStudy) -> Report:
    """Judge rows of at least one slice."""
    found = Coverage(rows)
    return Report(
        conditions=[_exchangeable(found, name) for name in (SUPERVISED, DIFFUSION)],
        findings=[*_costs(found), *_compared(found), *_recovered(found)],
        tables=[_table(found, name) for name in (SUPERVISED, DIFFUSION, SCD) if found.conditions(name)],
        notes=[
            f"Slices: {study.label}, simulated. A shift changes one thing of scans of other subjects, else alike.",
            "Contrast: greys inverted in the head. Mask: equispaced lines. Acceleration: 11 to 12. Coils: 2 to 3.",
            "Calibrated on and other subjects: random lines, R = 4 to 8, 6 to 12 coils, SNR 20 to 80.",
            "Risk: share of the body's pixels outside; before calibration of image -+ 1.64 SD. Coverage is 1 - risk.",
            "SCD has no calibration of its own: that of the diffusion ensemble is taken.",
        ],
    )


def _calibrated(risks: NDArray[np.float64]) -> Calibration | None:
    if len(risks) < images_needed(ALPHA, DELTA):
        return None
    try:
        return calibrate(risks, alpha=ALPHA, delta=DELTA, scales=SCALES)
    except CalibrationError:
        return None


def _exchangeable(found: Coverage, name: str) -> Condition:
    """Split the slices that are calibrated on at random, calibrate on one half, and see what the other half has."""
    statement = (
        f"Calibrated risk of the {name} ensemble is at most {ALPHA:g} on exchangeable data: random halves of the "
        "slices, calibrated on one, judged on the other"
    )
    risks, rng, outside = found.risks(name, SEEN), np.random.default_rng(0), []
    for _ in range(_SPLITS):
        order = rng.permutation(len(risks))
        half = len(risks) // 2
        calibration = _calibrated(risks[order[:half]]) if half else None
        if calibration is not None:
            outside.append(float(risks[order[half:], int(np.flatnonzero(calibration.scale == SCALES)[0])].mean()))
    if not outside:
        needed = 2 * images_needed(ALPHA, DELTA)
        return Condition(
            statement,
            "too few slices",
            f"no half can be calibrated: {len(risks)} slices, {needed} are needed, or wider intervals",
        )
    mean, kept = float(np.mean(outside)), float(np.mean(np.array(outside) <= ALPHA))
    low, high = np.quantile(outside, (0.025, 0.975))
    return Condition(
        statement,
        "met" if mean <= ALPHA else "not met",
        f"mean risk {mean:.3f}, 95 % of {len(outside)} splits in [{low:.3f}, {high:.3f}], at most {ALPHA:g} in "
        f"{100 * kept:.0f} %; {len(risks)} slices",
    )


def _costs(found: Coverage) -> Iterator[str]:
    for name in (SUPERVISED, DIFFUSION):
        for condition in list(SHIFTS)[1:]:
            pair = (name, condition), (name, UNSEEN)
            risk, correlation, psnr = (found.minus(*pair, value) for value in ("calibrated", "correlation", "psnr"))
            if psnr is not None and correlation is not None:
                told = "not calibrated" if risk is None else f"calibrated risk {risk.text()}"
                yield (
                    f"Shift of {condition}, {name}, against none: {told}, Spearman {correlation.text()}, PSNR "
                    f"{psnr.text(unit='dB')}."
                )


def _compared(found: Coverage) -> Iterator[str]:
    for condition in SHIFTS:
        pair = (DIFFUSION, condition), (SUPERVISED, condition)
        risk, correlation = found.minus(*pair, "risk"), found.minus(*pair, "correlation")
        if risk is not None and correlation is not None:
            yield (
                f"{condition.capitalize()}: diffusion minus supervised: risk before calibration {risk.text()}, "
                f"Spearman {correlation.text()}."
            )


def _recovered(found: Coverage) -> Iterator[str]:
    for condition in SHIFTS:
        pair = (SCD, condition), (DIFFUSION, condition)
        psnr, risk = found.minus(*pair, "psnr"), found.minus(*pair, "risk")
        if psnr is not None and risk is not None:
            yield (
                f"{condition.capitalize()}: diffusion adapted by SCD minus diffusion, on the same slices: PSNR "
                f"{psnr.text(unit='dB')}, risk before calibration {risk.text()}."
            )


def _table(found: Coverage, name: str) -> Table:
    def cell(condition: str, value: str, coverage: bool) -> str:
        mean = found.mean(name, condition, value)
        if mean is None:
            return ""
        if coverage:
            ends = None if mean.interval is None else (1 - mean.interval[1], 1 - mean.interval[0])
            mean = Mean(1 - mean.value, ends)
        return mean.text()

    values = (("risk", True), ("calibrated", True), ("correlation", False), ("size", False), ("psnr", False))
    body = [
        [f"{condition} ({len(found.value(name, condition, 'risk'))})", *(cell(condition, *value) for value in values)]
        for condition in found.conditions(name)
    ]
    calibration = found.calibrations[name]
    scale = "not calibrated" if calibration is None else f"lambda {calibration.scale:.3g}"
    header = ("condition (slices)", "coverage before", "after calibration", "Spearman", "width / signal", "PSNR (dB)")
    return Table(f"Intervals of the {name} ensemble, {scale}", header, body)
