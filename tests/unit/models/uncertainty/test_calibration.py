import numpy as np
import pytest
import torch
from scipy.stats import norm

from echotrain.models.uncertainty.calibration import (
    SCALES,
    CalibrationError,
    calibrate,
    images_needed,
    risk_curve,
)


def test_a_risk_curve_is_the_share_of_pixels_that_need_more():
    needed = torch.tensor([0.5, 1.0, 2.0, 4.0])
    assert risk_curve(needed, np.array([5.0, 4.0, 3.0, 1.0, 0.1])).tolist() == [0, 0, 0.25, 0.5, 1]


def test_an_image_without_a_body_has_no_risk():
    with pytest.raises(ValueError, match="no pixels"):
        risk_curve(torch.zeros(0))


def test_the_last_scale_whose_bound_is_within_alpha_is_taken():
    scales = np.array([4.0, 3.0, 2.0, 1.0])
    risks = np.tile([0.0, 0.04, 0.2, 0.6], (100, 1))
    found = calibrate(risks, alpha=0.1, delta=0.1, scales=scales)
    assert found.scale == 3
    assert found.risk == pytest.approx(0.04)
    assert found.risk < found.bound <= 0.1
    assert found.images == 100
    assert calibrate(risks, alpha=0.5, delta=0.1, scales=scales).scale == 2


def test_the_bound_is_held_against_alpha_and_not_against_delta():
    scales = np.array([2.0, 1.0])
    risks = np.tile([0.0, 0.1], (200, 1))
    assert calibrate(risks, alpha=0.2, delta=0.05, scales=scales).scale == 1
    assert calibrate(risks, alpha=0.05, delta=0.2, scales=scales).scale == 2


def test_calibrated_risk_is_within_alpha_in_nine_of_ten_trials_and_intervals_are_not_much_wider_than_need_be():
    """Errors are normal with a spread that intervals misjudge by a factor of each image's own: the risk is known."""
    alpha, delta, trials, images, pixels = 0.1, 0.1, 200, 200, 50
    rng, scales = np.random.default_rng(0), np.linspace(4, 1, 301)

    def misjudged(count):
        return np.exp(0.4 * rng.standard_normal(count))

    population = misjudged(4000)

    def true_risk(scale):
        return float(2 * norm.sf(scale / population).mean())

    needed_at_least = next(s for s in scales[::-1] if true_risk(s) <= alpha)
    risks, ratios = [], []
    for _ in range(trials):
        factors = misjudged(images)
        needed = np.abs(rng.standard_normal((images, pixels))) * factors[:, None]
        curves = np.stack([risk_curve(row, scales) for row in torch.from_numpy(needed)])
        found = calibrate(curves, alpha=alpha, delta=delta, scales=scales)
        risks.append(true_risk(found.scale))
        ratios.append(found.scale / needed_at_least)
    assert np.mean(np.array(risks) <= alpha) >= 1 - delta
    assert np.mean(risks) > alpha / 2
    assert np.mean(ratios) < 1.25


@pytest.mark.parametrize(("alpha", "delta", "least"), [(0.1, 0.1, 22), (0.05, 0.1, 45), (0.1, 0.01, 44)])
def test_too_few_images_are_refused_with_how_many_are_needed(alpha, delta, least):
    assert images_needed(alpha, delta) == least
    calibrate(np.zeros((least, len(SCALES))), alpha=alpha, delta=delta)
    with pytest.raises(CalibrationError, match=f"{least - 1} images can show no risk .* expected at least {least}"):
        calibrate(np.zeros((least - 1, len(SCALES))), alpha=alpha, delta=delta)


def test_intervals_that_no_scale_makes_wide_enough_are_refused():
    with pytest.raises(CalibrationError, match=r"at 1000 times their width, intervals miss 0\.3 of the truth"):
        calibrate(np.full((50, len(SCALES)), 0.3))


def test_what_is_no_probability_or_no_curve_is_refused():
    with pytest.raises(ValueError, match="expected both between 0 and 1"):
        calibrate(np.zeros((50, len(SCALES))), alpha=1.0)
    with pytest.raises(ValueError, match=r"risks are \(50, 3\)"):
        calibrate(np.zeros((50, 3)))
