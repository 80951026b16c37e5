"""The study of shifted scans: what its report makes of rows that are known, and rows of untrained networks."""

import dataclasses

import numpy as np
import pytest

from echotrain.models.studies.shift import (
    CONTRAST,
    DIFFUSION,
    FEWER,
    MASK,
    SCALES,
    SCD,
    SEEN,
    SHIFTS,
    SUPERVISED,
    UNSEEN,
    ShiftRow,
    ShiftStudy,
    inverted,
)
from echotrain.models.studies.shift_report import Coverage
from echotrain.models.uncertainty.running_ensemble import NOMINAL


@pytest.fixture(scope="module")
def study(models, scans):
    images = np.kron(scans.images, np.ones((2, 2), np.uint8))
    return ShiftStudy(
        seen=images,
        unseen=images[:1],
        label="discs",
        members=("one", "other"),
        prior="tiny",
        begin="one",
        settings_of_samples={"steps": 2, "hot": True, "sigma_max": 0.2},
        folders=(models,),
        matrix=64,
        samples=2,
        adapted=0,
        device="cpu",
    )


def rows_that_need(scale, condition, count, seed=0):
    """Rows of slices about half of whose pixels need more than some scale, as of Rayleigh distributed errors."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        risks = np.exp(-np.log(2) * (SCALES / (scale * rng.uniform(0.8, 1.25))) ** 2)
        curve = " ".join(f"{risk:.4f}" for risk in risks)
        nominal = float(np.interp(NOMINAL["deviation"], SCALES[::-1], risks[::-1]))
        for ensemble in (SUPERVISED, DIFFUSION):
            yield ShiftRow(ensemble, condition, number, nominal, 0.5, 0.1, 30.0, curve)


def test_calibration_keeps_its_promise_on_exchangeable_slices_and_tells_what_shift_costs(study):
    rows = [*rows_that_need(2, SEEN, 60), *rows_that_need(2, UNSEEN, 12, 1), *rows_that_need(4, MASK, 12, 1)]
    report, found = study.report(rows), Coverage(rows)
    assert [c.outcome for c in report.conditions] == ["met", "met"]
    assert 0.02 < found.mean(SUPERVISED, UNSEEN, "calibrated").value < 0.1
    assert found.mean(SUPERVISED, UNSEEN, "risk").value > 0.4
    assert found.minus((DIFFUSION, MASK), (DIFFUSION, UNSEEN), "calibrated").interval[0] > 0.2
    assert any("Shift of mask, diffusion" in text for text in report.findings)


def test_few_slices_are_compared_with_the_same_of_others():
    rows = list(rows_that_need(2, UNSEEN, 4))
    rows = [dataclasses.replace(row, psnr=30.0 + row.number) for row in rows]
    rows += [dataclasses.replace(row, ensemble=SCD) for row in rows if row.ensemble == DIFFUSION and row.number > 1]
    found = Coverage(rows)
    assert found.mean(DIFFUSION, UNSEEN, "psnr").value == 31.5
    assert found.mean(DIFFUSION, UNSEEN, "psnr", like=SCD).value == found.mean(SCD, UNSEEN, "psnr").value == 32.5
    assert found.mean(DIFFUSION, MASK, "psnr", like=SCD) is None


def test_a_few_slices_promise_nothing(study):
    report = study.report(list(rows_that_need(2, SEEN, 30)))
    assert [c.outcome for c in report.conditions] == ["too few slices"] * 2


def test_where_no_interval_is_wide_enough_nothing_is_promised(study):
    rows = list(rows_that_need(2, SEEN, 60))
    broken = [dataclasses.replace(row, curve=" ".join(["0.12"] * len(SCALES))) for row in rows]
    assert study.report(broken).conditions[0].outcome == "too few slices"
    assert Coverage(broken).mean(SUPERVISED, SEEN, "calibrated") is None


def test_a_shift_changes_one_thing_and_leaves_the_rest(study):
    same = study.case(UNSEEN, 0)
    fewer, masked, contrast = (study.case(condition, 0) for condition in (FEWER, MASK, CONTRAST))
    assert same.measurements.kspace.shape[1] >= 6
    assert fewer.measurements.kspace.shape[1] <= 3
    assert masked.mask == "equispaced" != same.mask
    assert contrast.measurements.mask.equal(same.measurements.mask)
    assert not contrast.reference.equal(same.reference)


def test_greys_are_inverted_inside_the_head_alone(scans):
    image = scans.images[0]
    changed = inverted(image)
    assert (changed[image == 0] == 0).all()
    bright, dark = (
        np.unravel_index(image.argmax(), image.shape),
        np.unravel_index(np.where(image > 0, image, 255).argmin(), image.shape),
    )
    assert changed[bright] < changed[dark]


def test_ensembles_are_measured_and_drawn(study, tmp_path):
    compute = study.start()
    rows = [row for unit in ((SUPERVISED, SEEN, 0), (DIFFUSION, UNSEEN, 0), (SCD, UNSEEN, 0)) for row in compute(unit)]
    assert all(0 <= row.risk <= 1 and len(row.risks()) == len(SCALES) for row in rows)
    assert all((np.diff(row.risks()) >= 0).all() for row in rows)
    assert {unit[1] for unit in study.units()} == {SEEN, *SHIFTS}
    study.draw(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
