import pytest
import torch

from echotrain.models.coils.calibration import calibration_kspace, low_resolution_images
from echotrain.models.operators.fourier import FourierOperator


def indexed(*shape):
    """K-space whose values tell where they were."""
    return torch.arange(torch.Size(shape).numel()).view(1, 1, *shape).to(torch.complex64)


def lines(n, *chosen):
    mask = torch.zeros(n, dtype=torch.bool)
    mask[list(chosen)] = True
    return mask.view(1, 1, n, 1)


def test_fully_sampled_k_space_gives_a_centre_of_the_width_asked_for():
    kspace = indexed(30, 41)
    region = calibration_kspace(kspace, torch.ones(1, 1, 30, 1, dtype=torch.bool), width=12)
    torch.testing.assert_close(region, kspace[:, :, 9:21, 14:26])
    assert region[0, 0, 6, 6] == kspace[0, 0, 15, 20]


def test_the_largest_sampled_centre_is_found_and_lines_beyond_a_gap_do_not_count():
    kspace = indexed(32, 32)
    mask = lines(32, 0, 4, 8, *range(11, 22), 24, 28)  # 11 to 21 about 16
    assert calibration_kspace(kspace, mask).shape[2:] == (11, 24)
    assert calibration_kspace(kspace, lines(32, *range(11, 21), 24)).shape[2:] == (10, 24)
    assert calibration_kspace(kspace, lines(32, *range(12, 32))).shape[2:] == (9, 24)  # partial Fourier: 12 to 20


def test_a_batch_has_the_region_that_all_entries_have():
    mask = torch.cat([lines(32, *range(8, 24)), lines(32, *range(12, 30))])
    assert calibration_kspace(indexed(32, 32).expand(2, 1, 32, 32), mask).shape == (2, 1, 9, 24)


def test_a_volume_gets_a_box_within_an_elliptical_region():
    kz, ky = torch.meshgrid(torch.arange(20) - 10, torch.arange(32) - 16, indexing="ij")
    ellipse = ((kz / 5) ** 2 + (ky / 9) ** 2 <= 1).view(1, 1, 20, 32, 1)
    region = calibration_kspace(indexed(20, 32, 32), ellipse, least=4)
    wz, wy, wx = region.shape[2:]
    assert ellipse[0, 0, 10 - wz // 2 : 10 - wz // 2 + wz, 16 - wy // 2 : 16 - wy // 2 + wy].all()
    assert wx == 24
    assert wz >= 5
    assert wy >= 9


def test_columns_that_were_not_sampled_are_not_taken():
    mask = torch.ones(1, 1, 16, 32, dtype=torch.bool)
    mask[..., :8] = False
    assert calibration_kspace(indexed(16, 32), mask).shape[2:] == (16, 17)
    assert calibration_kspace(indexed(16, 16, 32), mask[:, :, None].expand(1, 1, 16, 16, 32)).shape[2:] == (16, 16, 17)


@pytest.mark.parametrize(
    ("chosen", "got"),
    [(range(0, 32, 4), "1 x 24"), (range(14, 18), "4 x 24"), (range(1, 32, 2), "0 x 0"), (range(14, 17), "2 x 24")],
)
def test_too_few_lines_are_refused_with_what_was_found_and_what_to_do(chosen, got):
    text = f"centre of k-space is {got} of 32 x 32 points; coil maps need at least 6 x 6.*acquire more calibration"
    with pytest.raises(ValueError, match=text):
        calibration_kspace(indexed(32, 32), lines(32, *chosen))


def test_a_width_below_the_least_is_refused_and_short_axes_are_taken_whole():
    everything = lines(32, *range(32))
    with pytest.raises(ValueError, match=r"4 x 4 .* at least 6 x 6 \(and a width"):
        calibration_kspace(indexed(32, 32), everything, width=4)
    volume = torch.ones(1, 1, 3, 32, 1, dtype=torch.bool)
    assert calibration_kspace(indexed(3, 32, 32), volume).shape[2:] == (3, 24, 24)


def test_low_resolution_images_are_smooth_copies_of_the_whole():
    y, x = torch.meshgrid(torch.arange(33) - 16, torch.arange(48) - 24, indexing="ij")
    image = torch.exp(-(y**2) / 60 - x**2 / 90).to(torch.complex64)[None, None]
    kspace = FourierOperator()(image)
    low = low_resolution_images(calibration_kspace(kspace, lines(33, *range(33)), width=16), (33, 48))
    assert low.shape == image.shape
    assert (low - image).abs().max() < 0.2
    assert low.abs().flatten().argmax() == image.abs().flatten().argmax()
    torch.testing.assert_close(low_resolution_images(kspace, (33, 48)), image, atol=1e-6, rtol=1e-5)
