"""From evidence to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .evidence import Evidence
from .features import ALONG_WORST, features
from .flag import Flag
from .flag_model import DISTANCE, FlagModel
from .kinds import SEVERITIES, FlagKind
from .reasons import reason
from .report import FlagReport, RaisedFlag


def assess(
    evidence: Evidence,
    flags: Mapping[FlagKind, Flag],
    model: FlagModel | None,
    *,
    names: tuple[str, str],
    outside: Sequence[str] = (),
) -> FlagReport:
    """Raise the flags of one slice.

    A flag that looks along the worst change of the scan is not looked for where that was not searched, and the reasons
    say so. A flag that is not calibrated for the scan is at most a notice. So is every flag of a scan that is unlike
    those of the training: what is out of distribution has features that no probability was calibrated for.

    Parameters
    ----------
    evidence
        Of the slice.
    flags
        Those to look for.
    model
        Where they come from; None where they are thresholds of a user's own.
    names
        Of the judged and the conventional method, for the reasons.
    outside
        Why the probabilities do not hold for this scan, see ``FlagModel.outside``.

    Raises
    ------
    ValueError
        A flag names a feature that there is none of.
    """
    seen = features(evidence)
    if model is not None:
        seen[DISTANCE] = model.typical.distance(seen)
    unsearched = () if evidence.worst_change is not None else ALONG_WORST
    blind = [kind for kind, flag in flags.items() if any(name in unsearched for name in flag.weights)]
    flags = {kind: flag for kind, flag in flags.items() if kind not in blind}
    for kind, flag in flags.items():
        if unknown := flag.weights.keys() - seen.keys():
            raise ValueError(
                f"the flag {kind} has weights for {', '.join(sorted(unknown))}. Known: {', '.join(sorted(seen))}"
            )
    raised = [
        RaisedFlag(kind, flag.severity(probability), probability)
        for kind, flag in flags.items()
        for probability in [flag.probability(seen)]
    ]
    reasons_outside = list(outside)
    if any(flag.kind == "out_of_distribution" and flag.severity != "none" for flag in raised):
        reasons_outside.append("the scan is unlike those of the training")
    if reasons_outside:
        raised = [
            replace(flag, calibrated=False, severity=min(flag.severity, "notice", key=SEVERITIES.index))
            for flag in raised
        ]
    words = tuple(
        f"{flag.kind}: {reason(flag.kind, evidence, seen, names)}"
        for flag in raised
        if flag.severity != "none" and (flag.kind != "out_of_distribution" or model is not None)
    )
    words += tuple(f"{kind}: not looked for, as the worst change of this scan was not searched" for kind in blind)
    return FlagReport(tuple(raised), words, tuple(reasons_outside))


def worst_report(reports: Sequence[FlagReport]) -> FlagReport:
    """Return one report of several slices: of each kind the most probable, all reasons of raised flags once."""
    kinds = dict.fromkeys(flag.kind for report in reports for flag in report.flags)
    flags = [
        max(
            (flag for report in reports for flag in report.flags if flag.kind == kind),
            key=lambda flag: (SEVERITIES.index(flag.severity), flag.probability),
        )
        for kind in kinds
    ]
    reasons = dict.fromkeys(reason for report in reports for reason in report.reasons)
    outside = dict.fromkeys(reason for report in reports for reason in report.outside)
    return FlagReport(tuple(flags), tuple(reasons), tuple(outside))
