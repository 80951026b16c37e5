"""What methods score on average, and by how much they are ahead of the best classical one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .bootstrap import bootstrap_interval
from .evaluate import Result
from .methods import CLASSICAL

Measure = Literal["psnr", "ssim", "nrmse"]


@dataclass(frozen=True)
class Mean:
    """A mean over slices, and its 95 % bootstrap interval; None of one slice."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Ahead:
    """By how much a method is ahead of a classical one: a mean of differences, slice by slice."""

    of: str
    """The classical method that is the best on these data by this measure."""
    by: Mean
    """Over the slices that both reconstructed."""


@dataclass(frozen=True)
class Summary:
    """One method on all slices of one data set at one acceleration."""

    method: str
    data: str
    mask: str
    acceleration: float
    slices: int
    psnr: Mean
    ssim: Mean
    nrmse: Mean
    psnr_ahead: Ahead | None
    """None where no classical method was compared, and of that method itself."""
    ssim_ahead: Ahead | None
    """The classical method with the best SSIM may be another than that with the best PSNR."""
    seconds: float | None
    """Median over slices; None of an image that comes with another's."""
    flagged: int
    """Slices that lie outside what the method's models were trained for."""
    out_of_range: str
    """In what, of the first of those."""


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Average over slices: a row for each data set, mask, acceleration and method, in the order they first came in."""
    order = {key: number for number, key in enumerate(dict.fromkeys(map(_table, results)))}
    rows = []
    for _, table in groupby(sorted(results, key=lambda r: order[_table(r)]), _table):
        methods: dict[str, list[Result]] = {}
        for result in table:
            methods.setdefault(result.method, []).append(result)
        best_psnr, best_ssim = _best(methods, "psnr"), _best(methods, "ssim")
        rows += [
            _summary(members, _ahead(methods, name, best_psnr, "psnr"), _ahead(methods, name, best_ssim, "ssim"))
            for name, members in methods.items()
        ]
    return rows


def _table(result: Result) -> tuple[str, str, float]:
    return result.data, result.mask, result.acceleration


def _summary(members: Sequence[Result], psnr_ahead: Ahead | None, ssim_ahead: Ahead | None) -> Summary:
    first = members[0]
    spent = [r.seconds for r in members if r.seconds is not None]
    reasons = [r.out_of_range for r in members if r.out_of_range]
    return Summary(
        *(first.method, first.data, first.mask, first.acceleration, len(members)),
        *(_mean(_values(members, "psnr")), _mean(_values(members, "ssim")), _mean(_values(members, "nrmse"))),
        *(psnr_ahead, ssim_ahead),
        seconds=float(np.median(spent)) if spent else None,
        flagged=len(reasons),
        out_of_range=reasons[0] if reasons else "",
    )


def _best(methods: dict[str, list[Result]], measure: Measure) -> str | None:
    classical = [name for name in methods if name in CLASSICAL]
    return max(classical, key=lambda name: _values(methods[name], measure).mean(), default=None)


def _ahead(methods: dict[str, list[Result]], name: str, best: str | None, measure: Measure) -> Ahead | None:
    if best is None or best == name:
        return None
    other = {r.number: r for r in methods[best]}
    pairs = [(r, other[r.number]) for r in methods[name] if r.number in other]
    if not pairs:
        return None
    ours, theirs = zip(*pairs, strict=True)
    return Ahead(best, _mean(_values(ours, measure) - _values(theirs, measure)))


def _values(results: Sequence[Result], measure: Measure) -> NDArray[np.float64]:
    return np.array([getattr(r, measure) for r in results])


def _mean(values: NDArray[np.float64]) -> Mean:
    return Mean(float(values.mean()), bootstrap_interval(values))
