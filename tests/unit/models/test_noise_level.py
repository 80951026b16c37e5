"""The noise level of a scan without noise measurement."""

import pytest
import torch

from echotrain.models.measurements import Measurements
from echotrain.models.noise_level import estimated_noise


def scan(sigma, *, lines=slice(None), scale=1.0, fill=None):
    """Return a smooth object seen by 4 coils, 96 x 80, with complex noise of a standard deviation of sigma."""
    generator = torch.Generator().manual_seed(0)
    ky, kx = torch.meshgrid(torch.arange(96.0) - 48, torch.arange(80.0) - 40, indexing="ij")
    signal = 100 * torch.exp(-(ky.square() + kx.square()) / 50).to(torch.complex64)
    noise = sigma * torch.randn(1, 4, 96, 80, dtype=torch.complex64, generator=generator)
    mask = torch.zeros(1, 1, 96, 1, dtype=torch.bool)
    mask[:, :, lines] = True
    kspace = (signal + noise) * mask
    if fill is not None:
        kspace[..., :fill] = 0
    return Measurements(scale * kspace, mask, torch.full_like(kspace, 0.5))


@pytest.mark.parametrize("lines", [slice(None), slice(None, None, 4)])
@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e6])
def test_the_noise_of_a_smooth_object_is_found_in_any_unit(lines, scale):
    assert estimated_noise(scan(0.3, lines=lines, scale=scale)) == pytest.approx(0.3 * scale, rel=0.05)


def test_columns_that_were_filled_with_zeros_are_passed_over():
    assert estimated_noise(scan(0.3, fill=10)) == pytest.approx(0.3, rel=0.05)


def test_nothing_has_no_noise():
    assert estimated_noise(scan(0.0, scale=0.0)) == 0
