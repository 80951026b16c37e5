"""What the study of samplers found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .conditions import Mean, mean_of
from .samplers import SamplerRow
from .study import Report, Table

if TYPE_CHECKING:
    from .samplers import SamplerStudy


def samplers_report(rows: Sequence[SamplerRow], study: SamplerStudy) -> Report:
    """Put rows of at least one slice together; nothing is demanded of them."""
    keys = sorted({(row.method, row.evaluations) for row in rows}, key=lambda key: (key[1] > 0, key[0], key[1]))
    groups = {key: [row for row in rows if (row.method, row.evaluations) == key] for key in keys}
    psnr = {key: mean_of([row.psnr for row in group]) for key, group in groups.items()}
    best = max((key for key in keys if key[1] > 0), key=lambda key: psnr[key].value, default=None)
    findings = []
    if best is not None:
        seconds = float(np.median([row.seconds for row in groups[best]]))
        findings.append(
            f"Best mean image: {best[0]}, {best[1]} evaluations, {psnr[best].text(4, 'dB')}, {seconds:.2g} s a sample."
        )
        findings += [
            f"{best[0]} minus {ground}: {_paired(groups[best], groups[ground, 0]).text(unit='dB')}."
            for ground, evaluations in keys
            if evaluations == 0
        ]
    body = [
        [
            method,
            str(group[0].taken) if evaluations else "",
            str(group[0].steps) if evaluations else "",
            f"{np.median([row.seconds for row in group]):.3g}",
            psnr[method, evaluations].text(4),
            f"{np.mean([row.sample_psnr for row in group]):.4g}" if evaluations else "",
            f"{np.mean([row.spread for row in group]):.3g}" if evaluations else "",
        ]
        for (method, evaluations), group in groups.items()
    ]
    header = ("", "evaluations", "steps", "seconds a sample", "PSNR of the mean (dB)", "of a sample", "spread")
    ideal = (study.samples / (study.samples + 1)) ** 0.5
    return Report(
        conditions=[],
        findings=findings,
        tables=[Table(f"Samplers at R = {study.acceleration:g}, {len(study.slices)} slices", header, body)],
        notes=[
            f"Slices: {study.slices.label}. Mean of {study.samples} samples, drawn together.",
            "Seconds are medians over slices by the clock on the wall; of a sample, its share of those drawn together.",
            "Where several processes compute, each has memory and caches of its processors only in part.",
            f"Spread: root mean square SD of samples over that of their mean's error; {ideal:.2f} of a true posterior.",
            "Settings are the defaults but for what is named.",
        ],
    )


def _paired(one: Sequence[SamplerRow], other: Sequence[SamplerRow]) -> Mean:
    ground = {row.number: row.psnr for row in other}
    return mean_of([row.psnr - ground[row.number] for row in one if row.number in ground])
