import numpy as np
import pytest

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.image_file import read_images
from echotrain.engine.messages import Text
from echotrain.gadgets.write_images import WriteImages


def test_images_are_written_under_the_session_and_passed_on(scans, build, tmp_path):
    image = build.image()
    out = scans.run(scans.Scan(), WriteImages(), image, image, images=tmp_path / "new", session="s-1")
    assert out[:2] == [image, image]
    assert out[2] == Text("DBG write_images: 2 images in s-1.h5")
    kept = read_images(tmp_path / "new" / "s-1.h5")
    assert len(kept) == 2
    np.testing.assert_array_equal(kept[1].pixels, image.pixels)


def test_without_a_folder_the_scan_is_refused(scans):
    with pytest.raises(ConfigurationError, match="no folder for images"):
        WriteImages().start(scans.Scan().context())


@pytest.mark.parametrize("session", ["../evil", "a/b", "", ".hidden", "nul\0"])
def test_a_session_id_that_is_no_plain_name_makes_no_file(scans, session, tmp_path):
    with pytest.raises(ConfigurationError, match="no plain file name"):
        WriteImages().start(scans.Scan().context(images=tmp_path, session=session))


def test_a_session_without_images_leaves_no_file(scans, tmp_path):
    assert scans.run(scans.Scan(), WriteImages(), images=tmp_path) == []
    assert list(tmp_path.iterdir()) == []
