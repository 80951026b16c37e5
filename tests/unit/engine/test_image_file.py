import ismrmrd
import numpy as np
import pytest

from echotrain.engine.errors import ConfigurationError, DataError
from echotrain.engine.image_file import ImageFile, read_images
from echotrain.engine.image_meta import serialize_meta
from echotrain.engine.messages import Image

DTYPES = ("<u2", "<i2", "<u4", "<i4", "<f4", "<f8", "<c8", "<c16")


def in_series(image, series):
    header = image.header.copy()
    header["image_series_index"] = series
    return Image(header, image.pixels, image.meta)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_comes_back(build, tmp_path, dtype):
    image = build.image(dtype)
    with ImageFile(tmp_path / "i.h5") as file:
        file.append(image)
        file.append(image)
    back = read_images(tmp_path / "i.h5")
    assert len(back) == 2
    assert int(back[0].header["attribute_string_len"]) == len(serialize_meta(image.meta)), "bytes, not characters"
    assert back[1].pixels.dtype == image.pixels.dtype
    np.testing.assert_array_equal(back[1].pixels, image.pixels)
    assert dict(back[1].meta) == dict(image.meta)
    assert tuple(back[1].header["field_of_view"]) == (40, 30, 5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ismrmrd_reads_what_is_written(build, tmp_path, dtype):
    image = build.image(dtype)
    with ImageFile(tmp_path / "i.h5") as file:
        file.append(image)
    with ismrmrd.Dataset(str(tmp_path / "i.h5"), mode="r") as dataset:
        read = dataset.read_image("image_3", 0)
        np.testing.assert_array_equal(read.data, image.pixels)
        assert tuple(ismrmrd.Meta.deserialize(read.attribute_string)["ImageType"]) == ("DERIVED", "µ<&>")


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != "<i4"])  # which ismrmrd.Image cannot hold
def test_what_ismrmrd_writes_is_read_and_laid_out_alike(build, tmp_path, dtype):
    image = build.image(dtype)
    theirs = ismrmrd.Image.from_array(image.pixels, transpose=False)
    theirs.attribute_string = "<ismrmrdMeta><meta><name>a</name><value>b</value></meta></ismrmrdMeta>"
    with ismrmrd.Dataset(str(tmp_path / "theirs.h5")) as dataset:
        dataset.append_image("image_3", theirs)
    (read,) = read_images(tmp_path / "theirs.h5")
    np.testing.assert_array_equal(read.pixels, image.pixels)
    assert read.meta == {"a": "b"}
    with ImageFile(tmp_path / "ours.h5") as file:
        file.append(image)
    assert layout(tmp_path / "ours.h5") == layout(tmp_path / "theirs.h5")


def layout(path):
    import h5py

    with h5py.File(path) as file:
        group = file["dataset/image_3"]
        return {name: (group[name].dtype, group[name].shape, group[name].maxshape) for name in group}


def test_each_series_has_a_group_and_they_are_read_in_the_order_of_their_numbers(build, tmp_path):
    with ImageFile(tmp_path / "i.h5") as file:
        for series in (10, 2, 10):
            file.append(in_series(build.image(), series))
    assert [int(i.header["image_series_index"]) for i in read_images(tmp_path / "i.h5")] == [2, 10, 10]


def test_an_image_unlike_its_series_is_refused_and_what_was_written_stays(build, tmp_path):
    with ImageFile(tmp_path / "i.h5") as file:
        file.append(build.image("<f4"))
        with pytest.raises(DataError, match=r"series 'image_3' has shape .* of int16, expected"):
            file.append(build.image("<i2"))
    assert len(read_images(tmp_path / "i.h5")) == 1


def test_pixels_of_no_mrd_type_are_refused(build, tmp_path):
    image = build.image()
    with ImageFile(tmp_path / "i.h5") as file, pytest.raises(DataError, match="pixels of int64"):
        file.append(Image(image.header, image.pixels.astype(np.int64)))


def test_a_file_that_is_there_is_not_replaced_unless_asked(build, tmp_path):
    path = tmp_path / "i.h5"
    ImageFile(path).close()
    with pytest.raises(ConfigurationError, match="is there already"):
        ImageFile(path)
    with ImageFile(path, overwrite=True) as file:
        file.append(build.image())
    assert len(read_images(path)) == 1


def test_an_image_is_on_disk_before_the_file_is_closed(build, tmp_path):
    file = ImageFile(tmp_path / "i.h5")
    file.append(build.image())
    copy = tmp_path / "copy.h5"
    copy.write_bytes((tmp_path / "i.h5").read_bytes())
    file.close()
    assert len(read_images(copy)) == 1


def test_a_file_without_images_is_an_error_that_says_what_is_expected(tmp_path):
    ImageFile(tmp_path / "i.h5").close()
    with pytest.raises(DataError, match="expected groups dataset/image_0"):
        read_images(tmp_path / "i.h5")
    (tmp_path / "t.h5").write_text("no HDF5")
    with pytest.raises(OSError, match="file signature not found"):
        read_images(tmp_path / "t.h5")
