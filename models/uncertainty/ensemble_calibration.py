"""Calibrate an ensemble on cases, and see on others what its intervals are worth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from ..evaluation.case import Case
from ..model_card import Metric
from .calibration import Calibration, calibrate, risk_curve
from .case_intervals import case_intervals
from .ensemble import Ensemble
from .interval_scores import IntervalScores, interval_metrics, score_intervals
from .kept_rows import KeptRows
from .running_ensemble import NOMINAL, Construction


def calibrate_ensemble(
    ensemble: Ensemble,
    cases: Iterable[Case],
    construction: Construction,
    *,
    alpha: float,
    delta: float,
    device: torch.device,
    kept: KeptRows,
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
    kept
        Of the same ensemble, construction and cases: what is there is not computed again.

    Raises
    ------
    ValueError, CalibrationError
        As ``case_intervals`` and ``calibrate``.
    """

    def curve(case: Case) -> NDArray[np.float64]:
        return risk_curve(case_intervals(ensemble, case, construction, device=device).needed())

    return calibrate(kept.table("risk curves", cases, curve), alpha=alpha, delta=delta)


def evaluate_ensemble(
    ensemble: Ensemble,
    cases: Iterable[Case],
    construction: Construction,
    scale: float,
    *,
    data: str,
    device: torch.device,
    kept: KeptRows,
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
    kept
        As ``calibrate_ensemble`` takes it.

    Raises
    ------
    ValueError
        As ``case_intervals``.
    """
    factors = {"uncalibrated": NOMINAL[construction], "calibrated": scale}

    def scores(case: Case) -> NDArray[np.float64]:
        found = case_intervals(ensemble, case, construction, device=device)
        return np.concatenate([_row(score_intervals(found, factor)) for factor in factors.values()])

    rows = kept.table(f"scores at {scale!r}", cases, scores)
    return tuple(
        metric
        for name, table in zip(factors, np.split(rows, len(factors), axis=1), strict=True)
        for metric in interval_metrics(f"{data}, {name}, {len(table)} slices", [_scores(row) for row in table])
    )


def _row(scores: IntervalScores) -> NDArray[np.float64]:
    return np.array(
        [scores.risk, scores.size, scores.correlation, scores.correlation_everywhere, *scores.stratified_risk]
    )


def _scores(row: NDArray[np.float64]) -> IntervalScores:
    risk, size, correlation, everywhere, *stratified = row.tolist()
    return IntervalScores(
        risk=risk,
        size=size,
        stratified_risk=tuple(stratified),
        correlation=correlation,
        correlation_everywhere=everywhere,
    )
