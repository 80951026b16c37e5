"""Flags from cases: a calibrated logistic regression for each kind of artifact."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from .case_rows import CaseRows
from .features import ALONG_WORST
from .flag import Flag
from .flag_model import DISTANCE, Regions, Typical
from .kinds import KINDS, FlagKind, Severity
from .regions import REGION_FEATURES

_TYPICAL = "input_"
_SCALE = ("log_acceleration", "log_coils", "log_snr")
FEATURES: dict[FlagKind, tuple[str, ...]] = {
    "worst_case": (
        "judged_isolated_line",
        "judged_beside_centre",
        "conventional_isolated_line",
        "conventional_beside_centre",
        "judged_residual_line",
        "judged_residual_middle",
        *ALONG_WORST,
        # what is left unexplained anyway: more of it lies along any change
        "conventional_residual_low",
        "noise_excess",
        *_SCALE,
    ),
    "inserted_structure": ("misfit_", "disagreement_peak", "disagreement_contrast", *_SCALE),
    "noise": ("noise_excess", "judged_residual_middle", "judged_residual_high", "conventional_residual_high", *_SCALE),
    # not at low frequency, nor how residuals of neighbouring lines correlate: errors of real coil maps look like that
    "motion": (
        "judged_residual_middle",
        "judged_residual_line",
        "conventional_residual_middle",
        "conventional_residual_line",
        "line_coherence",
    ),
    "spike": ("kspace_spike", "judged_residual_spike", "judged_residual_column", "conventional_residual_spike"),
    "out_of_distribution": ("input_",),
}
"""What each flag may lean on, by how names begin: what physics makes of an artifact, and what that scales with. Of all
features, a flag would learn how simulated scans happen to look, and real ones look otherwise."""
_HIGHEST: dict[FlagKind, Severity] = {"out_of_distribution": "notice"}
"""A scan unlike those of the training is not a bad one."""
_FALSE_NOTICES, _FALSE_WARNINGS = 0.05, 0.005
"""Shares of clean scans that may have a flag of one kind: of the five that warn, .025 have any warning at most."""
_FOLDS = 5
_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_SHRINKAGE = 0.1


def fit_typical(rows: CaseRows) -> Typical:
    """Describe where clean scans lie by what was scanned: mean, and inverse of a covariance shrunk to its diagonal."""
    names = tuple(name for name in rows.names if name.startswith(_TYPICAL))
    values = rows.features["clean"][:, [rows.names.index(name) for name in names]]
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * np.diag(np.diag(covariance)) + 1e-9 * np.eye(len(names))
    precision = np.asarray(np.linalg.inv(shrunk), np.float64)
    return Typical(features=names, mean=tuple(values.mean(axis=0).tolist()), precision=_table(precision))


def with_distance(rows: CaseRows, typical: Typical) -> CaseRows:
    """Return rows with the feature ``input_distance`` as the last."""
    tables = {
        artifact: np.column_stack([table, [typical.distance(dict(zip(rows.names, row, strict=True))) for row in table]])
        for artifact, table in rows.features.items()
    }
    return rows._replace(names=(*rows.names, DISTANCE), features=tables)


def fit_flags(rows: CaseRows, subjects: Sequence[str], unseen: Collection[str] = ()) -> dict[FlagKind, Flag]:
    """Fit a flag for each kind of artifact that there are cases of.

    Clean scans and those of other kinds are the negatives, half of the weight each, so that a flag tells its own kind.
    The regression's strength and the calibration (J. Platt, 1999: a logistic regression on the score) come
    from folds that leave out all cases of some subjects; positives and negatives count alike, so a probability of 1/2
    says that the scan is as much like the one as like the other. Thresholds come from clean scans in the same folds, of
    subjects that the judged model was not trained on: of the others it leaves less unexplained.

    Parameters
    ----------
    rows
        With the distance.
    subjects
        Whose image each row is of; at least two.
    unseen
        Subjects that the judged model was not trained on; empty: thresholds come from all.
    """
    order = [*sorted(unseen), *sorted(set(subjects) - set(unseen))]
    folds = np.array([order.index(subject) % _FOLDS for subject in subjects])
    for_thresholds = np.array([not unseen or subject in unseen for subject in subjects])
    return {
        kind: _fit(rows, kind, folds, for_thresholds)
        for kind in KINDS
        if np.isfinite(rows.features[kind]).all(axis=1).sum() >= _FOLDS
    }


def fit_regions(regions: NDArray[np.float64]) -> Regions:
    """Fit the probability that a region holds a structure that is not in the data; parameter as ``CaseRows`` has it."""
    held = regions[np.isfinite(regions).all(axis=(1, 2))]
    x = np.concatenate([held[:, 0], held[:, 1:].reshape(-1, held.shape[2])])
    y = np.arange(len(x)) < len(held)
    weight = np.where(y, 1 / y.sum(), 1 / (~y).sum())
    intercept, weights = _regression(x, y, weight, 0.1)
    return Regions(intercept=intercept, weights=dict(zip(REGION_FEATURES, weights.tolist(), strict=True)))


def _fit(rows: CaseRows, kind: FlagKind, folds: NDArray[np.int_], for_thresholds: NDArray[np.bool_]) -> Flag:
    chosen = [n for n, name in enumerate(rows.names) if name.startswith(FEATURES[kind])]
    x, rows_of, kinds = [], [], []
    for artifact, table in rows.features.items():
        kept = np.flatnonzero(np.isfinite(table).all(axis=1))
        # what a flag is not for is no negative of it either, where it can hardly be told from clean
        if artifact == "structure_in_data":
            continue
        x.append(table[kept][:, chosen])
        rows_of.append(kept)
        kinds += [artifact] * len(kept)
    values, row, artifact_of = np.concatenate(x), np.concatenate(rows_of), np.array(kinds)
    positive, clean = artifact_of == kind, artifact_of == "clean"
    other = ~positive & ~clean
    weight = np.where(positive, 1 / positive.sum(), np.where(clean, 0.5 / clean.sum(), 0.5 / max(other.sum(), 1)))

    def held_out(strength: float) -> NDArray[np.float64]:
        scores = np.zeros(len(values))
        for fold in np.unique(folds):
            out = folds[row] == fold
            intercept, weights = _regression(values[~out], positive[~out], weight[~out], strength)
            scores[out] = intercept + values[out] @ weights
        return scores

    def loss(scores: NDArray[np.float64]) -> float:
        return float(weight @ np.logaddexp(0, np.where(positive, -scores, scores)))

    strength = min(_STRENGTHS, key=lambda s: loss(held_out(s)))
    scores = held_out(strength)
    offset, slope = _regression(scores[:, None], positive, weight, 1.0)
    intercept, weights = _regression(values, positive, weight, strength)
    steepness = max(float(slope[0]), 1e-3)
    on_clean = np.sort(1 / (1 + np.exp(-np.clip(offset + steepness * scores[clean & for_thresholds[row]], -700, 700))))
    notice, warning = (_exceeded(on_clean, share) for share in (_FALSE_NOTICES, _FALSE_WARNINGS))
    return Flag(
        intercept=offset + steepness * intercept,
        notice=notice,
        warning=max(warning, notice),
        severe=max(warning, 0.99),
        highest=_HIGHEST.get(kind, "severe"),
        weights={rows.names[n]: steepness * float(w) for n, w in zip(chosen, weights, strict=True)},
    )


def _exceeded(sorted_values: NDArray[np.float64], share: float) -> float:
    """Return a probability, at least 1/2, that this share of the values exceeds.

    The tail is taken to fall off exponentially in the score, which few values are enough to see.
    """
    scores = np.log(np.clip(sorted_values, 1e-12, 1 - 1e-12) / (1 - np.clip(sorted_values, 1e-12, 1 - 1e-12)))
    upper = float(np.quantile(scores, 0.8))
    beyond = scores[scores > upper] - upper
    scale = float(beyond.mean()) if len(beyond) else 0.0
    score = upper + scale * math.log(0.2 / share) if share < 0.2 else float(np.quantile(scores, 1 - share))
    return max(0.5, 1 / (1 + math.exp(-min(score, 30.0))))


def _regression(
    x: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64], strength: float
) -> tuple[float, NDArray[np.float64]]:
    """Fit a logistic regression to standardised features; return intercept and weights of the features as they are."""
    from sklearn.linear_model import LogisticRegression  # only training needs it

    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    fitted = LogisticRegression(C=strength, max_iter=2000)
    fitted.fit((x - centre) / spread, y, sample_weight=weight * len(x))
    weights = np.asarray(fitted.coef_[0], np.float64) / spread
    return float(fitted.intercept_[0] - weights @ centre), weights


def _table(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
