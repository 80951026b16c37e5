import numpy as np
import pytest

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import Key, Reconstruction
from echotrain.gadgets.scale_images import ScaleImages


def reconstruction(scans, data, **options):
    scan = scans.Scan()
    return Reconstruction(
        key=Key(),
        data=np.asarray(data, np.float32).reshape(1, 1, 1, -1),
        header=np.zeros((), ACQUISITION_DTYPE),
        encoding=scan.header.encodings[0],
        **{"method": "fourier+rss", **options},
    )


def test_float32_images_pass_as_they_are(scans):
    (out,) = scans.run(scans.Scan(), ScaleImages(), reconstruction(scans, [0, 1.5]))
    assert out.data.dtype == np.float32
    np.testing.assert_array_equal(out.data.ravel(), [0, 1.5])
    assert "RescaleSlope" not in out.meta


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_whole_numbers_take_one_rescale_for_the_series_set_by_its_first_image(scans, dtype):
    images = [reconstruction(scans, [0, 0.5, 2.0]), reconstruction(scans, [1, 3, 4])]
    one, two = scans.run(scans.Scan(), ScaleImages(dtype=dtype, peak=1000), *images)
    assert one.data.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(one.data.ravel(), [0, 250, 1000])
    np.testing.assert_array_equal(two.data.ravel(), [500, 1500, 2000])
    assert one.meta["RescaleSlope"] == two.meta["RescaleSlope"] == "0.002"
    assert one.meta["RescaleIntercept"] == "0.0"


def test_pixels_beyond_the_type_are_clipped_and_counted(scans):
    images = [reconstruction(scans, [1]), reconstruction(scans, [5, 20, 30])]
    one, two = scans.run(scans.Scan(), ScaleImages(dtype="int16", peak=4000), *images)
    np.testing.assert_array_equal(two.data.ravel(), [20000, 32767, 32767])
    assert (one.meta["EchotrainClippedPixels"], two.meta["EchotrainClippedPixels"]) == ("0", "2")
    assert "2 pixels clipped at 32767" in two.history[-1]


def test_an_empty_first_image_does_not_set_the_rescale(scans):
    images = [reconstruction(scans, [0, 0]), reconstruction(scans, [2])]
    empty, full = scans.run(scans.Scan(), ScaleImages(dtype="int16", peak=100), *images)
    assert not empty.data.any()
    assert full.data.max() == 100


def test_series_of_another_method_or_variant_have_a_rescale_of_their_own(scans):
    images = [
        reconstruction(scans, [1]),
        reconstruction(scans, [4], variant="worst"),
        reconstruction(scans, [8], method="x"),
    ]
    out = scans.run(scans.Scan(), ScaleImages(dtype="int16"), *images)
    assert [image.data.max() for image in out] == [4095] * 3


def test_quantitative_maps_are_never_stretched(scans):
    image = reconstruction(scans, [0.1, 900], quantity="t1", unit="ms")
    (out,) = scans.run(scans.Scan(), ScaleImages(dtype="int16"), image)
    assert out is image


def test_complex_images_do_not_go_into_whole_numbers(scans):
    image = reconstruction(scans, [1], quantity="complex")
    assert scans.run(scans.Scan(), ScaleImages(), image) == [image]
    with pytest.raises(ConfigurationError, match="'int16' cannot hold complex images"):
        scans.run(scans.Scan(), ScaleImages(dtype="int16"), image)
