"""What a flag is worth against an attacker who knows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..measurements import Measurements, Reconstructor
from ..model_card import Metric
from ..perturbation.attacked import Reconstruct
from ..perturbation.control import random_control
from ..uncertainty.kept_rows import KeptRows
from .adaptive import adaptive_worst_case
from .cases import EPSILON, Attack
from .evidence import Evidence, Search
from .features import features
from .flag import Flag
from .roc import area_interval, area_under_curve

EVASION = 0.3
"""How much more it is to the attacker to evade than to harm."""
_ITERATIONS = 20


def adaptive_table(
    clean: Iterable[Measurements],
    judged: tuple[Reconstructor, Reconstruct],
    conventional: tuple[Reconstructor, Reconstruct],
    flag: Flag,
    attack: Attack,
    search: Search,
    kept: KeptRows,
) -> NDArray[np.float64]:
    """Attack scans by somebody who knows the flag, by somebody who does not, and by noise.

    Parameters
    ----------
    clean
        One slice each.
    judged, conventional
        Each as it is used, and with gradients.
    flag
        For worst cases.
    attack
        Of who does not know it.
    search
        Finds the worst change that the flag looks along.
    kept
        Rows that are there are not computed again.

    Returns
    -------
        (slices, 4): the flag's probability of the adaptive attack, and the norm of the judged image's change by it, by
        the other and by noise, over the image's norm.
    """

    def row(case: tuple[int, Measurements]) -> NDArray[np.float64]:
        number, scan = case
        generator = torch.Generator().manual_seed(number)
        adaptive = adaptive_worst_case(
            judged[1],
            conventional[1],
            scan,
            flag,
            search,
            epsilon=EPSILON,
            iterations=_ITERATIONS,
            evasion=EVASION,
            generator=generator,
        )
        before = judged[0](scan)

        def harm(delta: torch.Tensor) -> float:
            return float((judged[0](replace(scan, kspace=scan.kspace + delta)) - before).norm() / before.norm())

        seen = replace(scan, kspace=scan.kspace + adaptive)
        images = [one[0](seen)[0].cpu().numpy() for one in (judged, conventional)]
        found = flag.probability(features(Evidence(seen, images[0], images[1], worst_change=search(seen))))
        others = (attack(scan, EPSILON, number), random_control(scan, EPSILON, generator))
        return np.array([found, harm(adaptive), *map(harm, others)])

    return kept.table("adaptive", enumerate(clean), row)


def judge_adaptive(table: NDArray[np.float64], clean: NDArray[np.float64], *, data: str) -> tuple[Metric, Metric]:
    """Return the area under the curve against clean scans, and what evading costs the attacker.

    Parameters
    ----------
    table
        As ``adaptive_table`` gives it.
    clean
        The flag's probabilities of clean scans.
    data
        What the cases are, in words.
    """
    adaptive, plain, noise = table[:, 1:].mean(axis=0)
    case = f"{data}, worst_case by an attacker who knows the flag against clean, {len(table)} and {len(clean)} slices"
    return (
        Metric(
            case=case,
            metric="AUC",
            value=area_under_curve(clean, table[:, 0]),
            interval=area_interval(clean, table[:, 0]),
        ),
        Metric(
            case=f"{case}: its image changes by {adaptive:.1%}, a worst case's by {plain:.1%}, noise's by {noise:.1%}",
            metric="change over a worst case's",
            value=float(adaptive / plain),
        ),
    )
