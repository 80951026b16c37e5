"""Recipes: everything that decides what comes out of a training, in one TOML file."""

from __future__ import annotations

import difflib
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..simulation.acquisition_range import AcquisitionRange
from .errors import RecipeError
from .plan import Schedule

_Positive = Annotated[int, Field(ge=1)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class ModelTable(_Table):
    """``[model]``: what is trained."""

    name: _Name
    """Name of the model that comes out: lower-case letters, digits, dot, dash."""
    architecture: str
    """One of ``models.networks.build.ARCHITECTURES``."""
    options: dict[str, Any] = {}
    """Arguments of the network's constructor."""
    storage: Literal["float32", "float16"] = "float16"
    """Precision of the weights on disk; float16 rounds each to 5e-4 of itself."""


class DataTable(_Table):
    """``[data]``: the images that scans are simulated from, HDF5 with ``image`` (slice, y, x) uint8."""

    images: str
    """The file, relative to the data folder; it names the subject of every slice."""
    validation: Annotated[list[str], Field(min_length=1)]
    """Subjects of that file to validate on, by which weights are chosen; the others are trained on."""


class TrainingTable(_Table):
    """``[training]``: how it is trained."""

    steps: _Positive
    """Updates of the weights; a time budget may allow fewer, never more."""
    batch: _Positive
    """Slices a step."""
    learning_rate: Annotated[float, Field(gt=0)]
    """At its highest."""
    warm_up: Annotated[int, Field(ge=0)] = 100
    """Steps over which the learning rate rises linearly."""
    schedule: Schedule = "cosine"
    """How the learning rate falls: to 0 by a half cosine, or not at all."""
    optimiser: Literal["adam", "adamw"] = "adam"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of adamw: decoupled; of adam: added to the gradient."""
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    """Longest gradient, as a norm over all weights; a longer one is scaled down."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the exponential moving average of the weights, which is what is validated and shipped."""
    loss: Literal["l1", "l2", "l1_ssim", "sure", "denoising", "denoising_ve"] = "l1"
    """Distance to the truth (``loss.py``), an estimate of the risk that needs none (``sure.py``), or the error of a
    prior's denoiser at noise levels drawn as for EDM or as for the variance-exploding SDE (``denoising.py``)."""
    fixed: list[Annotated[str, Field(min_length=1)]] = []
    """How the names of those parts of the network begin that stay as they are, e.g. ``start.``: what came from another
    model and is not trained."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the network's forward and backward pass; weights and updates are float32. bfloat16 is by autocast."""
    compile: bool = False
    """Whether torch.compile compiles the network's blocks; takes a minute, pays on a GPU."""
    seed: int = 0
    """Of initial weights, simulated scans, and whatever else is drawn."""
    validate_every: _Positive = 200
    """Steps from one validation and checkpoint to the next."""
    validation_batches: _Positive = 4
    """Batches of the validation images, simulated with a fixed seed."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Validations without a better one after which the training ends; 0: it goes on."""


class Recipe(_Table):
    """A whole recipe."""

    model: ModelTable
    data: DataTable
    acquisition: AcquisitionRange
    """``[acquisition]``: the range that simulated scans are drawn from."""
    training: TrainingTable

    @model_validator(mode="after")
    def _priors_denoise(self) -> Self:
        loss, architecture = self.training.loss, self.model.architecture
        if loss.startswith("denoising") != (architecture == "diffusion_prior"):
            raise ValueError(
                f"got the loss {loss!r} with {architecture}, expected 'denoising' or 'denoising_ve' with "
                "diffusion_prior, and with that alone"
            )
        return self

    @model_validator(mode="after")
    def _sure_has_white_noise(self) -> Self:
        drawn = self.acquisition
        if self.training.loss == "sure" and (
            self.model.architecture != "sure_denoiser" or drawn.acceleration[1] > 1 or not math.isfinite(drawn.snr[1])
        ):
            raise ValueError(
                f"got the loss 'sure' with {self.model.architecture}, acceleration {drawn.acceleration} and SNR "
                f"{drawn.snr}, expected sure_denoiser, acceleration (1.0, 1.0) and noise"
            )
        return self


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    RecipeError
        The file cannot be read, a field is unknown or missing, or a value does not fit; all faults are named.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"recipe {path} cannot be read: {error}") from None
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        faults = "\n  ".join(_explain(fault) for fault in error.errors())
        raise RecipeError(f"recipe {path}:\n  {faults}") from None


def reseeded(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe of a further model that differs by its seed alone, for an ensemble: ``NAME-seedN``.

    Raises
    ------
    RecipeError
        That is too long for a name.
    """
    values = recipe.model_dump()
    values["model"]["name"] += f"-seed{seed}"
    values["training"]["seed"] = seed
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_explain(fault) for fault in error.errors())
        raise RecipeError(f"recipe {recipe.model.name} with the seed {seed}: {faults}") from None


def differences(recipe: Recipe, other: Recipe) -> list[str]:
    """Return ``table.field: value, other value`` for all fields that differ."""
    ours, theirs = recipe.model_dump(), other.model_dump()
    return [
        f"{table}.{name}: {ours[table].get(name)!r}, {theirs[table].get(name)!r}"
        for table in ours
        for name in sorted(ours[table].keys() | theirs[table].keys())
        if ours[table].get(name) != theirs[table].get(name)
    ]


def _explain(fault: Any) -> str:
    if not fault["loc"]:
        return str(fault["ctx"]["error"])
    *tables, name = (str(part) for part in fault["loc"])
    where = ".".join((*tables, name))
    if fault["type"] == "missing":
        return f"{where} is missing"
    if fault["type"] == "extra_forbidden":
        known = _known(tables)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        return f"got {where}{hint} Known: {', '.join(known)}"
    return f"{where}: got {fault['input']!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _known(tables: list[str]) -> tuple[str, ...]:
    model: Any = Recipe
    for table in tables:
        model = model.model_fields[table].annotation
    return tuple(model.model_fields)
