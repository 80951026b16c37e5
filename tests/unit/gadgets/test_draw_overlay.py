from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import Key, Reconstruction
from echotrain.gadgets._flag_metadata import flagged
from echotrain.gadgets.draw_overlay import DrawOverlay, overlay
from echotrain.models.flags.report import FlagReport, RaisedFlag

SCAN = {"matrix": (64, 64, 1), "recon": (64, 64, 1), "fov": (200, 200, 5)}


@pytest.fixture
def images(scans):
    """A judged image and its map, in doubt about one region."""
    blank = Reconstruction(
        key=Key(),
        data=np.full((1, 1, 64, 64), 0.5, np.float32),
        header=np.zeros((), ACQUISITION_DTYPE),
        encoding=scans.Scan(**SCAN).header.encodings[0],
        method="net",
    )
    report = FlagReport((RaisedFlag("noise", "warning", 0.9),))
    regions = np.zeros((1, 1, 64, 64), np.float32)
    regions[..., 32:48, 32:48] = 0.9
    image = flagged(blank, report, judged="net")
    return image, replace(image, data=regions, quantity="flags")


def test_the_picture_follows_the_map_with_a_contour_and_text(scans, images):
    image, regions, picture = scans.run(scans.Scan(**SCAN), DrawOverlay(), *images)
    assert (image, regions) == images
    assert (picture.quantity, picture.data.shape, picture.data.dtype) == ("overlay", (1, 1, 128, 128), np.float32)
    drawn = picture.data[0, 0]
    assert (drawn[64, 64:96] == 255).all()
    assert (drawn[64:96, 95] == 255).all()
    assert (drawn[66:94, 66:94] == 255).sum() == (drawn[66:94, 66:94]).size  # the image is white at its brightest
    assert (drawn[:16, :100] == 0).any()  # text on a black ground
    assert "not for measurement" in picture.meta["EchotrainRemarks"][-1]


def test_what_was_not_flagged_passes_alone(scans, images):
    image, regions = images
    other = replace(image, method="sense")
    assert scans.run(scans.Scan(**SCAN), DrawOverlay(), other, regions) == [other, regions]


def test_an_image_in_no_doubt_stays_as_it_is_but_for_the_text():
    image = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    drawn = overlay(image, np.zeros((64, 64), bool), ["a"], 1)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[32:], (image[32:] * 255).astype(np.uint8))
    assert drawn[:16, :16].max() > 100
