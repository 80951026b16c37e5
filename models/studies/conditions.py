"""Conditions that a study must meet, and how what was measured decides them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..evaluation.bootstrap import bootstrap_interval

Outcome = Literal["met", "not met", "too few slices"]


@dataclass(frozen=True)
class Condition:
    """What must hold, and whether it does."""

    statement: str
    outcome: Outcome
    found: str
    """The numbers, with intervals, that decided it."""


@dataclass(frozen=True)
class Claim:
    """A condition in one setting: that something is larger than something else on the same slices."""

    setting: str
    differences: NDArray[np.float64]
    """(N,) the one minus the other, one a slice."""


@dataclass(frozen=True)
class Mean:
    """A mean over slices and its 95 % bootstrap interval."""

    value: float
    interval: tuple[float, float] | None
    """None of one slice."""

    def text(self, digits: int = 3, unit: str = "") -> str:
        """Return ``0.123 [0.100, 0.140] dB``."""
        unit = f" {unit}" if unit else ""
        if self.interval is None:
            return f"{self.value:.{digits}g}{unit}"
        low, high = self.interval
        return f"{self.value:.{digits}g} [{low:.{digits}g}, {high:.{digits}g}]{unit}"


def mean_of(values: Sequence[float] | NDArray[np.float64]) -> Mean:
    """Average over slices, at least one."""
    array = np.asarray(values, np.float64)
    return Mean(float(array.mean()), bootstrap_interval(array))


def at_least(statement: str, claims: Sequence[Claim], unit: str = "") -> Condition:
    """Decide that nothing is smaller than what it is compared with: no interval of the mean lies wholly below 0.

    Intervals are paired: differences are taken slice by slice, and then slices are drawn. Of one slice they are not
    had, and nothing is decided.

    Parameters
    ----------
    statement
        In words.
    claims
        One for each setting, at least one.
    unit
        Of the differences.
    """
    return _decided(statement, claims, unit, lambda interval: interval[1] >= 0, "none wholly below 0")


def above(statement: str, claims: Sequence[Claim], unit: str = "") -> Condition:
    """Decide that everything is larger than what it is compared with: every interval lies wholly above 0."""
    return _decided(statement, claims, unit, lambda interval: interval[0] > 0, "all wholly above 0")


def fact(statement: str, holds: bool, found: str) -> Condition:
    """Decide what needs no interval, as it is to hold exactly or in each single row."""
    return Condition(statement, "met" if holds else "not met", found)


def _decided(
    statement: str, claims: Sequence[Claim], unit: str, holds: Callable[[tuple[float, float]], bool], expected: str
) -> Condition:
    means = [(claim.setting, mean_of(claim.differences)) for claim in claims]
    setting, worst = min(means, key=lambda pair: pair[1].value)
    intervals = [mean.interval for _, mean in means]
    known = [interval for interval in intervals if interval is not None]
    found = f"smallest mean difference {worst.text(unit=unit)} ({setting})"
    if len(known) < len(intervals):
        return Condition(statement, "too few slices", found)
    held, shown = sum(holds(interval) for interval in known), sum(low > 0 for low, _ in known)
    counts = f"intervals as expected ({expected}) in {held} of {len(known)} settings, wholly above 0 in {shown}"
    return Condition(statement, "met" if held == len(known) else "not met", f"{counts}; {found}")
