"""By how much an ensemble's intervals are to be stretched, and what that promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..engine.logs import get_logger
from ..engine.messages import MetaValue
from ..engine.records import Reconstruction
from ..models.model_card import ModelError
from ..models.model_store import ModelStore
from .reconstruct_fourier import reconstruction_grid

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from ..models.uncertainty.calibration_record import CalibrationRecord
    from ..models.uncertainty.classical_members import Setting
    from ..models.uncertainty.running_ensemble import Construction


@dataclass(frozen=True)
class IntervalScale:
    """How intervals are made of an ensemble's spread."""

    construction: Construction
    factor: float
    promise: str
    """In words: what was calibrated, or ``not calibrated: `` and why."""
    meta: Mapping[str, MetaValue]
    """The same for the metadata of the map."""


def interval_scale(
    store: ModelStore,
    method: str,
    models: Mapping[str, str],
    image: Reconstruction,
    *,
    settings: Mapping[str, Mapping[str, Setting]],
    faults: Sequence[str],
) -> IntervalScale:
    """Look up the calibration of an ensemble, and whether it holds for an image.

    Without one that holds, the scale is the nominal one for 90 %, of the construction that was calibrated, if one was.

    Parameters
    ----------
    store
        Where the models are, and beside their weights the calibrations.
    method
        Name of the ensemble, as in ``CalibrationRecord.method``.
    models
        Those that computed it: name to what its weights' SHA-256 begins with, as images carry it. The calibration is
        sought beside each, by name.
    image
        Of the ensemble, with the metadata of ``scan_figures``.
    settings
        Of classical methods among them, by name.
    faults
        What makes this image another than those calibrated on, whatever the record says.
    """
    from ..models.uncertainty.running_ensemble import NOMINAL

    record = _record(store, method, models)
    reasons = (
        *faults,
        *([f"there is no calibration of {method}"] if record is None else _outside(record, models, settings, image)),
    )
    if record is None or reasons:
        construction: Construction = "deviation" if record is None else record.construction
        return _uncalibrated(construction, NOMINAL[construction], reasons)
    promise = (
        f"calibrated: with a confidence of {1 - record.delta:g}, at most {record.alpha:g} of the body's pixels are "
        "expected outside, on the average over images"
    )
    return IntervalScale(
        record.construction,
        record.scale,
        promise,
        {
            **_labels(promise, record.construction, record.scale),
            "EchotrainIntervalRisk": repr(record.alpha),
            "EchotrainIntervalDelta": repr(record.delta),
        },
    )


def _record(store: ModelStore, method: str, models: Mapping[str, str]) -> CalibrationRecord | None:
    """Return the record of an ensemble, if there is one that can be read; the log says what is wrong with one."""
    from ..models.uncertainty.calibration_record import calibration_file, load_calibration

    if not models:
        return None
    try:
        folders = (store.folder(name) for name in sorted(models))
        found = next((folder for folder in folders if calibration_file(folder, method).is_file()), None)
        return None if found is None else load_calibration(found, method)
    except (ModelError, OSError) as error:  # of many members, the name may be too long for a file
        get_logger().warning("no calibration", method=method, error=str(error))
        return None


def _uncalibrated(construction: Construction, factor: float, reasons: Sequence[str]) -> IntervalScale:
    promise = f"not calibrated: {'; '.join(reasons)}"
    return IntervalScale(construction, factor, promise, _labels(promise, construction, factor))


def _labels(promise: str, construction: str, factor: float) -> Mapping[str, MetaValue]:
    return {
        "EchotrainCalibration": promise,
        "EchotrainIntervals": construction,
        "EchotrainIntervalScale": repr(factor),
    }


def _outside(
    record: CalibrationRecord,
    models: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Setting]],
    image: Reconstruction,
) -> tuple[str, ...]:
    """Say why a record does not hold for an image."""
    if not {"EchotrainAcceleration", "EchotrainCoils"} <= image.meta.keys():
        return ("what reconstructed the image does not say of what acceleration and coils",)
    known = {name: record.weights.get(name, "") for name in models}
    _, height, width = reconstruction_grid(image.encoding)
    snr = image.meta.get("EchotrainSnr")
    return record.outside(
        weights={name: known[name] if known[name].startswith(part) else part for name, part in models.items()},
        acceleration=float(str(image.meta["EchotrainAcceleration"])),
        matrix=(height, width),
        coils=int(str(image.meta["EchotrainCoils"])),
        snr=None if snr is None else float(str(snr)),
        settings=settings,
    )
