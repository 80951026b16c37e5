"""The image that a network starts from."""

import pytest
import torch

from echotrain.models.networks.build import build
from echotrain.models.networks.start import starting_image


def test_the_sense_start_solves_its_normal_equations(make_measurements):
    measurements = make_measurements(batch=2, scale=1e-6)
    x = starting_image(measurements, "sense")
    left = measurements.operator().normal(x) + x / 50
    assert (left - measurements.zero_filled()).norm() < 1e-2 * measurements.zero_filled().norm()


def test_the_sense_start_fits_the_measurements_better_than_the_zero_filled_image(make_measurements):
    measurements = make_measurements(coils=6)
    operator = measurements.operator()
    misfits = [
        (operator(starting_image(measurements, start)) - measurements.kspace).norm()
        for start in ("sense", "zero_filled")
    ]
    assert misfits[0] < 0.2 * misfits[1]


@pytest.mark.parametrize("architecture", ["unet", "resunetpp", "irim"])
@pytest.mark.parametrize("start", ["sense", "zero_filled"])
def test_an_untrained_network_returns_what_it_starts_from(make_measurements, architecture, start):
    measurements = make_measurements(size=(32, 24))
    network = build(architecture, {"start": start, "channels": 4})
    with torch.no_grad():
        torch.testing.assert_close(network(measurements), starting_image(measurements, start))
