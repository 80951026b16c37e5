import h5py
import numpy as np
import pytest
from PIL import Image

from echotrain.clients.simulator_images import read_images
from echotrain.engine.errors import ConfigurationError

STACK = np.arange(3 * 6 * 5, dtype=np.uint8).reshape(3, 6, 5)


@pytest.fixture
def files(tmp_path):
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["image"] = STACK
    np.save(tmp_path / "stack.npy", STACK)
    np.save(tmp_path / "one.npy", STACK[2])
    Image.fromarray(STACK[2]).save(tmp_path / "one.png")
    return tmp_path


@pytest.mark.parametrize("name", ["stack.h5", "stack.npy"])
def test_a_stack_is_read_from_the_slice_asked_for_and_scaled_to_one(files, name):
    images = read_images(files / name, 1, 2)
    np.testing.assert_allclose(images, STACK[1:] / STACK.max())


@pytest.mark.parametrize("name", ["one.npy", "one.png"])
def test_a_single_image_is_a_stack_of_one(files, name):
    np.testing.assert_allclose(read_images(files / name, 0, 1)[0], STACK[2] / STACK.max(), rtol=1e-6)


@pytest.mark.parametrize("name", ["stack.h5", "stack.npy", "one.png"])
def test_too_few_slices_are_counted(files, name):
    with pytest.raises(ConfigurationError, match=r"has (3|1) images, expected at least 5 \(from 2 on\)"):
        read_images(files / name, 2, 3)


def test_files_without_magnitude_images_are_refused_with_what_they_hold(files):
    with h5py.File(files / "other.h5", "w") as file:
        file["picture"] = STACK
    np.save(files / "complex.npy", STACK * 1j)
    np.save(files / "line.npy", np.ones(4))
    (files / "text.txt").write_text("no image")
    for name, text in (
        ("other.h5", "no dataset 'image'.*it holds picture"),
        ("complex.npy", "complex, not finite or empty"),
        ("line.npy", r"shape \(4,\)"),
        ("text.txt", "no HDF5, .npy or picture"),
        ("absent.png", "there is no file"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            read_images(files / name, 0, 1)


def test_pickled_arrays_are_not_loaded(files):
    np.save(files / "object.npy", np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_images(files / "object.npy", 0, 1)
