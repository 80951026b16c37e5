"""The acquisitions that a model was trained for, and whether another is among them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Share = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1)]
_TOLERANCE = 0.1
_SNR_TOLERANCE = 1.0  # the SNR of a scan is estimated from an undersampled image


class TrainedRange(BaseModel):
    """The acquisitions that a model saw in training: each range is (lowest, highest)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    acceleration: tuple[_Share, _Share]
    """Acceleration factor R, all sampled lines counted."""
    matrix: tuple[_Count, _Count]
    """Pixels a side."""
    coils: tuple[_Count, _Count]
    snr: tuple[_Share, _Share]
    """Mean signal of the body over the noise of a fully sampled image, coils combined; infinite without noise."""
    masks: tuple[str, ...]
    """Kinds of sampling mask."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("acceleration", "matrix", "coils", "snr"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"{name} is ({low}, {high}), expected (lowest, highest)")
        return self

    def outside(
        self,
        *,
        acceleration: float,
        matrix: tuple[int, int],
        coils: int,
        snr: float | None = None,
        purpose: str = "trained",
    ) -> tuple[str, ...]:
        """Say in what an acquisition lies outside, for an image's metadata; empty if in nothing.

        Beyond a range means by more than a tenth, for the SNR (of the zero-filled image, None where unknown) by more
        than a factor of 2. ``purpose`` is what the range is that of: "acceleration 12, PURPOSE for 2 to 8".
        """
        reasons = [
            _beyond(f"acceleration {acceleration:.3g}", acceleration, self.acceleration, _TOLERANCE, purpose),
            _beyond(f"{coils} coils", coils, self.coils, _TOLERANCE, purpose),
            None if snr is None else _beyond(f"SNR {snr:.3g}", snr, self.snr, _SNR_TOLERANCE, purpose),
        ]
        return (*(reason for reason in reasons if reason), *self.outside_matrix(matrix, purpose))

    def outside_matrix(self, matrix: tuple[int, int], purpose: str = "trained") -> tuple[str, ...]:
        """Say whether a matrix lies outside, and nothing of anything else; arguments and result as of ``outside``."""
        text = f"matrix {matrix[0]} x {matrix[1]}"
        reasons = (_beyond(text, side, self.matrix, _TOLERANCE, purpose) for side in matrix)
        return tuple(dict.fromkeys(reason for reason in reasons if reason))


def _beyond(what: str, value: float, known: tuple[float, float], tolerance: float, purpose: str) -> str | None:
    low, high = known
    if low / (1 + tolerance) <= value <= high * (1 + tolerance):
        return None
    return f"{what}, {purpose} for {low:g}" + (f" to {high:g}" if high > low else "")
