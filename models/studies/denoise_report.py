"""What the study of denoising found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .conditions import Claim, Condition, above, at_least, fact, mean_of
from .denoise import EXACT_STEPS, GAUSSIAN_LEVEL, IMAGES, PREDICTIONS, SCHEDULES, WHITE, DenoiseRow, gaussian_losses
from .study import Report, Table

if TYPE_CHECKING:
    from .denoise import DenoiseStudy

_MANY = ("deterministic", "stochastic")
_LIMIT = 10 * math.log10(2)
"""dB that the squared error of a posterior sample is above that of the posterior mean."""


def denoise_report(rows: Sequence[DenoiseRow], study: DenoiseStudy) -> Report:
    """Judge rows of at least one image, and of the exact priors if there are any."""
    table = _Rows(rows)
    levels = sorted({row.level for row in rows if row.data == IMAGES})
    settings = [
        (level, schedule, prediction, steps)
        for level in levels
        for schedule in SCHEDULES
        for prediction in PREDICTIONS
        for steps in study.steps
    ]

    def label(level: float, schedule: str, prediction: str, steps: int) -> str:
        return f"noise {level:g}, {schedule}, {prediction}, {steps} steps"

    quantities = (("complex images", _complex_psnr), ("magnitudes", _magnitude_psnr))
    one_step: dict[str, list[Claim]] = {name: [] for name, _ in quantities}
    deterministic: dict[str, list[Claim]] = {name: [] for name, _ in quantities}
    for level, schedule, prediction, steps in settings:
        one = table.of(level, "one step", prediction=prediction)
        flow, sample = (table.of(level, method, schedule, prediction, steps) for method in _MANY)
        name = label(level, schedule, prediction, steps)
        for quantity, psnr in quantities:
            one_step[quantity].append(Claim(name, psnr(one) - psnr(flow)))
            deterministic[quantity].append(Claim(name, psnr(flow) - psnr(sample)))
    counts = [2**n for n in range(int(math.log2(study.samples)) + 1)]
    nearer = [
        Claim(
            f"noise {level:g}, {few} to {2 * few}",
            table.of(level, "mean", samples=few)["distance"] - table.of(level, "mean", samples=2 * few)["distance"],
        )
        for level in levels
        for few in counts[:-1]
    ]
    conditions = [
        *_exact(rows),
        *(
            condition
            for quantity, _ in quantities
            for condition in (
                at_least(
                    f"One step is at least as good as deterministic denoising (PSNR of {quantity}).",
                    one_step[quantity],
                    "dB",
                ),
                at_least(
                    f"Deterministic denoising is at least as good as stochastic (PSNR of {quantity}).",
                    deterministic[quantity],
                    "dB",
                ),
            )
        ),
        above(
            "The mean of K stochastic samples goes to the result of one step: with each doubling of K it is nearer "
            "(root mean square distance over the noise).",
            nearer,
        ),
    ]
    return Report(
        conditions=conditions,
        findings=[*_losses(table, settings, label), *_means(table, levels, counts), *_views(table, settings)],
        tables=[_psnrs(table, level, study.steps, study.both) for level in levels] + [_approach(table, levels, counts)],
        notes=[
            f"Images: {study.slices.label}; complex, noise in units of the root mean square of their brighter half.",
            (
                "One step estimates the mean of all complex images that the noisy one may be, which has the least "
                "squared error of complex images: what theory says of PSNR, with the limit of 3.01 dB, is of these. "
                "Tables have the PSNR of magnitudes, which are looked at: the magnitude of a mean is not the mean of "
                "magnitudes."
            ),
            "x0 and epsilon are two views of one network, which know the same; the paper trained a network for each.",
            (
                "Formulae of the paper's schedules were not open to us: models/samplers/schedules.py says what was "
                "taken. Linear is almost uniform: levels whose variance rises by linearly growing steps are all but "
                "equidistant."
            ),
        ],
    )


class _Rows:
    """Columns by method, slices in order of their numbers."""

    def __init__(self, rows: Iterable[DenoiseRow]) -> None:
        self._rows = sorted((row for row in rows if row.data == IMAGES), key=lambda row: row.number)

    def of(
        self,
        level: float,
        method: str,
        schedule: str | None = None,
        prediction: str | None = None,
        steps: int | None = None,
        samples: int | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        wanted = {"schedule": schedule, "prediction": prediction, "steps": steps, "samples": samples}
        chosen = [
            row
            for row in self._rows
            if row.level == level
            and row.method == method
            and all(value is None or getattr(row, name) == value for name, value in wanted.items())
        ]
        return {name: np.array([getattr(row, name) for row in chosen]) for name in ("psnr", "error", "distance")}

    def psnr(
        self,
        level: float,
        method: str,
        schedule: str | None = None,
        prediction: str | None = None,
        steps: int | None = None,
    ) -> NDArray[np.float64]:
        return self.of(level, method, schedule, prediction, steps)["psnr"]


def _complex_psnr(columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return dB above a PSNR that all methods share on a slice: that of the noisy image."""
    return -20 * np.log10(columns["error"])


