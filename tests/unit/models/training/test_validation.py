import numpy as np
import pytest
import torch
from PIL import Image

from echotrain.models.training.validation import Validation, draw, psnr


def test_psnr_is_against_the_targets_maximum_after_one_scale_a_slice():
    target = torch.tensor([[[2.0, 1.0], [2.0, 1.0]]])
    image = 5j * torch.tensor([[[2.0, 1.0], [2.0, 1.0]]])
    image[0, 0] += 5j * torch.tensor([-0.1, 0.2])
    x, y = image.abs().numpy(), target.numpy()
    scale = (x * y).sum() / (x * x).sum()
    expected = 20 * np.log10(2.0 / np.sqrt(((scale * x - y) ** 2).mean()))
    assert float(psnr(image, target.to(torch.complex64))) == pytest.approx(expected, rel=1e-5)


def test_a_picture_shows_zero_filled_reconstruction_truth_and_error(tmp_path, random_slices):
    case = random_slices().batch(0, 2)
    peak = case.target[0].abs().max()
    draw(tmp_path / "p.png", case, torch.full_like(case.target, 0.5) * peak)
    with Image.open(tmp_path / "p.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (24, 48)
    assert (pixels[:12, 12:24] == 127).all()
    truth = case.target[0].abs() / peak
    np.testing.assert_array_equal(pixels[:12, 24:36], (255 * truth).numpy().astype(np.uint8))
    np.testing.assert_allclose(pixels[:12, 36:], 255 * (5 * (0.5 - truth).abs()).clamp(max=1), atol=1)


def test_the_zero_filled_images_validate_as_themselves(tmp_path, random_slices):
    validation = Validation([random_slices().batch(number, 2) for number in range(2)])
    figure = validation(lambda measurements: measurements.zero_filled(), tmp_path / "p.png")
    assert figure == pytest.approx(validation.zero_filled)
