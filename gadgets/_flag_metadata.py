"""What images say of their flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..engine.messages import MetaValue
from ..engine.records import Reconstruction
from ..models.flags.kinds import SEVERITIES
from ..models.flags.report import FlagReport, RaisedFlag
from ._remarks import remarked

FLAGS = "EchotrainFlags"
"""The flags that are raised, one text each, as ``RaisedFlag`` writes them; ``none``, or ``not assessed``."""
REASONS = "EchotrainFlagReasons"
NONE, NOT_ASSESSED = "none", "not assessed"


def flagged(image: Reconstruction, report: FlagReport, *, judged: str) -> Reconstruction:
    """Return an image with flags in its metadata; those above a notice stand in the comments, too."""
    loud = [flag for flag in report.raised if SEVERITIES.index(flag.severity) > SEVERITIES.index("notice")]
    meta: dict[str, MetaValue] = {
        **image.meta,
        FLAGS: tuple(map(str, report.raised)) or NONE,
        REASONS: report.reasons,
        "EchotrainFlagSeverity": report.severity,
        "EchotrainFlagProbabilities": tuple(f"{flag.kind} {flag.probability:.4f}" for flag in report.flags),
        "EchotrainFlagsOf": judged,
        "EchotrainFlagCalibration": f"not calibrated: {'; '.join(report.outside)}" if report.outside else "calibrated",
    }
    step = f"flag_artifacts: {', '.join(map(str, report.raised)) or 'nothing raised'}"
    return replace(image, meta=remarked(meta, *(f"FLAG {flag}" for flag in loud)), history=(*image.history, step))


def not_assessed(image: Reconstruction, why: str) -> Reconstruction:
    """Return an image that says why there are no flags of it."""
    return replace(image, meta=remarked({**image.meta, FLAGS: NOT_ASSESSED}, f"flags {NOT_ASSESSED}: {why}"))


def flags_of(meta: Mapping[str, MetaValue]) -> tuple[RaisedFlag, ...]:
    """Read the flags that an image's metadata carry."""
    texts = meta.get(FLAGS, ())
    every = (texts,) if isinstance(texts, str) else texts
    return tuple(RaisedFlag.parse(text) for text in every if text not in {NONE, NOT_ASSESSED})


def reasons_of(meta: Mapping[str, MetaValue]) -> tuple[str, ...]:
    """Read why they were raised."""
    reasons = meta.get(REASONS, ())
    return (reasons,) if isinstance(reasons, str) else reasons
