import math

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.uncertainty.intervals import Intervals, deviation_intervals, noise_floor, quantile_intervals


def measured(noise):
    data = torch.zeros(1, 2, 4, 4, dtype=torch.complex64)
    return Measurements(data, torch.ones(1, 1, 4, 1, dtype=torch.bool), data, noise)


def test_intervals_by_deviation_are_the_image_and_so_many_deviations_beside_it():
    found = deviation_intervals(torch.tensor([10.0, 1.0]), torch.tensor([2.0, 1.0]), 0.5)
    assert found.lower(3.0).tolist() == [4, 0]  # no magnitude is negative
    assert found.upper(3.0).tolist() == [16, 4]
    assert found.width(3.0).tolist() == [12, 4]


def test_intervals_by_quantiles_are_as_lopsided_as_the_quantiles():
    found = quantile_intervals(torch.tensor([10.0]), torch.tensor([9.0]), torch.tensor([13.0]), 0.1)
    assert (found.lower(1.0).item(), found.upper(1.0).item()) == (9, 13)
    assert (found.lower(2.0).item(), found.upper(2.0).item()) == (8, 16)


def test_where_there_is_no_spread_the_floor_stands():
    still = torch.tensor([5.0])
    assert deviation_intervals(still, torch.tensor([0.0]), 0.5).width(2.0).item() == 2
    assert quantile_intervals(still, still, still, 0.5).width(2.0).item() == 2
    beside = quantile_intervals(still, torch.tensor([6.0]), torch.tensor([7.0]), 0.5)  # the image is below both
    assert (beside.lower(1.0).item(), beside.upper(1.0).item()) == (4.5, 7)


def test_the_needed_scale_is_the_least_that_holds_the_truth():
    generator = torch.Generator().manual_seed(0)
    prediction, below, above, truth = torch.rand(4, 50, dtype=torch.float64, generator=generator) + 0.01
    found = Intervals(prediction, below, above)
    needed = found.needed_scale(truth)
    assert (needed > 0).all()
    for pixel, scale in enumerate(needed.tolist()):
        for factor, holds in ((1.001, True), (0.999, False)):
            low, high = found.lower(scale * factor)[pixel], found.upper(scale * factor)[pixel]
            assert bool(low <= truth[pixel] <= high) is holds


def test_the_floor_is_the_noise_of_one_part():
    assert noise_floor(measured(2.0)) == pytest.approx(math.sqrt(2))
    for unknown in (None, 0.0):
        with pytest.raises(ValueError, match="the noise level is not known"):
            noise_floor(measured(unknown))


def test_half_widths_that_no_factor_could_stretch_are_refused():
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="a half-width is 0, negative or NaN"):
            Intervals(torch.ones(2), torch.ones(2), torch.tensor([1.0, bad]))
    with pytest.raises(ValueError, match=r"are \(2,\), \(3,\), \(2,\); expected one shape"):
        Intervals(torch.ones(2), torch.ones(3), torch.ones(2))
