"""What flags are worth, on cases that they were not trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model_card import Metric
from .case_rows import CaseRows
from .flag import Flag
from .flag_model import Typical
from .kinds import FlagKind, worst
from .roc import area_interval, area_under_curve
from .training import with_distance


def judge_flags(rows: CaseRows, typical: Typical, flags: dict[FlagKind, Flag], *, data: str) -> tuple[Metric, ...]:
    """Return each flag's area under the curve against clean scans, and the share of clean scans that it alarms on.

    Parameters
    ----------
    rows
        Without the distance; of each artifact at least two.
    typical, flags
        What was trained.
    data
        What the cases are, in words.
    """
    every = with_distance(rows, typical)

    def probabilities(artifact: str, flag: Flag) -> NDArray[np.float64]:
        return _probabilities(every, artifact, flag)

    metrics = []
    clean = {kind: probabilities("clean", flag) for kind, flag in flags.items()}
    for kind, flag in flags.items():
        found = probabilities(kind, flag)
        metrics.append(
            Metric(
                case=f"{data}, {kind} against clean, {len(found)} and {len(clean[kind])} slices",
                metric="AUC",
                value=area_under_curve(clean[kind], found),
                interval=area_interval(clean[kind], found),
            )
        )
    if "inserted_structure" in flags:
        carried = probabilities("structure_in_data", flags["inserted_structure"])
        metrics.append(
            Metric(
                case=f"{data}, a structure that the coils saw (no flag is for it) against clean, {len(carried)} slices",
                metric="AUC",
                value=area_under_curve(clean["inserted_structure"], carried),
                interval=area_interval(clean["inserted_structure"], carried),
            )
        )
    count = len(next(iter(clean.values())))
    alarms = [
        worst([flag.severity(float(clean[kind][n])) for kind, flag in flags.items()]) in {"warning", "severe"}
        for n in range(count)
    ]
    case = f"{data}, clean, {sum(alarms)} of {count} slices"
    metrics.append(Metric(case=case, metric="share above notice", value=float(np.mean(alarms))))
    return tuple(metrics)


def on_clean(rows: CaseRows, typical: Typical, flag: Flag) -> NDArray[np.float64]:
    """Return a flag's probabilities of clean scans; parameters as above."""
    return _probabilities(with_distance(rows, typical), "clean", flag)


def _probabilities(every: CaseRows, artifact: str, flag: Flag) -> NDArray[np.float64]:
    table = every.features[artifact]
    kept = table[np.isfinite(table).all(axis=1)]
    return np.array([flag.probability(dict(zip(every.names, row, strict=True))) for row in kept])
