import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from echotrain.models.measurements import Measurements
from echotrain.models.simulation.simulated_slices import TrainingBatch
from echotrain.models.training.loss import DISTANCES, l1, l2, structural_similarity, supervised


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 24, 20, dtype=torch.complex64, generator=generator).unbind()


def test_l1_and_l2_are_means_over_pixels_of_the_complex_difference():
    image = torch.zeros(1, 2, 2, dtype=torch.complex64)
    target = torch.tensor([[[3 + 4j, 0], [0, 0]]])
    assert float(l1(image, target)) == pytest.approx(5 / 4)
    assert float(l2(image, target)) == pytest.approx(25 / 4)


def test_structural_similarity_agrees_with_torchmetrics_inside_the_image(images):
    x, y = (image.abs() for image in images)
    y = y / y.flatten(1).amax(dim=1)[:, None, None]  # torchmetrics takes one range for all
    expected = structural_similarity_index_measure(
        x[:, None], y[:, None], gaussian_kernel=False, kernel_size=7, data_range=1.0, reduction="none",
        return_full_image=True,
    )[1][:, 0]  # fmt: skip
    biased = structural_similarity(x, y)
    torch.testing.assert_close(biased, expected[:, 3:-3, 3:-3].flatten(1).mean(dim=1), rtol=0, atol=0.01)


def test_equal_images_have_a_similarity_of_one_and_no_loss(images):
    image = images[0]
    torch.testing.assert_close(structural_similarity(image.abs(), image.abs()), torch.ones(3))
    for distance in DISTANCES.values():
        torch.testing.assert_close(distance(image, image), torch.zeros(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_loss_does_not_depend_on_the_scale_of_the_data(images, name):
    image, target = images
    objective = supervised(DISTANCES[name])
    losses = []
    for scale in (1.0, 1e4):
        kspace = torch.zeros(3, 1, 24, 20, dtype=torch.complex64)
        mask = torch.ones(3, 1, 24, 1, dtype=torch.bool)
        batch = TrainingBatch(Measurements(kspace, mask, torch.ones_like(kspace)), scale * target)
        losses.append(objective(lambda _, s=scale: s * image, batch, torch.Generator()))
    torch.testing.assert_close(*losses)


def test_an_example_of_great_scale_weighs_no_more_than_another(images):
    image, target = images
    kspace = torch.zeros(3, 1, 24, 20, dtype=torch.complex64)
    measurements = Measurements(kspace, torch.ones(3, 1, 24, 1, dtype=torch.bool), torch.ones_like(kspace))
    scale = torch.tensor([1.0, 1e3, 1e-3])[:, None, None]
    plain = supervised(l1)(lambda _: image, TrainingBatch(measurements, target), torch.Generator())
    mixed = supervised(l1)(lambda _: scale * image, TrainingBatch(measurements, scale * target), torch.Generator())
    torch.testing.assert_close(mixed, plain)


@pytest.mark.parametrize("name", DISTANCES)
def test_gradients_are_finite_even_where_image_and_target_are_zero(name):
    image = torch.zeros(1, 12, 12, dtype=torch.complex64, requires_grad=True)
    target = torch.zeros(1, 12, 12, dtype=torch.complex64)
    DISTANCES[name](image, target).sum().backward()
    assert image.grad.isfinite().all()
