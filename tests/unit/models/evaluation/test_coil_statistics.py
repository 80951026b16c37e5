import numpy as np
import pytest
import torch

from echotrain.models.evaluation.coil_statistics import coil_statistics

EVERYWHERE = torch.ones(64, 64, dtype=torch.bool)


def test_maps_that_turn_by_a_known_angle_are_found_to_turn_by_it():
    angle = torch.linspace(0, 1.2, 64)[:, None].expand(64, 64)
    maps = torch.stack([angle.cos(), angle.sin()]).to(torch.complex64)
    found = coil_statistics(maps * torch.exp(3j * torch.rand(64, 64)), EVERYWHERE)
    expected = 1.2 * 64 / 63 / 2**0.5  # all along y, none along x
    assert found.turn == pytest.approx(expected, rel=0.02)
    assert found.slope == pytest.approx(expected, rel=0.02)


def test_phases_between_coils_turn_maps_and_not_their_moduli():
    phase = torch.linspace(0, 2.0, 64)[None, :].expand(64, 64)
    maps = torch.stack([torch.ones(64, 64) + 0j, torch.exp(1j * phase)]) / 2**0.5
    found = coil_statistics(maps.to(torch.complex64), EVERYWHERE)
    assert found.turn == pytest.approx(2.0 / 2 * 64 / 63 / 2**0.5, rel=0.02)
    assert found.slope < 0.05


def test_coils_that_see_quarters_are_four_and_need_no_unfolding():
    maps = torch.zeros(4, 64, 64, dtype=torch.complex64)
    for coil in range(4):
        maps[coil, 16 * coil : 16 * coil + 16] = 1
    found = coil_statistics(maps, EVERYWHERE)
    assert found.effective == pytest.approx(4)
    assert found.g_median == pytest.approx(1)
    assert found.g_high == pytest.approx(1)


def test_coils_that_see_the_same_are_one_and_cannot_unfold():
    found = coil_statistics(torch.full((4, 64, 64), 0.5 + 0j), EVERYWHERE)
    assert found.effective == pytest.approx(1)
    assert np.isinf(found.g_median)
