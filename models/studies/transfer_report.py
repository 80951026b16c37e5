"""What the study of transferred perturbations found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..defaults import own_name
from .conditions import Claim, Condition, above, at_least, fact, mean_of
from .study import Report, Table
from .transfer import NONE, RANDOM, TransferRow

if TYPE_CHECKING:
    from .transfer import TransferStudy

_ROUNDING = 1e-5
_STRONG = 0.01
"""Epsilons from which on a white-box attack must be worse than random noise."""
_SHOWN = 0.02
"""The epsilon whose loss of quality is tabulated; the largest where it is not among those measured."""


def transfer_report(rows: Sequence[TransferRow], study: TransferStudy) -> Report:
    """Judge rows of at least one slice at one acceleration."""
    table = _Columns(rows)
    accelerations = sorted({row.acceleration for row in rows})
    shown = _SHOWN if _SHOWN in study.epsilons else max(study.epsilons)
    return Report(
        conditions=_conditions(rows, table, study, accelerations),
        findings=[*_transferred(table, study, accelerations), *_ranking(table, study, accelerations, shown)],
        tables=[
            *(_changes(table, study, r, source) for r, source in product(accelerations, study.sources)),
            *(_losses(table, study, r, shown) for r in accelerations),
        ],
        notes=[
            f"Slices: {study.slices.label}. Change: norm of the difference of complex images over that of the clean.",
            f"Attacks: normalised-gradient ascent, {study.iterations} steps an epsilon, from what that below found.",
            "The first begins at the random perturbation. On sampled entries alone, coil maps held fixed.",
            f"Diffusion: one sample by {study.sampler}, prior {own_name(study.prior)}; not attacked itself.",
            "Its random numbers are the same for clean and perturbed data.",
        ],
    )


class _Columns:
    """Values over slices, in order of their numbers."""

    def __init__(self, rows: Sequence[TransferRow]) -> None:
        self._rows: dict[tuple[float, str, float, str], list[TransferRow]] = {}
        for row in sorted(rows, key=lambda row: row.number):
            self._rows.setdefault((row.acceleration, row.source, row.epsilon, row.method), []).append(row)

    def __call__(
        self, acceleration: float, source: str, epsilon: float, method: str, value: str = "change"
    ) -> NDArray[np.float64]:
        found = self._rows.get((acceleration, source, epsilon, method), [])
        return np.array([getattr(row, value) for row in found], np.float64)


def _conditions(
    rows: Sequence[TransferRow], table: _Columns, study: TransferStudy, accelerations: Sequence[float]
) -> list[Condition]:
    zero = max(row.change for row in rows if row.source == NONE)
    beyond = max(row.norm / row.epsilon for row in rows if row.epsilon > 0)
    rising = [
        Claim(
            f"{method} by {source}, R = {r:g}, epsilon {low:g} to {high:g}",
            table(r, source, high, method) - table(r, source if low else NONE, low, method),
        )
        for r, source, method in product(accelerations, study.sources, study.methods)
        for low, high in pairwise((0.0, *study.epsilons))
    ]
    white = [
        Claim(
            f"{network}, R = {r:g}, epsilon {epsilon:g}",
            table(r, network, epsilon, network) - table(r, RANDOM, epsilon, network),
        )
        for r, network, epsilon in product(accelerations, study.networks, study.epsilons)
        if epsilon >= _STRONG
    ]
    return [
        fact("At epsilon 0 the change is exactly 0.", zero == 0, f"largest change {zero:g}"),
        fact(
            "No perturbation is larger than epsilon allows: norm(delta) <= epsilon norm(y).",
            beyond <= 1 + _ROUNDING,
            f"largest norm over epsilon {beyond:.7f}; {_ROUNDING:g} is allowed for rounding",
        ),
        at_least("The mean change does not fall as epsilon rises, within its bootstrap interval.", rising),
        above(f"White box is above random noise of the same norm at epsilon >= {_STRONG:g}.", white),
    ]


def _transferred(table: _Columns, study: TransferStudy, accelerations: Sequence[float]) -> Iterator[str]:
    diffusion = own_name(study.prior)
    for r, network in product(accelerations, study.networks):
        parts = [
            f"{mean_of(table(r, network, e, diffusion) - table(r, RANDOM, e, diffusion)).text(2)} at {e:g}"
            for e in study.epsilons
            if e >= _STRONG
        ]
        yield (
            f"R = {r:g}: change of {diffusion} by perturbations made for {network}, minus that by random noise of the "
            f"same norm: {'; '.join(parts)}."
        )


def _ranking(table: _Columns, study: TransferStudy, accelerations: Sequence[float], epsilon: float) -> Iterator[str]:
    for r, source in product(accelerations, study.sources):
        means = {method: mean_of(table(r, source, epsilon, method)) for method in study.methods}
        ordered = sorted(means.items(), key=lambda item: item[1].value)
        told = " < ".join(f"{method} {mean.text()}" for method, mean in ordered)
        yield f"R = {r:g}, epsilon {epsilon:g}, perturbed by {source}, least changed first: {told}."


def _changes(table: _Columns, study: TransferStudy, r: float, source: str) -> Table:
    body = [
        [method, *(mean_of(table(r, source, epsilon, method)).text() for epsilon in study.epsilons)]
        for method in study.methods
    ]
    slices = len(table(r, source, study.epsilons[0], study.methods[0]))
    title = f"Change at R = {r:g}, perturbed by {source}: mean of {slices} slices [95 % bootstrap interval]"
    return Table(title, ("epsilon", *(f"{epsilon:g}" for epsilon in study.epsilons)), body)


def _losses(table: _Columns, study: TransferStudy, r: float, epsilon: float) -> Table:
    body = [
        [
            method,
            *(
                f"{mean_of(table(r, source, epsilon, method, 'psnr_lost')).text()} dB, "
                f"{table(r, source, epsilon, method, 'ssim_lost').mean():.3f}"
                for source in study.sources
            ),
        ]
        for method in study.methods
    ]
    return Table(
        f"Loss of PSNR and of SSIM against the truth at R = {r:g}, epsilon {epsilon:g}", ("by", *study.sources), body
    )
