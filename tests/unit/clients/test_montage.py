import numpy as np
import pytest
from PIL import Image

from echotrain.clients.montage import grey, montage, own_window
from echotrain.engine.errors import ConfigurationError


def test_tiles_stand_in_rows_with_their_pixels_upright(tmp_path):
    first = np.zeros((96, 96))
    first[0, 0] = 1.0
    montage([first, np.ones((96, 96)), np.full((96, 48), 0.5)], tmp_path / "m.png", columns=2, windows=[(0, 1)] * 3)
    with Image.open(tmp_path / "m.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (2 * (96 + 18 + 4) + 4, 2 * 100 + 4, 3)
    assert pixels[4, 4].tolist() == [255, 255, 255]
    assert pixels[5, 5].tolist() == [0, 0, 0]
    assert (pixels[4:100, 104:200] == 255).all()
    assert (pixels[122:218, 28:76] == 128).all()
    assert (pixels[122:218, 4:28] == 24).all()
    assert pixels[100:118, 4:100].max() > 200  # the label


def test_images_are_scaled_up_without_blurring(tmp_path):
    montage([np.eye(2)], tmp_path / "m.png", tile=100)
    with Image.open(tmp_path / "m.png") as picture:
        tile = np.asarray(picture)[4:104, 4:104, 0]
    np.testing.assert_array_equal(tile, np.kron(np.eye(2), np.ones((50, 50))) * 255)


def test_each_image_has_its_window_and_without_one_its_own(tmp_path):
    ramp = np.array([[0.0, 1.0], [2.0, 4.0]])
    montage([ramp, ramp], tmp_path / "m.png", columns=2, windows=[(0, 2), None], tile=96)
    with Image.open(tmp_path / "m.png") as picture:
        row = np.asarray(picture)[10, :, 0]
    assert row[60] == 128
    assert row[160] == np.rint(255 / own_window(ramp)[1])


def test_labels_grow_with_tiles(tmp_path):
    montage([np.ones((4, 4))], tmp_path / "m.png", tile=280)
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.size == (288, 280 + 30 + 8)


def test_complex_images_are_shown_as_magnitude_and_what_is_not_finite_in_red():
    shown = grey(np.array([[3 + 4j, 0], [np.nan, np.inf]]), (0, 5))
    assert shown[0].tolist() == [[255] * 3, [0] * 3]
    assert shown[1].tolist() == [[255, 0, 0]] * 2


def test_an_images_own_window_reaches_from_zero_or_below_to_its_bright_end():
    ramp = np.linspace(2, 10, 1001)[None]
    assert own_window(ramp) == pytest.approx((0, 9.984))
    assert own_window(ramp - 5) == pytest.approx((-3, 4.984))
    assert own_window(np.zeros((2, 2))) == (0, 1)
    assert own_window(np.full((2, 2), np.nan)) == (0, 1)


@pytest.mark.parametrize(
    ("images", "options", "text"),
    [
        ([], {}, "at least one"),
        ([np.zeros((2, 2, 2))], {}, r"image 0 has shape \(2, 2, 2\)"),
        ([np.zeros((2, 2))], {"labels": ["a", "b"]}, "2 labels for 1 images"),
        ([np.zeros((2, 2))], {"windows": [None, None]}, "2 windows for 1 images"),
        ([np.zeros((2, 2))], {"windows": [(1, 1)]}, "lower < upper"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path, images, options, text):
    with pytest.raises(ConfigurationError, match=text):
        montage(images, tmp_path / "m.png", **options)


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        montage([np.zeros((2, 2))], tmp_path / "absent" / "m.png")
