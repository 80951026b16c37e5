import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from echotrain.models.uncertainty.body import body_mask
from echotrain.models.uncertainty.case_intervals import CaseIntervals
from echotrain.models.uncertainty.interval_scores import IntervalScores, interval_metrics, rank_correlation
from echotrain.models.uncertainty.interval_scores import score_intervals as score
from echotrain.models.uncertainty.intervals import Intervals


def found_of(prediction, half, truth, body=None):
    prediction, half, truth = (
        torch.as_tensor(part, dtype=torch.float32).reshape(1, 1, -1) for part in (prediction, half, truth)
    )
    body = torch.ones_like(truth, dtype=torch.bool) if body is None else torch.tensor(body).reshape(1, 1, -1)
    return CaseIntervals(Intervals(prediction, half, half), truth, body)


def test_risk_and_size_are_of_the_body_alone():
    found = found_of([10, 10, 10, 10, 0], [1, 1, 1, 1, 9], [10, 11, 13, 6, 50], [True, True, True, True, False])
    scores = score(found, 1.0)
    assert scores.risk == 0.5
    assert scores.size == pytest.approx(2 / 10)
    assert score(found, 3.0).risk == 0.25


def test_stratified_risk_tells_where_the_misses_are():
    half = np.repeat([1.0, 2, 3, 4], 10)
    truth = np.full(40, 100.0)
    truth[:5] += 1.5  # half of the narrowest miss
    shuffled = np.random.default_rng(0).permutation(40)
    scores = score(found_of(np.full(40, 100.0), half[shuffled], truth[shuffled]), 1.0)
    assert scores.stratified_risk == (0.5, 0, 0, 0)
    assert scores.risk == 0.125


def test_widths_that_follow_errors_are_correlated_with_them():
    errors = np.linspace(0.1, 2, 50)
    assert score(found_of(np.full(50, 10.0), errors**3, 10 + errors), 1.0).correlation == pytest.approx(1)
    assert score(found_of(np.full(50, 10.0), 1 / errors, 10 + errors), 1.0).correlation == pytest.approx(-1)
    assert np.isnan(score(found_of(np.full(50, 10.0), np.ones(50), 10 + errors), 1.0).correlation)


def test_over_all_pixels_a_dark_background_makes_the_correlation_high():
    rng = np.random.default_rng(0)
    level = np.repeat([0.01, 1.0], 200)
    half, errors = (level * rng.uniform(0.5, 1, 400) for _ in range(2))  # unrelated within body and background
    scores = score(found_of(np.full(400, 10.0), half, 10 + errors, list(level == 1)), 1.0)
    assert abs(scores.correlation) < 0.15
    assert 0.7 < scores.correlation_everywhere < 0.85


def test_rank_correlation_is_scipys_with_ties():
    rng = np.random.default_rng(0)
    a, b = rng.integers(8, size=(2, 300)).astype(float)
    b += a
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic, rel=1e-12)


def test_a_body_smaller_than_the_bins_is_refused():
    with pytest.raises(ValueError, match="the body has 3 pixels, expected at least 4"):
        score(found_of([1, 1, 1], [1, 1, 1], [1, 1, 1]), 1.0)


def test_means_over_slices_leave_out_what_is_not_defined():
    scores = [IntervalScores(0.1, 2.0, (0.1, 0.2, 0.3, 0.4), float("nan"), 0.7)]
    scores += [IntervalScores(r, 4.0, (0.1, 0.2, 0.3, 0.4), 0.5, 0.9) for r in (0.2, 0.3)]
    means = {metric.metric: metric for metric in interval_metrics("case", scores)}
    assert means["risk"].value == pytest.approx(0.2)
    assert 0.1 <= means["risk"].interval[0] < 0.2 < means["risk"].interval[1] <= 0.3
    assert means["Spearman(|error|, size)"].value == 0.5
    assert means["Spearman(|error|, size), all pixels"].value == pytest.approx(2.5 / 3)
    assert means["risk, width quarter 4"].value == pytest.approx(0.4)
    assert "Spearman(|error|, size)" not in {m.metric for m in interval_metrics("case", scores[:1])}


def test_the_body_holds_what_it_encloses_and_no_background():
    truth = torch.zeros(2, 9, 9)
    truth[0, 2:7, 2:7] = 1
    truth[0, 4, 4] = 0.01  # fluid
    truth[0, 0, 0] = 0.05  # haze
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[2:7, 2:7] = True
    body = body_mask(truth)
    assert torch.equal(body[0], expected)
    assert not body[1].any()  # an empty slice has none
