"""The study of samplers on an untrained prior."""

import pytest

from echotrain.models.studies.samplers import GROUNDS, SamplerStudy


@pytest.fixture(scope="module")
def study(models, scans):
    return SamplerStudy(
        slices=scans,
        prior="tiny",
        supervised="one",
        folders=(models,),
        acceleration=2.0,
        budgets=(4,),
        slow_budgets=(),
        samples=2,
        device="cpu",
    )


@pytest.fixture(scope="module")
def rows(study):
    compute = study.start()
    return [row for unit in study.units() if unit[2] == 0 for row in compute(unit)]


def test_every_sampler_that_can_do_with_few_evaluations_is_measured(rows):
    found = {row.method.partition(" ")[0] for row in rows if row.evaluations}
    assert found >= {"dds", "heun", "ula", "pc", "dps", "ald"}
    assert {row.method for row in rows if not row.evaluations} == {*GROUNDS, "one"}


def test_none_takes_more_evaluations_than_were_allowed_and_all_take_time(rows):
    assert all(0 < row.taken <= row.evaluations for row in rows if row.evaluations)
    assert all(row.seconds > 0 for row in rows)


def test_the_report_compares_the_best_with_what_needs_no_prior(study, rows, tmp_path):
    report = study.report(rows)
    assert not report.conditions  # every row is reported as found
    assert len(report.findings) == 1 + len(GROUNDS) + 1
    assert len(report.tables[0].rows) == len(rows)
    study.draw(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
