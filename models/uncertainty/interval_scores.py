"""How good intervals are, beside how often they hold the truth: how wide, how even, how well they follow errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..evaluation.bootstrap import bootstrap_interval
from ..model_card import Metric
from .case_intervals import CaseIntervals

BINS = 4
"""Of equally many pixels, from the narrowest intervals to the widest."""


@dataclass(frozen=True)
class IntervalScores:
    """Intervals of one slice against its truth, inside the body if nothing else is said."""

    risk: float
    """Share of pixels whose true magnitude lies outside."""
    size: float
    """Mean width over mean true magnitude."""
    stratified_risk: tuple[float, ...]
    """Risk among the pixels of each of ``BINS`` bins of width, narrowest first: alike where widths follow errors."""
    correlation: float
    """Spearman's, of |error| with width; NaN where all widths, or all errors, are equal."""
    correlation_everywhere: float
    """The same over all pixels of the image, as A. N. Angelopoulos et al., ICML 2022 (arXiv:2202.05265) have it: high,
    as the dark background, where errors and widths are small, is told from the body."""


def score_intervals(found: CaseIntervals, scale: float) -> IntervalScores:
    """Compare the intervals of one slice (batch 1), scaled by lambda, with its truth.

    Raises
    ------
    ValueError
        The body has fewer pixels than there are bins.
    """
    body, intervals = found.body, found.intervals
    if int(body.sum()) < BINS:
        raise ValueError(f"the body has {int(body.sum())} pixels, expected at least {BINS}")
    outside = (found.needed() > scale).double().numpy()
    widths, errors = intervals.width(scale).double(), (intervals.prediction - found.truth).abs().double()
    width, error = widths[body].numpy(), errors[body].numpy()
    bins = np.array_split(outside[np.argsort(width, kind="stable")], BINS)
    return IntervalScores(
        risk=float(outside.mean()),
        size=float(width.mean() / found.truth[body].double().mean()),
        stratified_risk=tuple(float(part.mean()) for part in bins),
        correlation=rank_correlation(error, width),
        correlation_everywhere=rank_correlation(errors.flatten().numpy(), widths.flatten().numpy()),
    )


def interval_metrics(case: str, scores: Sequence[IntervalScores]) -> tuple[Metric, ...]:
    """Average over slices, with 95 % bootstrap intervals.

    Parameters
    ----------
    case
        What the slices are, in words.
    scores
        One a slice, at least one; correlations that are NaN are left out of their mean.
    """
    columns = {
        "risk": [score.risk for score in scores],
        "interval size / signal": [score.size for score in scores],
        "Spearman(|error|, size)": [score.correlation for score in scores],
        "Spearman(|error|, size), all pixels": [score.correlation_everywhere for score in scores],
    }
    for number in range(BINS):
        columns[f"risk, width quarter {number + 1}"] = [score.stratified_risk[number] for score in scores]
    metrics = []
    for name, column in columns.items():
        values = np.array([value for value in column if not np.isnan(value)])
        if values.size:
            metrics.append(
                Metric(case=case, metric=name, value=float(values.mean()), interval=bootstrap_interval(values))
            )
    return tuple(metrics)


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Spearman's correlation of two (n,) arrays: Pearson's of their ranks, equal values sharing their mean rank.

    Returns
    -------
        In [-1, 1]; NaN where one of them is constant.
    """
    ranks = np.stack([rankdata(a), rankdata(b)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(ranks, axis=1)
    return float(ranks[0] @ ranks[1] / (norms[0] * norms[1])) if norms.all() else float("nan")
