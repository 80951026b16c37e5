"""What flags say of one image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from .kinds import KINDS, SEVERITIES, FlagKind, Severity, worst

_TEXT = re.compile(
    rf"({'|'.join(KINDS)}): ({'|'.join(SEVERITIES)}), probability (\d\.\d\d)(, not calibrated)?", re.ASCII
)


@dataclass(frozen=True)
class RaisedFlag:
    """One kind of artifact that an image may have."""

    kind: FlagKind
    severity: Severity
    probability: float
    calibrated: bool = True

    def __str__(self) -> str:
        """Return what metadata carry: ``noise: warning, probability 0.97``, and whether that is not calibrated."""
        return f"{self.kind}: {self.severity}, probability {self.probability:.2f}" + (
            "" if self.calibrated else ", not calibrated"
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` gave.

        Raises
        ------
        ValueError
            It is no such text.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"got {text!r}, expected a flag such as 'noise: warning, probability 0.97'")
        kind = next(known for known in KINDS if known == found[1])
        severity = next(known for known in SEVERITIES if known == found[2])
        return cls(kind, severity, float(found[3]), found[4] is None)


@dataclass(frozen=True)
class FlagReport:
    """All flags of one image."""

    flags: tuple[RaisedFlag, ...]
    """Every kind that was looked for, raised or not."""
    reasons: tuple[str, ...] = ()
    """Of those raised, in words and numbers."""
    outside: tuple[str, ...] = ()
    """Why probabilities are not calibrated; empty if they are."""

    @property
    def raised(self) -> tuple[RaisedFlag, ...]:
        """Those that are at least a notice."""
        return tuple(flag for flag in self.flags if flag.severity != "none")

    @property
    def severity(self) -> Severity:
        """The worst of all."""
        return worst([flag.severity for flag in self.flags])
