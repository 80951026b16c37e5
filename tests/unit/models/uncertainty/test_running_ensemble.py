import pytest
import torch

from echotrain.models.classical.zero_filled import ZeroFilled
from echotrain.models.uncertainty.ensemble import ensemble_method, methods_ensemble
from echotrain.models.uncertainty.pooled import pooled_deviation
from echotrain.models.uncertainty.running_ensemble import NOMINAL, RunningEnsemble


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    return 20 + torch.randn(400, 1, 30, 20, dtype=torch.complex64, generator=generator)


def ensemble_of(samples):
    running = RunningEnsemble(torch.Generator().manual_seed(1))
    for image in samples:
        running.add(image)
    return running


def test_intervals_lie_about_the_magnitude_of_the_mean_image(samples):
    running = ensemble_of(samples[:8])
    by_deviation, by_quantiles = (running.intervals(construction, 1e-3) for construction in NOMINAL)
    torch.testing.assert_close(by_deviation.prediction, samples[:8].mean(dim=0).abs())
    torch.testing.assert_close(by_deviation.below, pooled_deviation(samples[:8].abs().std(dim=0)))
    levels = torch.quantile(samples[:8].abs(), torch.tensor([0.05, 0.95]), dim=0)
    torch.testing.assert_close(by_quantiles.lower(1.0), levels[0])
    torch.testing.assert_close(by_quantiles.upper(1.0), levels[1])


@pytest.mark.parametrize(
    ("construction", "count", "share"),
    # a sample lies below order statistic k of n others with the probability k / (n + 1)
    [("deviation", 200, 0.9), ("quantiles", 32, 1 - 2 * 2.55 / 33), ("quantiles", 8, 1 - 2 * 1.35 / 9)],
)
def test_at_the_nominal_scale_intervals_hold_the_stated_share_of_further_samples(samples, construction, count, share):
    found, scale = ensemble_of(samples[:count]).intervals(construction, 1e-3), NOMINAL[construction]
    truth = samples[200:].abs()
    held = ((truth >= found.lower(scale)) & (truth <= found.upper(scale))).float().mean().item()
    assert held == pytest.approx(share, abs=0.02)


def test_one_sample_gives_no_intervals(samples):
    running = ensemble_of(samples[:1])
    for construction in NOMINAL:
        with pytest.raises(ValueError, match="got 1 image, which has no spread"):
            running.intervals(construction, 1.0)


def test_members_are_asked_one_after_the_other_only_when_their_turn_comes():
    asked = []

    def member(number):
        def reconstruct(measurements):
            asked.append(number)
            return measurements + number

        return reconstruct

    images = methods_ensemble([member(1), member(2)])(torch.zeros(2))
    assert asked == []
    assert next(images).tolist() == [1, 1]
    assert asked == [1]
    assert [image.tolist() for image in images] == [[2, 2]]


def test_one_member_is_no_ensemble():
    with pytest.raises(ValueError, match="an ensemble of 1 has no spread, expected at least 2 members"):
        methods_ensemble([ZeroFilled()])


def test_an_ensemble_has_one_name_in_whatever_order_its_members_are_given():
    assert ensemble_method(["varnet", "modl"]) == ensemble_method(["modl", "varnet"]) == "modl+varnet"
