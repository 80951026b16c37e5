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


def test_each_flag_leans_on_the_feature_of_its_kind(rows):
    trained = with_distance(rows(), fit_typical(rows()))
    flags = fit_flags(trained)
    assert "worst_case" not in flags
    for kind, name in (("noise", "noise_excess"), ("spike", "kspace_spike")):
        assert max(flags[kind].weights, key=lambda n: abs(flags[kind].weights[n])) == name
    assert set(flags["out_of_distribution"].weights) == {"input_a", "input_b", "input_distance"}
    assert flags["out_of_distribution"].highest == "notice"


def test_flags_keep_what_they_promise_on_other_cases(rows):
    typical = fit_typical(rows())
    flags = fit_flags(with_distance(rows(), typical))
    metrics = {m.case: m for m in judge_flags(rows(count=200, seed=1), typical, flags, data="random")}
    area = {kind: next(m for case, m in metrics.items() if f" {kind} against" in case) for kind in flags}
    # two normal distributions 4 standard deviations apart
    assert area["noise"].value == pytest.approx(0.9977, abs=0.005)
    assert area["out_of_distribution"].value > 0.85
    # what no feature tells is told by chance
    assert area["motion"].interval[0] < 0.55
    assert next(m for m in metrics.values() if m.metric == "share above notice").value <= 0.05


def test_half_a_probability_is_as_much_like_the_one_as_like_the_other(rows):
    flag = fit_flags(with_distance(rows(), fit_typical(rows())))["noise"]
    middle = dict.fromkeys((*NAMES, "input_distance"), 0.0) | {"noise_excess": 2.0}
    assert flag.probability(middle) == pytest.approx(0.5, abs=0.15)


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
