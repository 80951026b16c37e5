import math

import pytest
import torch

from echotrain.models.coils.g_factor import in_snr_units, sense_g_factor


def test_there_is_no_amplification_without_acceleration_and_none_outside_of_the_maps(coil):
    maps, _ = coil.data(4, (12, 10))
    maps[..., 3:5, :] = 0
    g = sense_g_factor(maps, (1,))
    inside = maps.abs().sum(dim=1) > 0
    torch.testing.assert_close(g, inside.double())


def test_two_coils_and_two_pixels_have_a_closed_form():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2, 8, 5, dtype=torch.complex128, generator=generator)
    g = sense_g_factor(maps, (2,))
    first, second = maps[:, :, :4], maps[:, :, 4:]
    overlap = (first.conj() * second).sum(dim=1).abs() / (first.norm(dim=1) * second.norm(dim=1))
    expected = 1 / (1 - overlap**2).sqrt()
    torch.testing.assert_close(g, torch.cat([expected, expected], dim=1))


def test_it_is_the_diagonal_of_a_dense_inverse_for_slices_and_volumes():
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(1, 7, 4, 6, 1, dtype=torch.complex128, generator=generator)
    g = sense_g_factor(maps, (2, 3))
    z, y = 3, 1
    folded = [(a, b) for a in (z, (z + 2) % 4) for b in (y, (y + 2) % 6, (y + 4) % 6)]
    s = torch.stack([maps[0, :, a, b, 0] for a, b in folded], dim=1)
    gram = s.mH @ s
    expected = (torch.linalg.inv(gram)[0, 0] * gram[0, 0]).real.sqrt()
    assert g.shape == (1, 4, 6, 1)
    torch.testing.assert_close(g[0, z, y, 0], expected)


def test_it_is_at_least_one_and_infinite_where_coils_cannot_tell_pixels_apart(coil):
    maps, _ = coil.data(6, (24, 18))
    g = sense_g_factor(maps, (3,))
    assert g.min() >= 1
    assert g.max() > 1.1
    assert torch.equal(
        sense_g_factor(torch.ones(1, 3, 4, 2, dtype=torch.complex64), (2,)), torch.full((1, 4, 2), math.inf).double()
    )
    assert sense_g_factor(maps[:, :2], (3,)).isinf().all()


def test_a_pixel_that_nothing_folds_onto_loses_nothing(coil):
    maps, _ = coil.data(2, (8, 6))
    maps[:, :, 4:] = 0
    g = sense_g_factor(maps, (2,))
    torch.testing.assert_close(g[:, :4], torch.ones(1, 4, 6, dtype=torch.float64))
    assert not g[:, 4:].any()


def test_accelerations_that_do_not_divide_the_axis_are_refused(coil):
    maps, _ = coil.data(4, (9, 8))
    with pytest.raises(ValueError, match=r"acceleration \(2,\) along axes of \(9,\); expected divisors"):
        sense_g_factor(maps, (2,))
    with pytest.raises(ValueError, match=r"acceleration \(3, 1\) along"):
        sense_g_factor(maps, (3, 1))


def test_snr_units_divide_by_g_and_the_root_of_the_acceleration():
    image = torch.tensor([[[6.0, 6.0, 6.0]]])
    g = torch.tensor([[[1.5, 0.0, math.inf]]])
    torch.testing.assert_close(in_snr_units(image, g, 4.0), torch.tensor([[[2.0, 0.0, 0.0]]]))
