import pytest
import torch

from echotrain.models.evaluation.error_regions import REGIONS, region_errors


@pytest.fixture
def steps():
    """Three plates of 10 rows each in air (1, 64, 64): their magnitudes are 1, 2 and 3."""
    image = torch.zeros(1, 64, 64)
    for number in range(3):
        image[0, 16 + 10 * number : 26 + 10 * number, 16:46] = number + 1
    return image


def test_an_error_is_found_where_it_is(steps):
    wrong = steps.clone()
    wrong[0, 36:46, 16:46] += 0.01 * torch.tensor([1.0, -1.0]).repeat(15)  # of the bright plate, 0 in the mean
    found = dict(zip(REGIONS, region_errors(wrong, steps)[0].tolist(), strict=True))
    body = (14 / 3) ** 0.5
    assert found["bright"] == pytest.approx(0.01 / body, rel=1e-3)
    assert max(found["air"], found["dark"], found["grey"]) < 1e-5


def test_air_counts_outside_the_body_alone(steps):
    wrong = steps.clone()
    wrong[0, :8] = 0.1
    found = region_errors(wrong, steps)[0]
    air = 64 * 64 - 900
    assert found[0].item() == pytest.approx(0.1 * (512 / air) ** 0.5 / (14 / 3) ** 0.5, rel=0.01)
    assert found[1:].max().item() < 2e-3  # the common scale


def test_a_blurred_image_is_wrong_at_edges(steps):
    blurred = torch.nn.functional.avg_pool2d(steps[:, None], 3, stride=1, padding=1)[:, 0]
    air, dark, grey, bright, edges = region_errors(blurred, steps)[0].tolist()
    assert edges > 2 * max(air, dark, grey, bright)


def test_a_scale_is_no_error(steps):
    assert region_errors(2 * steps.to(torch.complex64), steps).max().item() < 1e-6
