import numpy as np
import pytest
import torch

from echotrain.models.coil_combination import walsh_maps as walsh_maps_numpy
from echotrain.models.coils.calibration import calibration_kspace
from echotrain.models.coils.walsh import walsh_maps, walsh_maps_from_calibration
from echotrain.models.operators.fourier import FourierOperator


def test_maps_of_uniform_coils_are_their_gains():
    gains = torch.tensor([3.0, 4.0j, 0.0], dtype=torch.complex64)
    image = torch.randn(12, 15, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    maps = walsh_maps((gains.view(1, 3, 1, 1) * image), crop=0)
    torch.testing.assert_close(maps.abs(), (gains / 5).abs().view(1, 3, 1, 1).expand(1, 3, 12, 15))
    torch.testing.assert_close(maps[0, 1] / maps[0, 0], torch.full((12, 15), 4j / 3, dtype=torch.complex64))


@pytest.mark.parametrize("shape", [(1, 21, 26), (9, 12, 11)], ids=str)
def test_maps_are_those_of_the_numpy_form_away_from_the_border(shape):
    rng = np.random.default_rng(0)
    images = (rng.standard_normal((4, *shape, 2)) @ [1, 1j]).astype(np.complex64)
    expected = walsh_maps_numpy(images, width=3, iterations=200)
    given = torch.from_numpy(images)[None]
    found = walsh_maps(given[:, :, 0] if shape[0] == 1 else given, width=3, crop=0, iterations=200)
    found = found.reshape(images.shape).numpy()
    inner = (slice(None), slice(None) if shape[0] == 1 else slice(1, -1), slice(1, -1), slice(1, -1))
    overlap = np.abs((found.conj() * expected).sum(axis=0))[inner[1:]]
    assert np.median(1 - overlap) < 1e-6
    assert np.quantile(overlap, 0.01) > 0.99  # two eigenvalues may be nearly alike in noise


def test_maps_from_calibration_lines_point_where_the_coils_do(coil):
    shape = (48, 40)
    maps, _ = coil.data(5, shape)
    y, x = (torch.arange(n) - n // 2 for n in shape)
    smooth = torch.exp(-((y[:, None] / 14.0) ** 2) - (x / 12.0) ** 2)
    kspace = FourierOperator()(maps * smooth)
    calibration = calibration_kspace(kspace, torch.ones(1, 1, 48, 1, dtype=torch.bool))
    found = walsh_maps_from_calibration(calibration, shape)
    inside = found.abs().sum(dim=1) > 0
    assert 0.2 < inside.float().mean() < 0.98
    assert inside[0, 24, 20]
    assert coil.alignment(found, maps)[inside].quantile(0.05) > 0.97
    torch.testing.assert_close(found.abs().square().sum(dim=1), inside.float())


def test_a_batch_is_what_its_entries_are_alone_in_any_unit_and_slabs_leave_no_seam(coil, monkeypatch):
    images = torch.cat([coil.data(3, (20, 18), seed)[0] for seed in (0, 1)])
    both = walsh_maps(images * torch.tensor([1e-30, 1e10]).view(2, 1, 1, 1))
    monkeypatch.setattr("echotrain.models.coils.walsh._SLAB_BYTES", 8 * 9 * 18 * 4)
    for entry in range(2):
        torch.testing.assert_close(walsh_maps(images[entry : entry + 1]), both[entry : entry + 1], atol=1e-4, rtol=1e-3)


def test_images_without_signal_have_maps_of_zeros_and_infinite_ones_are_refused():
    images = torch.zeros(1, 2, 9, 9, dtype=torch.complex64)
    assert not walsh_maps(images).any()
    images[0, 0, 0, 0] = torch.inf
    with pytest.raises(ValueError, match="not finite"):
        walsh_maps(images)
