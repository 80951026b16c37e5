import h5py
import numpy as np
import pytest

from echotrain.models.shared_data import read_images, shared_data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_missing_data_are_named_with_their_place():
    with pytest.raises(FileNotFoundError, match=r"ECHOTRAIN_DATA names \(.*\) to hold raw/\*.h5 and images/\*.h5"):
        shared_data()


def test_images_are_found_in_the_folder_that_the_environment_names(folder):
    (folder / "images").mkdir()
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    with h5py.File(folder / "images" / "few.h5", "w") as file:
        file["image"] = pixels
    np.testing.assert_array_equal(read_images("images/few.h5"), pixels)
    np.testing.assert_array_equal(read_images(folder / "images" / "few.h5"), pixels)


def test_a_missing_file_is_named(folder):
    (folder / "images").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none\.h5 is missing; its place is images/"):
        read_images("images/none.h5")
