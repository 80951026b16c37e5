import pytest
import torch

from echotrain.models.uncertainty.running_moments import RunningMoments


@pytest.fixture
def images():
    return torch.randn(9, 2, 5, 4, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)) + (3 - 2j)


def moments_of(images):
    moments = RunningMoments()
    for image in images:
        moments.add(image)
    return moments


def test_moments_are_those_of_all_images_at_once(images):
    moments = moments_of(images)
    assert moments.count == 9
    torch.testing.assert_close(moments.mean, images.mean(dim=0))
    torch.testing.assert_close(moments.variance, images.real.var(dim=0) + images.imag.var(dim=0))
    torch.testing.assert_close(moments.deviation.square(), moments.variance)
    magnitudes = moments_of(images.abs())
    torch.testing.assert_close(magnitudes.variance, images.abs().var(dim=0))


def test_a_large_mean_does_not_drown_a_small_spread_in_single_precision(images):
    small = images.real.float()
    torch.testing.assert_close(moments_of(small + 4096).variance, small.var(dim=0), rtol=0.01, atol=0)


@pytest.mark.parametrize("split", range(10))
def test_two_merged_are_one_whichever_has_how_many(images, split):
    merged = moments_of(images[:split])
    merged.merge(moments_of(images[split:]))
    assert merged.count == 9
    torch.testing.assert_close(merged.mean, images.mean(dim=0))
    torch.testing.assert_close(merged.variance, moments_of(images).variance)


def test_merging_leaves_the_other_as_it_was(images):
    first, second = RunningMoments(), moments_of(images)
    first.merge(second)
    first.add(images[0])
    torch.testing.assert_close(second.mean, images.mean(dim=0))


def test_one_image_has_a_mean_and_no_spread(images):
    moments = moments_of(images[:1])
    assert torch.equal(moments.mean, images[0])
    with pytest.raises(ValueError, match="got 1 image, which has no spread; expected at least 2"):
        _ = moments.variance


def test_no_image_has_no_mean():
    with pytest.raises(ValueError, match="no image has come"):
        _ = RunningMoments().mean


def test_images_of_another_shape_or_type_are_refused(images):
    moments = moments_of(images)
    with pytest.raises(ValueError, match=r"got an image \(5, 4\)"):
        moments.add(images[0, 0])
    with pytest.raises(ValueError, match=r"torch.float64 after images .* torch.complex128"):
        moments.merge(moments_of(images.abs()))
