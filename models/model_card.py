"""What is known of a trained model, kept beside its weights."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .toml_text import toml_text
from .trained_range import TrainedRange


class ModelError(ValueError):
    """A model that is unknown, damaged, or cannot be run; ``str()`` of it is meant for whoever named it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Source(_Part):
    """Data that a model was trained on, as its licence wants it named."""

    title: str
    """Who made it, what it is, where it was published."""
    licence: str


class Metric(_Part):
    """How good the model is at one thing, with its 95 % bootstrap interval."""

    case: str
    """Data, acceleration and mask, in words."""
    metric: str
    """``PSNR`` in dB, ``SSIM``, ``NRMSE`` ..."""
    value: float
    interval: tuple[float, float] | None = None


class ModelCard(_Part):
    """Everything about a model but its weights; ``card.toml`` in its folder."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    version: Annotated[int, Field(ge=1)]
    """Counted up with every training that replaces the weights."""
    kind: Literal["supervised", "prior"]
    """What it does: reconstruct scans, or denoise images for samplers."""
    architecture: str
    """One of ``models.networks.build.ARCHITECTURES``."""
    options: dict[str, Any] = {}
    """Arguments of the network's constructor."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Of weights.safetensors; ``write_model`` fills it in."""
    parameters: Annotated[int, Field(ge=0)] = 0
    """Numbers in the weights; ``write_model`` fills it in."""
    trained: TrainedRange
    data: tuple[Source, ...]
    recipe: str
    """Name of the recipe, and another seed if it was given: ``echotrain train RECIPE`` makes the model again."""
    start: str = ""
    """Model, by its label, whose weights the training began with; steps and times are those since then. Empty: random
    weights."""
    seed: int
    hardware: str
    """What it was trained on."""
    steps: Annotated[int, Field(ge=0)]
    """Updates behind these weights."""
    wall_seconds: Annotated[float, Field(ge=0)]
    cpu_seconds: Annotated[float, Field(ge=0)]
    torch: str
    """Version of PyTorch that trained it."""
    date: dt.date
    metrics: tuple[Metric, ...] = ()
    limits: str
    """What it cannot do, and what it was not tested for."""

    @property
    def label(self) -> str:
        """Name and version, as images have it."""
        return f"{self.name}@{self.version}"


def read_card(folder: Path) -> ModelCard:
    """Read a model's card.

    Raises
    ------
    ModelError
        The file cannot be read or is no card; all faults are named.
    """
    file = folder / "card.toml"
    try:
        return ModelCard.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors())
        raise ModelError(f"model card {file}: {faults}") from None
    except (OSError, ValueError) as error:  # tomllib's and the decoder's errors are ValueErrors
        raise ModelError(f"model card {file} cannot be read: {error}") from None


def write_card(card: ModelCard, folder: Path) -> None:
    """Write a model's card."""
    (folder / "card.toml").write_text(toml_text(card.model_dump(exclude_none=True)), encoding="utf-8")
