import numpy as np
import pytest
import torch

from echotrain.models.coils.covering_maps import covering_maps
from echotrain.models.coils.espirit import espirit_maps
from echotrain.models.fourier import centre, centred_fft
from echotrain.models.simulation.random_coils import random_sensitivities


def calibration(coils, lines, radius):
    """Calibration lines of a disc, without noise, and where the disc is."""
    maps = random_sensitivities(coils, (96, 96), np.random.default_rng(0), 1.5, 0.0)
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    disc = np.hypot(x, y) < radius
    kspace = centred_fft((maps * disc).astype(np.complex64), (-2, -1))
    return torch.from_numpy(np.ascontiguousarray(centre(kspace, (coils, lines, 24))))[None], disc


def lost(maps, disc):
    return float((maps[0].abs().sum(dim=0) == 0)[torch.from_numpy(disc)].float().mean())


def test_large_patches_are_kept_where_they_cover_the_body():
    region, disc = calibration(4, 20, 0.6)
    maps, kernel = covering_maps(region, (96, 96), kernel=6)
    assert kernel == 6
    assert torch.equal(maps, espirit_maps(region, (96, 96), kernel=6)[0])
    assert lost(maps, disc) < 0.01


def test_patches_become_smaller_where_many_coils_have_few_lines():
    region, disc = calibration(16, 9, 0.95)
    assert lost(espirit_maps(region, (96, 96), kernel=6)[0], disc) > 0.2
    maps, kernel = covering_maps(region, (96, 96), kernel=6)
    assert kernel < 6
    assert lost(maps, disc) < 0.05


def test_without_signal_the_maps_are_zero():
    maps, kernel = covering_maps(torch.zeros(1, 2, 12, 12, dtype=torch.complex64), (32, 32), kernel=5)
    assert not maps.any()
    assert kernel == 5


def test_a_region_smaller_than_the_patch_is_refused():
    with pytest.raises(ValueError, match="expected at least the kernel"):
        covering_maps(torch.zeros(1, 2, 4, 12, dtype=torch.complex64), (32, 32), kernel=5)
