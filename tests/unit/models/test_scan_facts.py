"""What measurements tell of a scan, and whether models know such scans."""

import datetime as dt

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.model_card import ModelCard
from echotrain.models.scan_facts import outside_training, scan_facts
from echotrain.models.trained_range import TrainedRange


@pytest.fixture
def scan():
    """Return a flat image of 100 among noise of 1, by 2 coils, every second line of 64."""
    kspace = torch.randn(1, 2, 64, 48, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    kspace[:, :, 32, 24] += 100 * (64 * 48 / 2) ** 0.5
    mask = torch.zeros(1, 1, 64, 1, dtype=torch.bool)
    mask[:, :, ::2] = True
    maps = torch.full((1, 2, 64, 48), 0.5**0.5, dtype=torch.complex64)
    return Measurements(kspace=kspace * mask, mask=mask, maps=maps)


def card(name, kind="supervised", **trained):
    known = {"acceleration": (2, 8), "matrix": (48, 64), "coils": (1, 8), "snr": (10, 1000), "masks": ("uniform",)}
    return ModelCard(
        name=name,
        version=1,
        kind=kind,
        architecture="unet",
        trained=TrainedRange(**{**known, **trained}),
        data=(),
        recipe=name,
        seed=0,
        hardware="none",
        steps=0,
        wall_seconds=0,
        cpu_seconds=0,
        torch="2",
        date=dt.date(2020, 1, 1),
        limits="",
    )


def test_measurements_tell_their_acceleration_size_coils_noise_and_snr(scan):
    facts = scan_facts(scan)
    assert (facts.acceleration, facts.matrix, facts.coils, facts.measured) == (2, (64, 48), 2, False)
    assert facts.noise == pytest.approx(1, rel=0.15)
    assert facts.snr == pytest.approx(100, rel=0.2)
    assert scan_facts(scan, noise=2.0).snr == pytest.approx(50, rel=0.05)


def test_a_scan_like_those_of_training_is_not_outside(scan):
    assert outside_training([card("net")], scan_facts(scan)) == ()


def test_every_reason_is_told_and_those_of_further_models_name_them(scan):
    cards = [card("net", acceleration=(6, 8), coils=(4, 8)), card("other", matrix=(48, 50))]
    assert outside_training(cards, scan_facts(scan)) == (
        "acceleration 2, trained for 6 to 8",
        "2 coils, trained for 4 to 8",
        "other@1: matrix 64 x 48, trained for 48 to 50",
    )


def test_of_a_prior_the_matrix_alone_counts(scan):
    prior = card("prior", "prior", acceleration=(1, 1), coils=(4, 4), snr=(0.1, 1), matrix=(16, 32))
    assert outside_training([prior], scan_facts(scan)) == ("matrix 64 x 48, trained for 16 to 32",)
