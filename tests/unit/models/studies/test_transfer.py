"""The study of transferred perturbations on untrained networks and small scans."""

import dataclasses

import pytest

from echotrain.models.samplers.dds import Dds
from echotrain.models.studies.transfer import NONE, RANDOM, TransferStudy


@pytest.fixture(scope="module")
def study(models, scans):
    return TransferStudy(
        slices=scans,
        networks=("one", "other"),
        prior="tiny",
        sampler=Dds(steps=2),
        folders=(models,),
        epsilons=(0.01, 0.04),
        accelerations=(2.0,),
        iterations=4,
        device="cpu",
    )


@pytest.fixture(scope="module")
def rows(study):
    compute = study.start()
    return [row for unit in study.units() for row in compute(unit)]


def test_every_condition_is_met_and_states_its_numbers(study, rows):
    conditions = study.report(rows).conditions
    assert [c.outcome for c in conditions] == ["met"] * 4, conditions
    assert all(c.found for c in conditions)


@pytest.mark.parametrize(
    ("spoilt", "condition"),
    [
        ({"source": NONE, "change": 1e-9}, 0),
        ({"source": RANDOM, "norm": 0.05}, 1),
        ({"epsilon": 0.04, "change": 1e-6}, 2),
        ({"source": RANDOM, "change": 9.0}, 3),
    ],
)
def test_each_condition_can_fail(study, rows, spoilt, condition):
    (where, value), (field, wrong) = spoilt.items()
    changed = [dataclasses.replace(r, **{field: wrong}) if getattr(r, where) == value else r for r in rows]
    assert study.report(changed).conditions[condition].outcome == "not met"


def test_every_method_is_perturbed_by_every_source_at_every_epsilon(study, rows):
    found = {(r.number, r.source, r.epsilon, r.method) for r in rows}
    assert len(found) == len(rows) == 3 * (1 + 3 * 2) * len(study.methods)


def test_slices_that_are_attacked_together_are_attacked_alike(study, rows):
    compute = dataclasses.replace(study, together=2).start()
    together = compute((2.0, 0))
    alone = {(r.number, r.source, r.epsilon, r.method): r.change for r in rows}
    for row in together:
        expected = alone[row.number, row.source, row.epsilon, row.method]
        assert row.change == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_the_figure_is_drawn(study, rows, tmp_path):
    study.draw(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
