"""What a calibration found and for what it holds, kept beside the weights that it is about."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..model_card import Metric, ModelError
from ..toml_text import toml_text, toml_value
from ..trained_range import TrainedRange
from .classical_members import Setting
from .running_ensemble import Construction

LONGEST_NAME = 200
"""Letters of an ensemble's name: those of a file's name are 255 at most."""
_Probability = Annotated[float, Field(gt=0, lt=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class CalibrationData(_Part):
    """The slices that were calibrated on."""

    file: str
    """Of images/ in the shared data."""
    subjects: Annotated[tuple[str, ...], Field(min_length=1)]
    slices: Annotated[int, Field(ge=1)]
    seed: int
    """Of the simulated scans."""
    note: str
    """In what these slices are not the independent draws that the promise is made for."""


class CalibrationRecord(_Part):
    """Everything about a calibration; ``calibration-METHOD.toml`` in the folder of a model or prior."""

    method: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+_-]*$", max_length=LONGEST_NAME)]
    """The ensemble: as ``ensemble_label`` calls samples of one prior, and ``ensemble_method`` several methods."""
    construction: Construction
    """How intervals are made of the ensemble's spread."""
    scale: Annotated[float, Field(gt=0)]
    """Lambda: what half-widths are to be multiplied by."""
    alpha: _Probability
    """Risk that was promised."""
    delta: _Probability
    """Probability that the calibration fails to keep it."""
    risk: _Share
    """Found on the slices that were calibrated on."""
    bound: _Share
    """Hoeffding-Bentkus upper bound of it."""
    date: dt.date
    weights: Annotated[dict[str, _Hash], Field(min_length=1)]
    """SHA-256 of each weights.safetensors, by name of model or prior."""
    settings: dict[str, dict[str, Setting]] = {}
    """Of classical members, by name."""
    scope: TrainedRange
    """The acquisitions that were drawn; the promise is one on the average over them, not for each."""
    data: CalibrationData
    metrics: tuple[Metric, ...] = ()
    """What the intervals are like on subjects that neither training nor calibration saw."""

    def outside(
        self,
        *,
        weights: Mapping[str, str],
        acceleration: float,
        matrix: tuple[int, int],
        coils: int,
        snr: float | None = None,
        settings: Mapping[str, Mapping[str, Setting]] = MappingProxyType({}),
    ) -> tuple[str, ...]:
        """Say why intervals of an image are not calibrated; empty if they are.

        The kind of mask cannot be told from a scan and is not looked at, nor is anatomy or contrast.

        Parameters
        ----------
        weights
            SHA-256 of what computed the image, by name.
        acceleration, matrix, coils, snr
            As ``TrainedRange.outside`` takes them.
        settings
            Of classical members, by name.
        """
        calibrated, given = (*self.weights, *self.settings), (*weights, *settings)
        members = (
            *(f"{name} was calibrated with, and is no member" for name in calibrated if name not in given),
            *(f"{name} was not calibrated with" for name in given if name not in calibrated),
        )
        changed = (
            *(
                f"{name} is not the {name} that was calibrated (SHA-256 {digest[:16]}, expected {known[:16]})"
                for name, digest in weights.items()
                if (known := self.weights.get(name, digest)) != digest
            ),
            *(
                f"{name} has {toml_value(values)}, calibrated with {toml_value(self.settings[name])}"
                for name, values in settings.items()
                if name in self.settings and self.settings[name] != values
            ),
        )
        beyond = self.scope.outside(
            acceleration=acceleration, matrix=matrix, coils=coils, snr=snr, purpose="calibrated"
        )
        return (*members, *changed, *beyond)


def calibration_file(folder: Path, method: str) -> Path:
    """Return where the record of a method lies in the folder of a model or prior."""
    return folder / f"calibration-{method}.toml"


def load_calibration(folder: Path, method: str) -> CalibrationRecord:
    """Read a record.

    Raises
    ------
    ModelError
        There is none, or it cannot be read; all faults are named.
    """
    file = calibration_file(folder, method)
    try:
        record = CalibrationRecord.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelError(f"{method} is not calibrated: {file} is missing; echotrain calibrate makes it") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in error.errors())
        raise ModelError(f"calibration {file}: {faults}") from None
    except (OSError, ValueError) as error:  # tomllib's and the decoder's errors are ValueErrors
        raise ModelError(f"calibration {file} cannot be read: {error}") from None
    if record.method != method:
        raise ModelError(f"calibration {file} is of {record.method!r}, expected {method!r}")
    return record


def save_calibration(record: CalibrationRecord, folder: Path) -> Path:
    """Write a record into the folder of a model or prior, in the place of a former one; return its file."""
    file = calibration_file(folder, record.method)
    file.write_text(toml_text(record.model_dump(exclude_none=True)), encoding="utf-8")
    return file
