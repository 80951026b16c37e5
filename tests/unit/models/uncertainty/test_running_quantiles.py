import pytest
import torch

from echotrain.models.uncertainty.running_quantiles import RunningQuantiles

LEVELS = (0.0, 0.05, 0.5, 0.777, 0.95, 1.0)


def quantiles_of(images, capacity=32, generator=None):
    running = RunningQuantiles(generator or torch.Generator().manual_seed(0), capacity)
    for image in images:
        running.add(image)
    return running


@pytest.mark.parametrize("count", [2, 3, 8, 32])
def test_up_to_the_capacity_quantiles_are_exact(count):
    images = torch.randn(count, 2, 5, 4, generator=torch.Generator().manual_seed(1))
    expected = torch.quantile(images, torch.tensor(LEVELS), dim=0)
    torch.testing.assert_close(quantiles_of(images).quantiles(LEVELS), expected)


def test_beyond_the_capacity_the_error_is_that_of_so_many_samples():
    images = torch.linspace(0, 1, 200)  # the value is its rank
    generator = torch.Generator().manual_seed(0)
    found = torch.stack([quantiles_of(images, generator=generator).quantiles((0.1, 0.5, 0.9)) for _ in range(400)])
    level = torch.tensor([0.1, 0.5, 0.9])
    expected = (31 * level + 1) / 33  # of order statistics of a uniform distribution
    torch.testing.assert_close(found.mean(dim=0), expected, rtol=0, atol=0.01)
    without_replacement = (1 - 32 / 200) ** 0.5
    error = (level * (1 - level) / 32).sqrt() * without_replacement
    torch.testing.assert_close(found.std(dim=0), error, rtol=0.15, atol=0)


def test_whole_images_are_kept_so_that_pixels_stay_together():
    images = torch.arange(500.0)[:, None] * torch.ones(2)
    found = quantiles_of(images, capacity=4).quantiles((0.0, 0.5, 1.0))
    assert torch.equal(found[:, 0], found[:, 1])
    assert found[2, 0] > 32  # late ones are kept too


def test_one_image_has_no_quantiles():
    with pytest.raises(ValueError, match="got 1 image, which has no spread"):
        quantiles_of(torch.ones(1, 3)).quantiles((0.5,))


def test_what_has_no_order_or_no_place_is_refused():
    running = quantiles_of(torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"got an image \(4,\) torch.float32, expected real ones of one shape, \(3,\)"):
        running.add(torch.ones(4))
    with pytest.raises(ValueError, match=r"torch\.complex64, expected real"):
        running.add(torch.ones(3, dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"levels are \[1.5\]"):
        running.quantiles((1.5,))
    with pytest.raises(ValueError, match="capacity is 1"):
        quantiles_of((), capacity=1)
