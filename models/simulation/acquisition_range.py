"""The range from which simulated acquisitions are drawn."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MaskKind = Literal["uniform", "variable_density", "equispaced", "partial_fourier", "poisson_disc"]
MapKind = Literal["true", "low_resolution", "espirit"]


class AcquisitionRange(BaseModel):
    """What may vary between simulated acquisitions: each range is (lowest, highest), equal for a fixed value.

    Raises
    ------
    pydantic.ValidationError
        A value is out of its bounds, or a range is upside down; the message says got and expected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    crop: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = (96, 128)
    """Pixels a side, in steps of 8; both sides of all slices of a batch are drawn once."""
    window: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(le=2)]] = (0.5, 1.0)
    """Share of the image's side that is cut out and resampled to the crop: 1 is the whole head, at lower resolution,
    more a larger field of view with air around it."""
    contrast: bool = False
    """Whether greys vary beyond those of the images, see ``random_contrast``."""
    phase: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(le=4)]] = (0.0, 0.0)
    """Strength of the phase that anatomy adds to a smooth one, see ``tissue_phase``."""
    strip: Annotated[int, Field(ge=8)] | None = None
    """Columns that are cut out of each slice after the simulation, two strips a slice, or None for whole slices. Where
    whole readouts are sampled, columns know nothing of each other: a strip has the aliasing of a whole slice at a
    fraction of its cost."""
    coils: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(le=64)]] = (4, 12)
    """Number of coils, common to a batch; drawn uniformly in its logarithm."""
    distance: tuple[Annotated[float, Field(ge=1.2)], Annotated[float, Field(le=4)]] = (1.5, 2.2)
    """Distance of the coils from the middle, in half fields of view."""
    correlation: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(le=1)]] = (0.0, 0.6)
    """Share of the noise that the coils have in common, before it is whitened."""
    acceleration: tuple[Annotated[float, Field(ge=1)], Annotated[float, Field(le=32)]] = (2.0, 12.0)
    """Acceleration factor R, all sampled lines counted; drawn uniformly in log R for each slice."""
    masks: Annotated[tuple[MaskKind, ...], Field(min_length=1)] = ("uniform", "variable_density", "equispaced")
    """Kinds of mask, each as likely as the others; all slices of a batch have Poisson discs, or none has."""
    maps: Annotated[tuple[MapKind, ...], Field(min_length=1)] = ("true", "low_resolution", "espirit")
    """Coil maps, each as likely as the others: the true ones, known everywhere, or estimated from the centre lines."""
    snr: tuple[Annotated[float, Field(gt=0)], float] = (10.0, 100.0)
    """Mean signal of the body over the noise of a fully sampled image; drawn uniformly in its logarithm for each slice.
    Infinite twice: no noise."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("crop", "window", "phase", "coils", "distance", "correlation", "acceleration", "snr"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"{name} is ({low}, {high}), expected (lowest, highest)")
        if (self.snr[0] < float("inf")) != (self.snr[1] < float("inf")):
            raise ValueError(f"snr is {self.snr}, expected both finite, or both infinite for no noise")
        if self.strip is not None and (self.strip > self.crop[0] or "poisson_disc" in self.masks):
            raise ValueError(
                f"strip is {self.strip} of crop {self.crop} and masks {self.masks}, "
                "expected at most the crop, and masks of whole readouts"
            )
        return self
