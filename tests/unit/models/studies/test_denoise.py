"""The study of denoising on what is known in closed form, and on an untrained prior."""

import dataclasses

import pytest

from echotrain.models.studies.denoise import (
    FALLING,
    GAUSSIAN_LEVEL,
    IMAGES,
    WHITE,
    DenoiseStudy,
    exact_prior,
    gaussian_losses,
)


@pytest.fixture(scope="module")
def study(models, scans):
    """Return a study of small images by untrained networks."""
    return DenoiseStudy(
        slices=scans, prior="tiny", folders=(models,), levels=(0.2,), steps=(2, 20), samples=4, device="cpu"
    )


@pytest.fixture(scope="module")
def rows(study):
    compute = study.start()
    return [row for unit in study.units() for row in compute(unit)]


def test_white_noise_loses_what_theory_says():
    assert gaussian_losses(WHITE, GAUSSIAN_LEVEL) == pytest.approx((0.4576, 3.0103), abs=1e-4)


def test_the_falling_prior_has_pixels_of_unit_variance_and_neighbours_alike():
    from echotrain.models.studies.denoise import _spectrum

    covariance = exact_prior(_spectrum(FALLING)).covariance
    assert covariance.diagonal().numpy() == pytest.approx(1.0)
    assert float(covariance[0, 1]) > 0.3


def test_on_exact_priors_the_study_finds_the_closed_form(study, rows):
    exact = [c for c in study.report(rows).conditions if "exact prior" in c.statement]
    assert [c.outcome for c in exact] == ["met", "met"]
    spoilt = [
        dataclasses.replace(row, error=1.1 * row.error) if (row.data, row.method) == (WHITE, "one step") else row
        for row in rows
    ]
    again = [c for c in study.report(spoilt).conditions if "exact prior" in c.statement]
    assert [c.outcome for c in again] == ["not met", "met"]


def test_of_magnitudes_and_of_complex_images_it_is_said_apart_what_holds(study, rows):
    def said(rows):
        conditions = study.report(rows).conditions
        return {c.statement.split("(")[1][:-2]: c.outcome for c in conditions if "as deterministic" in c.statement}

    def turned(row):  # the flow's complex images are better than all, its magnitudes worse
        return dataclasses.replace(row, psnr=0.0, error=1e-3) if row.method == "deterministic" else row

    assert said([turned(row) for row in rows]) == {"PSNR of complex images": "not met", "PSNR of magnitudes": "met"}


def test_both_views_of_a_network_denoise_alike(rows):
    found = {(r.schedule, r.prediction, r.steps, r.method): r.psnr for r in rows if (r.data, r.number) == (IMAGES, 0)}
    for method in ("deterministic", "stochastic"):
        assert found["linear", "x0", 20, method] == pytest.approx(found["linear", "epsilon", 20, method], abs=1e-2)
    assert found["", "x0", 1, "one step"] != found["", "", 1, "sure"]


def test_the_first_images_alone_are_denoised_both_ways(study, rows):
    fewer = dataclasses.replace(study, both=1)
    compute = fewer.start()
    found = [row for unit in fewer.units() for row in compute(unit)]
    assert found == [row for row in rows if row.prediction != "epsilon" or row.number < 1]
    report = fewer.report(found)
    assert any("Largest difference between the views x0 and epsilon" in finding for finding in report.findings)
    lines = {line[0] for table in report.tables for line in table.rows}
    assert {"stochastic, linear, epsilon (the first 1)", "stochastic, linear, x0"} <= lines


def test_a_unit_is_the_same_whatever_was_computed_before(study, rows):
    unit = (IMAGES, 0.2, 1)
    assert study.start()(unit) == [row for row in rows if (row.data, row.level, row.number) == unit]


def test_the_figure_is_drawn(study, rows, tmp_path):
    study.draw(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
