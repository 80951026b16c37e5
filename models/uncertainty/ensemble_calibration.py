"""Calibrate an ensemble on cases, and see on others what its intervals are worth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from ..evaluation.case import Case
from ..model_card import Metric
from .calibration import Calibration, calibrate, risk_curve
from .case_intervals import case_intervals
from .ensemble import Ensemble
from .interval_scores import IntervalScores, interval_metrics, score_intervals
from .running_ensemble import NOMINAL, Construction


def calibrate_ensemble(
    ensemble: Ensemble,
    cases: Iterable[Case],
    construction: Construction,
    *,
    alpha: float,
    delta: float,
    device: torch.device,
) -> Calibration:
    """Find the scale that keeps an ensemble's risk at alpha.

    Parameters
    ----------
    ensemble, construction, device
        As ``case_intervals`` takes them.
    cases
        One slice each: independent draws from what the intervals will be used on.
    alpha, delta
        As ``calibrate`` takes them.

    Raises
    ------
    ValueError, CalibrationError
        As ``case_intervals`` and ``calibrate``.
    """
    curves = [risk_curve(case_intervals(ensemble, case, construction, device=device).needed()) for case in cases]
    return calibrate(np.stack(curves), alpha=alpha, delta=delta)


def evaluate_ensemble(
    ensemble: Ensemble,
    cases: Iterable[Case],
    construction: Construction,
    scale: float,
    *,
    data: str,
    device: torch.device,
) -> tuple[Metric, ...]:
    """Judge intervals as they come, at the nominal scale, and calibrated, on the same slices.

    Parameters
    ----------
    ensemble, construction, device
        As ``case_intervals`` takes them.
    cases
        One slice each, at least one.
    scale
        Lambda that the calibration found.
    data
        What the cases are, in words.

    Raises
    ------
    ValueError
        As ``case_intervals``.
    """
    factors = {"uncalibrated": NOMINAL[construction], "calibrated": scale}
    scores: dict[str, list[IntervalScores]] = {name: [] for name in factors}
    for case in cases:
        found = case_intervals(ensemble, case, construction, device=device)
        for name, factor in factors.items():
            scores[name].append(score_intervals(found, factor))
    return tuple(m for name, of in scores.items() for m in interval_metrics(f"{data}, {name}, {len(of)} slices", of))
