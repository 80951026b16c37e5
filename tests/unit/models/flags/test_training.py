import numpy as np
import pytest

from echotrain.models.flags.case_rows import ARTIFACTS, CaseRows
from echotrain.models.flags.judging import judge_flags
from echotrain.models.flags.training import fit_flags, fit_regions, fit_typical, with_distance

pytest.importorskip("sklearn")
NAMES = ("input_a", "input_b", "noise_excess", "kspace_spike", "judged_residual_middle", "misfit_peak")


@pytest.fixture
def rows():
    """Cases of which one feature tells noise, another spikes, and strange ones lie apart; no worst case."""

    def make(count=80, seed=0):
        rng = np.random.default_rng(seed)
        tables = {artifact: rng.standard_normal((count, len(NAMES))) for artifact in ARTIFACTS}
        tables["noise"][:, 2] += 4
        tables["spike"][:, 3] += 4
        tables["out_of_distribution"][:, :2] *= 6
        tables["worst_case"][:] = np.nan
        regions = rng.standard_normal((count, 9, 3))
        regions[:, 0] += 3
        return CaseRows(NAMES, tables, regions)

    return make


@pytest.fixture
def subjects():
    """Four slices of each of twenty."""
    return [f"s{n // 4}" for n in range(80)]


def test_each_flag_leans_on_the_feature_of_its_kind(rows, subjects):
    trained = with_distance(rows(), fit_typical(rows()))
    flags = fit_flags(trained, subjects)
    assert "worst_case" not in flags
    for kind, name in (("noise", "noise_excess"), ("spike", "kspace_spike")):
        assert max(flags[kind].weights, key=lambda n: abs(flags[kind].weights[n])) == name
    assert set(flags["out_of_distribution"].weights) == {"input_a", "input_b", "input_distance"}
    assert flags["out_of_distribution"].highest == "notice"


def test_flags_keep_what_they_promise_on_other_cases(rows, subjects):
    typical = fit_typical(rows())
    flags = fit_flags(with_distance(rows(), typical), subjects)
    metrics = {m.case: m for m in judge_flags(rows(count=200, seed=1), typical, flags, data="random")}
    area = {kind: next(m for case, m in metrics.items() if f" {kind} against" in case) for kind in flags}
    # two normal distributions 4 standard deviations apart
    assert area["noise"].value == pytest.approx(0.9977, abs=0.005)
    assert area["out_of_distribution"].value > 0.85
    # what no feature tells is told by chance
    assert area["motion"].interval[0] < 0.55
    assert next(m for m in metrics.values() if m.metric == "share above notice").value <= 0.05


def test_half_a_probability_is_as_much_like_the_one_as_like_the_other(rows, subjects):
    middle = dict.fromkeys((*NAMES, "input_distance"), 0.0) | {"noise_excess": 2.0}
    fits = (fit_flags(with_distance(rows(seed=n), fit_typical(rows(seed=n))), subjects) for n in range(6))
    assert np.mean([flags["noise"].probability(middle) for flags in fits]) == pytest.approx(0.5, abs=0.1)


def test_thresholds_come_from_clean_scans_of_subjects_that_the_model_has_not_seen(rows, subjects):
    trained = rows()
    # what a model has not seen it explains less of: clean scans of some subjects look a little like noisy ones
    trained.features["clean"][60:, 2] += 1.5
    trained = with_distance(trained, fit_typical(trained))
    unseen = {"s15", "s16", "s17", "s18", "s19"}
    known, of_these = (fit_flags(trained, subjects, chosen)["noise"] for chosen in (set(subjects) - unseen, unseen))
    assert of_these.warning > known.warning
    others = rows(count=400, seed=7)
    others.features["clean"][:, 2] += 1.5
    others = with_distance(others, fit_typical(rows()))

    def alarms(flag):
        found = [flag.probability(dict(zip(others.names, row, strict=True))) for row in others.features["clean"]]
        return np.mean([flag.severity(p) in {"warning", "severe"} for p in found])

    # .005 are allowed, as far as a tail of twenty scans tells
    assert alarms(of_these) < 0.02
    assert alarms(known) > 2 * alarms(of_these)


def test_what_tells_a_subject_alone_tells_nothing_as_folds_leave_out_whole_subjects():
    owner = np.arange(80) // 4
    rng = np.random.default_rng(0)
    names = tuple(f"input_{n:02}" for n in range(20))
    tables = {artifact: np.full((80, 20), np.nan) for artifact in ARTIFACTS}
    # each subject's strange scans differ from its clean ones in a feature that nobody else has
    for kind, sign in (("clean", -3), ("out_of_distribution", 3)):
        tables[kind] = 0.1 * rng.standard_normal((80, 20))
        tables[kind][np.arange(80), owner] += sign
    rows = CaseRows(names, tables, np.full((80, 9, 3), np.nan))
    rows = with_distance(rows, fit_typical(rows))
    strange = dict(zip(rows.names, rows.features["out_of_distribution"][0], strict=True))
    by_subject, by_slice = (
        fit_flags(rows, [f"s{n}" for n in groups])["out_of_distribution"] for groups in (owner, range(80))
    )
    assert by_slice.probability(strange) > 0.9
    assert by_subject.probability(strange) < 0.7


def test_rows_that_are_joined_are_each_still_there(rows):
    both = rows(count=3).joined(rows(count=2, seed=1))
    np.testing.assert_array_equal(both.features["spike"][3:], rows(count=2, seed=1).features["spike"])
    np.testing.assert_array_equal(both.regions[:3], rows(count=3).regions)
    assert both.names == NAMES


def test_the_typical_scan_is_the_mean_one_and_distances_are_one_on_the_average(rows):
    typical = fit_typical(rows(count=500))
    assert typical.features == ("input_a", "input_b")
    distances = with_distance(rows(count=500, seed=2), typical).features["clean"][:, -1]
    assert np.sqrt(np.mean(np.exp(2 * distances))) == pytest.approx(1, abs=0.1)


def test_regions_with_a_structure_are_more_probable(rows):
    found = fit_regions(rows().regions)
    weights = np.array(list(found.weights.values()))
    score = found.intercept + rows(seed=3).regions @ weights
    assert (score[:, 0] > 0).mean() > 0.9
    assert (score[:, 1:] < 0).mean() > 0.9