def _magnitude_psnr(columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return columns["psnr"]


def _exact(rows: Sequence[DenoiseRow]) -> list[Condition]:
    """Judge what is known in closed form."""
    conditions = []
    for data in dict.fromkeys(row.data for row in rows if row.data != IMAGES):
        found = {
            method: float(np.mean([row.error**2 for row in rows if (row.data, row.method) == (data, method)]))
            for method in ("one step", "deterministic", "stochastic")
        }
        flow, sample = (10 * math.log10(found[m] / found["one step"]) for m in ("deterministic", "stochastic"))
        expected = gaussian_losses(data, GAUSSIAN_LEVEL)
        ranges = ", .4 to .5 dB and 2.8 to 3.0 dB" if data == WHITE else ""
        conditions.append(
            fact(
                f"On an exact prior ({data}, noise {GAUSSIAN_LEVEL:g}, {EXACT_STEPS} steps) deterministic and "
                f"stochastic denoising lose what the closed form says{ranges}.",
                abs(flow - expected[0]) < 0.05 and 2.8 < sample < expected[1],
                f"deterministic {flow:.3f} dB below one step (endless steps: {expected[0]:.3f}), stochastic "
                f"{sample:.3f} dB ({expected[1]:.3f}), mean of all schedules",
            )
        )
    return conditions


def _losses(
    table: _Rows, settings: Sequence[tuple[float, str, str, int]], label: Callable[[float, str, str, int], str]
) -> list[str]:
    found = []
    for method in _MANY:
        worst: tuple[float, str] | None = None
        for level, schedule, prediction, steps in settings:
            one = table.of(level, "one step", prediction=prediction)
            many = table.of(level, method, schedule, prediction, steps)
            loss, squared = mean_of(one["psnr"] - many["psnr"]), mean_of(20 * np.log10(many["error"] / one["error"]))
            share = 100 * loss.value / float(one["psnr"].mean())
            text = (
                f"Largest loss of {method} denoising against one step: {loss.text(unit='dB')}, {share:.1f} % of the "
                f"PSNR in dB ({label(level, schedule, prediction, steps)}; the paper reports up to 14 %). "
                f"Squared error of complex images there: {squared.text(unit='dB')} above one step, "
                f"{squared.value - _LIMIT:+.2f} dB beside the limit of {_LIMIT:.2f} dB of true posterior samples."
            )
            if worst is None or loss.value > worst[0]:
                worst = loss.value, text
        if worst is not None:
            found.append(worst[1])
    for level in sorted({setting[0] for setting in settings}):
        sure = mean_of(table.psnr(level, "one step", prediction="x0") - table.psnr(level, "sure"))
        found.append(
            f"Noise {level:g}: one step of diffusion minus the denoiser that was trained without clean images (SURE): "
            f"{sure.text(unit='dB')}."
        )
    return found


def _means(table: _Rows, levels: Sequence[float], counts: Sequence[int]) -> list[str]:
    found = []
    for level in levels:
        squared = [float(np.mean(table.of(level, "mean", samples=k)["distance"] ** 2)) for k in counts]
        spread, floor = np.polyfit([1 / k for k in counts], squared, 1)
        one = table.psnr(level, "one step", prediction="x0")
        gaps = (mean_of(one - table.of(level, "mean", samples=k)["psnr"]) for k in (counts[0], counts[-1]))
        first, last = (gap.text(unit="dB") for gap in gaps)
        found.append(
            f"Noise {level:g}: squared distance of the mean of K samples from one step is {spread:.3g}/K + "
            f"{max(floor, 0):.2g} (of that of the noise); a sample is {first} below one step in PSNR, the mean of "
            f"{counts[-1]} {last}."
        )
    return found


def _views(table: _Rows, settings: Sequence[tuple[float, str, str, int]]) -> list[str]:
    apart = []
    for level, schedule, prediction, steps in settings:
        for method in _MANY if prediction == "epsilon" else ():
            epsilon = table.psnr(level, method, schedule, prediction, steps)
            x0 = table.psnr(level, method, schedule, "x0", steps)[: len(epsilon)]  # the first ones have both
            apart.append(np.abs(x0 - epsilon).max())
    return [f"Largest difference between the views x0 and epsilon in any row: {max(apart):.2g} dB."] if apart else []


def _psnrs(table: _Rows, level: float, steps: Sequence[int], both: int) -> Table:
    body = [
        [name, *[mean_of(table.psnr(level, method)).text(4), *[""] * (len(steps) - 1)]]
        for name, method in (("noisy", "noisy"), ("SURE denoiser", "sure"))
    ]
    one = mean_of(table.psnr(level, "one step", prediction="x0")).text(4)
    body.append(["one step", one, *[""] * (len(steps) - 1)])
    slices = len(table.psnr(level, "noisy"))
    fewer = f" (the first {both})" if both < slices else ""
    body += [
        [
            f"{method}, {schedule}, {prediction}{fewer if prediction == 'epsilon' else ''}",
            *(mean_of(table.psnr(level, method, schedule, prediction, n)).text(4) for n in steps),
        ]
        for method in _MANY
        for schedule in SCHEDULES
        for prediction in PREDICTIONS
    ]
    header = ("", *(f"{n} steps" for n in steps))
    return Table(f"PSNR in dB at noise {level:g}: mean of {slices} slices [95 % bootstrap interval]", header, body)


def _approach(table: _Rows, levels: Sequence[float], counts: Sequence[int]) -> Table:
    body = [
        [f"noise {level:g}", *(mean_of(table.of(level, "mean", samples=k)["distance"]).text() for k in counts)]
        for level in levels
    ]
    return Table("Distance of the mean of K samples from one step, over the noise", ("", *map(str, counts)), body)
