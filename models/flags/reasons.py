"""Why a flag is raised, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .evidence import Evidence
from .image_features import smoothed
from .kinds import FlagKind
from .residual_features import band_ratios

_DEVIANT = 1.25
"""Times the median of the coils: which of them are named."""


def reason(kind: FlagKind, evidence: Evidence, features: Mapping[str, float], names: tuple[str, str]) -> str:
    """Say what a flag of this kind is raised by.

    Parameters
    ----------
    kind
        Of the flag.
    evidence, features
        What was seen of the slice; with the distance, for ``out_of_distribution``.
    names
        Of the judged and the conventional method.
    """
    judged, conventional = names

    def times(name: str) -> str:
        return f"{np.exp(features[name]):.3g}"

    match kind:
        case "noise":
            excess = f"noise {times('noise_excess')} times the measured one; " if evidence.measurements.noise else ""
            return (
                f"{excess}residual at high frequency {times('judged_residual_high')} times the noise{_coils(evidence)}"
            )
        case "spike":
            return (
                f"a sample of the residual {times('judged_residual_spike')} times its neighbours, a line "
                f"{times('judged_residual_line')} times"
            )
        case "motion":
            return (
                f"lines contradict one another: residual at middle frequency {times('judged_residual_middle')} times "
                f"the noise, neighbouring lines correlated by {features['judged_residual_correlation_ky']:.2f}"
            )
        case "worst_case":
            along = (
                f"what {judged} and {conventional} leave unexplained is {times('judged_residual_along_worst')} and "
                f"{times('conventional_residual_along_worst')} times the noise along the change of the scan that "
                f"{judged} amplifies most; "
                if evidence.worst_change is not None
                else ""
            )
            return (
                f"{along}the residual of one line is {times('judged_isolated_line')} times the noise and "
                f"{times('judged_isolated_line_contrast')} times that of others"
            )
        case "inserted_structure":
            return _where(evidence, judged, conventional)
        case "out_of_distribution":
            return (
                f"the scan is {times('input_distance')} times as far from the typical one as scans of the training are"
            )


def _coils(evidence: Evidence) -> str:
    """Name the coils that stand out, if some do."""
    levels = band_ratios(evidence.residuals["judged"], evidence.sampled)["high"]
    deviant = np.flatnonzero(levels > _DEVIANT * np.median(levels))
    return f" in {'coil' if len(deviant) == 1 else 'coils'} {_listed(deviant.tolist())}" if len(deviant) else ""


def _where(evidence: Evidence, judged: str, conventional: str) -> str:
    """Say where k-space contradicts the image most, and what other methods see there."""
    misfit = np.where(evidence.body, smoothed(evidence.misfit), 0)
    row, column = np.unravel_index(int(misfit.argmax()), misfit.shape)
    apart = float(abs(evidence.judged[row, column] - evidence.conventional[row, column]))
    if evidence.deviation is not None and evidence.deviation[row, column] > 0:
        disagreement = f"{apart / float(evidence.deviation[row, column]):.2g} SD"
    else:
        disagreement = f"{apart / evidence.image_noise:.2g} times the noise"
    return (
        f"k-space contradicts the image at row {row}, column {column} by {misfit[row, column]:.2g} times the noise; "
        f"{judged} and {conventional} disagree here by {disagreement}"
    )


def _listed(numbers: list[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
