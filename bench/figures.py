"""A figure, the limit measured beside it, and the table that they make."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table."""

    number: str
    what: str
    measured: str
    limit: str
    """What was measured beside it, in the same run; a dash where the reach is absolute."""
    ratio: str
    reach: str
    met: bool | None
    """None where a figure is reported and has no reach."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Texts of the line."""
        met = {True: "yes", False: "no", None: "-"}[self.met]
        return (self.number, self.what, self.measured, self.limit, self.ratio, self.reach, met)


HEADINGS = ("", "figure", "measured", "limit beside it", "ratio", "reach", "met")


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table that is also readable as text."""
    rows = [HEADINGS, *(figure.cells for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["| " + " | ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (n + 2) for n in widths) + "|")
    return "\n".join(lines)


@dataclass(frozen=True)
class Pairs:
    """Measurements of ours and of the limit, taken in turn, so that both saw the same machine."""

    ours: list[float]
    limits: list[float]

    @property
    def ratio(self) -> float:
        """Median of the ratios of each pair."""
        return statistics.median(self._ratios)

    @property
    def spread(self) -> str:
        """Median, least and largest ratio."""
        return f"{self.ratio:.2f} ({min(self._ratios):.2f} to {max(self._ratios):.2f})"

    @property
    def _ratios(self) -> list[float]:
        return [mine / limit for mine, limit in zip(self.ours, self.limits, strict=True)]


def alternated(ours: Callable[[], float], limit: Callable[[], float], rounds: int) -> Pairs:
    """Measure limit and ours in turn, after one round of each that does not count."""
    limit()
    ours()
    pairs = Pairs([], [])
    for _ in range(rounds):
        pairs.limits.append(limit())
        pairs.ours.append(ours())
    return pairs


def rate(values: Sequence[float]) -> str:
    """Return the median of bytes per second, in words."""
    return f"{statistics.median(values) / 1e9:.2f} GB/s"


def milliseconds(values: Sequence[float]) -> str:
    """Return the median of seconds, in words."""
    return f"{1e3 * statistics.median(values):.1f} ms"
