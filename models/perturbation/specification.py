"""Perturbations as plain data: what a chain asks for, what an image's metadata carry, what makes the same one again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from .base import Amount, Share, Specification
from .readout_kinds import (
    Clipping,
    CoilDropout,
    Dropped,
    GainDrift,
    Ghost,
    Interference,
    Motion,
    Noise,
    PhaseDrift,
    Reordered,
    Repeated,
    Spikes,
    Truncated,
)

METADATA = "EchotrainPerturbation"
"""Entry of an image's metadata: the text of each perturbation, in the order in which they were done."""


class Structure(Specification):
    """An ellipse that is not in the data, seen by the coils: brighter or darker than what is around it."""

    kind: Literal["structure"] = "structure"
    diameter: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=2)]
    """In mm: of a disc, or along x and y."""
    contrast: Annotated[float, Field(ge=-1)]
    """Relative to the mean magnitude inside it."""
    edge: Amount = 1.0
    """Width of its soft edge in mm."""
    position: tuple[float, float] | None = None
    """(x, y) in mm from the centre of the field of view; None draws it within the body."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.contrast == 0


class WorstCase(Specification):
    """What changes a model's image most, for its norm."""

    kind: Literal["worst_case"] = "worst_case"
    model: str
    """Name of the attacked reconstruction."""
    model_hash: str = ""
    """First 16 digits of the SHA-256 of its weights, where it has some."""
    method: Literal["pgd", "adam"] = "pgd"
    norm: Literal["l2", "linf"] = "l2"
    epsilon: Share
    """Norm relative to that of the sampled data."""
    iterations: Annotated[int, Field(ge=1)]
    region: tuple[int, int, int, int] | None = None
    """What it is aimed at: first row, first column, row and column after the last, pixels of the image; None: all."""
    steps: Annotated[int, Field(ge=1)] | None = None
    samples: Annotated[int, Field(ge=1)] | None = None
    """Of the sampler, where the model is a prior."""
    structure: Structure | None = None
    """What the image is to show instead of changing most; it stands in no data."""
    universal: bool = False
    """One pattern for all images of a scan, times the norm of the data of each."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.epsilon == 0

    @property
    def label(self) -> str:
        """Model and budget, and what differs from the defaults that tell attacks apart."""
        others: list[str] = [value for value, default in ((self.norm, "l2"), (self.method, "pgd")) if value != default]
        if self.region is not None:
            others.append(f"region={'-'.join(map(str, self.region))}")
        if self.structure is not None:
            others.append(self.structure.label)
        if self.universal:
            others.append("universal")
        return f"worst_case({', '.join([self.model, f'eps={self.epsilon:g}', *others])})"


class RandomControl(Specification):
    """White noise of the norm of a worst case."""

    kind: Literal["random_control"] = "random_control"
    epsilon: Share
    """Norm relative to that of the sampled data."""
    norm: Literal["l2", "linf"] = "l2"

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.epsilon == 0

    @property
    def label(self) -> str:
        """Norm: there is one control beside a worst case."""
        return f"random_control(epsilon={self.epsilon:g})"


Corruption = Annotated[
    Spikes
    | Interference
    | Dropped
    | Repeated
    | Reordered
    | Truncated
    | CoilDropout
    | GainDrift
    | PhaseDrift
    | Motion
    | Ghost
    | Clipping,
    Field(discriminator="kind"),
]
"""What ``corrupt_readouts`` does."""
Perturbation = Annotated[Noise | Corruption | Structure | WorstCase | RandomControl, Field(discriminator="kind")]
"""Every kind."""
_ANY: TypeAdapter[Perturbation] = TypeAdapter(Perturbation)


def parse(text: str) -> Perturbation:
    """Read what ``to_text`` wrote.

    Raises
    ------
    ValueError
        It is no JSON, names no kind that is known, or a field does not fit; the message says which, and what is known.
    """
    try:
        return _ANY.validate_json(text)
    except ValidationError as error:
        raise ValueError("; ".join(_told(fault) for fault in error.errors())) from None


def _told(fault: object) -> str:
    assert isinstance(fault, dict)
    where = ".".join(str(part) for part in fault["loc"])
    return f"perturbation {where}: {fault['msg']}" if where else f"perturbation: {fault['msg']}"
