"""The options by which commands undersample a scan before they send it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # numpy is needed by those who undersample, not for --help
    from ..undersampled_scan import MaskName

UNDERSAMPLE = "Leave out lines of fully sampled Cartesian scans, down to one of R; those about the centre stay."
MASK = "Which lines: uniform (at random) or equispaced."


def mask_name(text: str) -> MaskName:
    """Return a kind of mask, or complain as of the option --mask."""
    from ..undersampled_scan import MASKS

    for known in MASKS:
        if text == known:
            return known
    raise typer.BadParameter(f"{text!r}, expected {' or '.join(MASKS)}", param_hint="--mask")
