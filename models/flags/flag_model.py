"""Everything that flags are raised by, in one file that can be read and written by hand."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..model_card import Metric, ModelError
from ..toml_text import toml_text
from ..trained_range import TrainedRange
from .flag import Flag
from .kinds import FlagKind

DISTANCE = "input_distance"
"""The feature that a ``Typical`` makes of the others."""
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Typical(_Part):
    """Where features of scans like those of the training lie."""

    features: Annotated[tuple[str, ...], Field(min_length=1)]
    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    """Inverse of their covariance."""

    def distance(self, features: Mapping[str, float]) -> float:
        """Return the logarithm of the Mahalanobis distance over its root mean square in training."""
        apart = np.array([features[name] for name in self.features]) - np.array(self.mean)
        square = float(apart @ np.array(self.precision) @ apart) / len(apart)
        return math.log(max(math.sqrt(max(square, 0.0)), 1e-3))


class Regions(_Part):
    """The probability that a region shows what k-space does not; see ``region_map``."""

    intercept: float
    weights: dict[str, float]
    """By name in ``REGION_FEATURES``."""


class FlagData(_Part):
    """The slices that flags were trained on."""

    file: str
    """Of images/ in the shared data."""
    slices: Annotated[int, Field(ge=1)]
    seed: int
    note: str


class FlagModel(_Part):
    """What turns features into flags: ``flags-CONVENTIONAL.toml`` in the folder of the judged model."""

    judged: str
    """Model whose images are judged, by name."""
    conventional: str
    """Method that they are compared with."""
    date: dt.date
    weights: Annotated[dict[str, _Hash], Field(min_length=1)]
    """SHA-256 of each weights.safetensors, by name of the model."""
    note: str = ""
    """What a user has to know of these numbers."""
    search: str = ""
    """How the worst change was searched that flags look along, see ``search_text``; empty if they do not."""
    scope: TrainedRange
    """The acquisitions that flags were trained and judged on."""
    data: FlagData
    typical: Typical
    regions: Regions
    flags: Annotated[dict[FlagKind, Flag], Field(min_length=1)]
    metrics: tuple[Metric, ...] = ()
    """Area under the curve of each flag against clean scans, and the share of clean scans with any flag above
    ``notice``, on subjects that were not trained on."""

    @property
    def label(self) -> str:
        """Name of the judged model, and what tells these flags from others of it."""
        return f"{self.judged} ({hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]})"

    def probabilities(self, features: Mapping[str, float]) -> Mapping[FlagKind, float]:
        """Return each flag's probability.

        Raises
        ------
        KeyError
            A feature is missing.
        """
        every = {**features, DISTANCE: self.typical.distance(features)}
        return {kind: flag.probability(every) for kind, flag in self.flags.items()}

    def outside(
        self,
        *,
        weights: Mapping[str, str],
        acceleration: float,
        matrix: tuple[int, int],
        coils: int,
        snr: float | None = None,
        search: str = "",
    ) -> tuple[str, ...]:
        """Say why probabilities are not calibrated for an image; empty if they are.

        Parameters
        ----------
        weights
            SHA-256, or its beginning, of what computed the judged image, by name.
        acceleration, matrix, coils, snr
            As ``TrainedRange.outside`` takes them.
        search
            How the worst change was searched; empty if it was not, and flags of it are not looked for.
        """
        changed = (
            *(f"flags of {name} were not trained" for name in weights if name not in self.weights),
            *(
                f"{name} is not the {name} that flags were trained for (SHA-256 {given[:16]}, expected {known[:16]})"
                for name, known in self.weights.items()
                if (given := weights.get(name, "")) == "" or not known.startswith(given)
            ),
        )
        if self.search and search not in {"", self.search}:
            searched = f"the worst change was searched by {search}, for flags that were trained by {self.search}"
            changed = (*changed, searched)
        return (*changed, *self.scope.outside(acceleration=acceleration, matrix=matrix, coils=coils, snr=snr))


def flag_file(folder: Path, conventional: str) -> Path:
    """Return where flags lie in the folder of the judged model."""
    return folder / f"flags-{conventional}.toml"


def load_flags(file: Path) -> FlagModel:
    """Read flags.

    Raises
    ------
    ModelError
        There are none, or they cannot be read; all faults are named.
    """
    try:
        return FlagModel.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelError(f"there are no flags: {file} is missing; echotrain calibrate flags makes it") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'flags'}: {e['msg']}" for e in error.errors())
        raise ModelError(f"flags {file}: {faults}") from None
    except (OSError, ValueError) as error:  # tomllib's and the decoder's errors are ValueErrors
        raise ModelError(f"flags {file} cannot be read: {error}") from None


def known_flags(folder: Path, sha256: str, conventional: str = "sense") -> FlagModel | None:
    """Return the flags of a model, if there are some that were trained for these very weights.

    Parameters
    ----------
    folder
        Of the model.
    sha256
        Of its weights.
    conventional
        Method that images are compared with.

    Raises
    ------
    ModelError
        They cannot be read.
    """
    file = flag_file(folder, conventional)
    found = load_flags(file) if file.is_file() else None
    return found if found is not None and sha256 in found.weights.values() else None


def save_flags(model: FlagModel, folder: Path) -> Path:
    """Write flags into the folder of the judged model, one weight a line; return the file."""
    values = model.model_dump(exclude_none=True)
    flags: Mapping[str, Mapping[str, object]] = values.pop("flags")
    metrics: Sequence[Mapping[str, object]] = values.pop("metrics")
    text = toml_text(values)
    for kind, flag in flags.items():
        numbers = {name: value for name, value in flag.items() if name != "weights"}
        weights = flag["weights"]
        assert isinstance(weights, Mapping)
        text += f"\n[flags.{kind}]\n{toml_text(numbers)}\n[flags.{kind}.weights]\n{toml_text(weights)}"
    file = flag_file(folder, model.conventional)
    file.write_text(text + (f"\n{toml_text({'metrics': metrics})}" if metrics else ""), encoding="utf-8")
    return file
