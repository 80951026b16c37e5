import datetime as dt

import pytest

from echotrain.models.model_card import Metric, ModelError
from echotrain.models.trained_range import TrainedRange
from echotrain.models.uncertainty.calibration_record import (
    CalibrationData,
    CalibrationRecord,
    load_calibration,
    save_calibration,
)

WEIGHTS = {"modl": "0" * 64, "varnet": "1" * 64}
RECORD = CalibrationRecord(
    method="modl+varnet",
    construction="deviation",
    scale=4.2,
    alpha=0.1,
    delta=0.1,
    risk=0.06,
    bound=0.099,
    date=dt.date(2026, 1, 2),
    weights=WEIGHTS,
    scope=TrainedRange(acceleration=(4, 8), matrix=(192, 256), coils=(6, 12), snr=(20, 80), masks=("uniform",)),
    data=CalibrationData(file="images/x.h5", subjects=("a", "b"), slices=60, seed=0, note='two "subjects"'),
    metrics=(Metric(case="calibrated, 9 slices", metric="risk", value=0.05, interval=(0.04, 0.06)),),
)
INSIDE = {"acceleration": 4.1, "matrix": (216, 256), "coils": 7, "snr": 30.0}


def test_a_record_is_read_as_it_was_written(tmp_path):
    file = save_calibration(RECORD, tmp_path)
    assert file == tmp_path / "calibration-modl+varnet.toml"
    assert load_calibration(tmp_path, "modl+varnet") == RECORD


def test_a_scan_within_the_scope_by_the_same_weights_is_calibrated():
    assert RECORD.outside(weights=WEIGHTS, **INSIDE) == ()


def test_why_a_scan_is_not_calibrated_is_said():
    assert RECORD.outside(weights=WEIGHTS, **{**INSIDE, "acceleration": 2.0, "snr": 5.0}) == (
        "acceleration 2, calibrated for 4 to 8",
        "SNR 5, calibrated for 20 to 80",
    )


def test_other_weights_are_not_calibrated():
    assert RECORD.outside(weights={**WEIGHTS, "modl": "2" * 64}, **INSIDE) == (
        "modl is not the modl that was calibrated (SHA-256 2222222222222222, expected 0000000000000000)",
    )
    assert RECORD.outside(weights={"modl": "0" * 64, "unet": "3" * 64}, **INSIDE) == (
        "varnet was calibrated with, and is no member",
        "unet was not calibrated with",
    )


def test_other_settings_of_a_classical_member_are_not_calibrated(tmp_path):
    settings = {"cs-tv": {"weight": 0.004, "iterations": 60}}
    record = RECORD.model_copy(update={"method": "cs-tv+modl+varnet", "settings": settings})
    save_calibration(record, tmp_path)
    record = load_calibration(tmp_path, "cs-tv+modl+varnet")
    assert record.settings == settings
    assert record.outside(weights=WEIGHTS, settings=settings, **INSIDE) == ()
    assert record.outside(weights=WEIGHTS, settings={"cs-tv": {"weight": 0.004, "iterations": 30}}, **INSIDE) == (
        "cs-tv has { weight = 0.004, iterations = 30 }, calibrated with { weight = 0.004, iterations = 60 }",
    )
    assert record.outside(weights=WEIGHTS, settings={"sense": {}}, **INSIDE) == (
        "cs-tv was calibrated with, and is no member",
        "sense was not calibrated with",
    )


def test_a_method_without_a_record_is_said_to_be_uncalibrated(tmp_path):
    with pytest.raises(ModelError, match=r"dds-20x8 is not calibrated: .* echotrain calibrate makes it"):
        load_calibration(tmp_path, "dds-20x8")


def test_a_damaged_record_is_refused_with_its_faults(tmp_path):
    file = save_calibration(RECORD, tmp_path)
    text = file.read_text()
    file.write_text(text.replace("scale = 4.2", "scale = -1.0").replace('"deviation"', '"guess"'))
    with pytest.raises(ModelError, match=r"construction: Input should be .*; scale: Input should be greater than 0"):
        load_calibration(tmp_path, "modl+varnet")
    file.write_text(text + "= nonsense")
    with pytest.raises(ModelError, match="cannot be read"):
        load_calibration(tmp_path, "modl+varnet")
    file.write_text(text.replace("modl+varnet", "modl+unet"))
    with pytest.raises(ModelError, match=r"is of 'modl\+unet', expected 'modl\+varnet'"):
        load_calibration(tmp_path, "modl+varnet")


def test_the_name_of_a_method_leads_to_no_other_folder():
    with pytest.raises(ValueError, match="method"):
        CalibrationRecord.model_validate({**RECORD.model_dump(), "method": "../elsewhere"})
