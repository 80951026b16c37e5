"""The kinds of artifact that flags tell apart, and how bad one is."""

from __future__ import annotations

from typing import Literal, get_args

FlagKind = Literal["worst_case", "inserted_structure", "noise", "motion", "spike", "out_of_distribution"]
"""``worst_case``: k-space was changed so that the image changes most. ``inserted_structure``: the image shows what
k-space does not. ``noise``: more than was measured. ``motion``: lines that contradict one another. ``spike``: single
samples or lines far from their neighbours. ``out_of_distribution``: a scan unlike those that the model knows."""
Severity = Literal["none", "notice", "warning", "severe"]
KINDS: tuple[FlagKind, ...] = get_args(FlagKind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Rising."""


def worst(severities: list[Severity]) -> Severity:
    """Return the highest of several; ``none`` of none."""
    return max(severities, key=SEVERITIES.index, default="none")
