import numpy as np

from echotrain.clients.replay_compare import ImageComparison, digest_image, name_image
from echotrain.engine.messages import Image
from echotrain.engine.mrd_layout import IMAGE_DTYPE


def image(slice_=0, value=1.0, **fields):
    header = np.zeros((), IMAGE_DTYPE)
    header["image_series_index"], header["image_index"], header["slice"] = 1, slice_ + 1, slice_
    for name, content in fields.items():
        header[name] = content
    return Image(header, np.full((1, 1, 2, 2), value, np.float32))


def add(comparison, session, *images, completed=True):
    comparison.add(session, [(name_image(i), digest_image(i)) for i in images], completed=completed)


def test_equal_images_of_all_sessions_differ_in_nothing():
    comparison = ImageComparison("scan.h5")
    add(comparison, "session 1", image(0), image(1))
    add(comparison, "session 2", image(1), image(0))
    assert comparison.differences() == ()


def test_one_bit_of_one_pixel_is_a_difference_and_the_report_says_of_which_image_in_which_session():
    comparison = ImageComparison("scan.h5")
    add(comparison, "session 1", image(0), image(1))
    add(comparison, "session 2", image(0), image(1, np.nextafter(np.float32(1), np.float32(2))))
    add(comparison, "session 3", image(0), image(1))
    (difference,) = comparison.differences()
    assert difference.file == "scan.h5"
    assert difference.image == "series 1 index 2 (slice 1)"
    assert difference.text == "in session 2 it differs from that in session 1, session 3"


def test_a_header_that_differs_is_a_difference():
    comparison = ImageComparison("scan.h5")
    add(comparison, "session 1", image())
    add(comparison, "session 2", image(position=(1, 2, 3)))
    assert len(comparison.differences()) == 1


def test_metadata_of_another_length_are_no_difference():
    assert digest_image(image(attribute_string_len=10)) == digest_image(image(attribute_string_len=20))


def test_pixels_count_in_their_order_whatever_their_strides():
    pixels = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 4)
    header = image().header
    assert digest_image(Image(header, pixels)) == digest_image(Image(header, np.asfortranarray(pixels)))
    assert digest_image(Image(header, pixels)) != digest_image(Image(header, pixels[..., ::-1]))


def test_an_image_that_a_completed_session_lacks_is_a_difference():
    comparison = ImageComparison("scan.h5")
    add(comparison, "session 1", image(0), image(1))
    add(comparison, "session 2", image(0))
    (difference,) = comparison.differences()
    assert "slice 1" in difference.image
    assert difference.text == "it came in 1 of 2 completed sessions"


def test_a_session_that_failed_may_lack_images_but_those_it_had_are_compared():
    comparison = ImageComparison("scan.h5")
    add(comparison, "session 1", image(0), image(1))
    add(comparison, "session 2", image(0), completed=False)
    assert comparison.differences() == ()
    add(comparison, "session 3", image(0, 2.0), completed=False)
    assert [d.image for d in comparison.differences()] == ["series 1 index 1 (slice 0)"]


def test_an_image_sent_twice_is_told_from_one_sent_once():
    comparison = ImageComparison("scan.h5")
    add(comparison, "session 1", image(), image())
    add(comparison, "session 2", image())
    assert len(comparison.differences()) == 1


def test_a_thousand_sessions_do_not_make_a_report_of_a_thousand_names():
    comparison = ImageComparison("scan.h5")
    for number in range(1000):
        add(comparison, f"session {number + 1}", image(value=float(number % 2)))
    (difference,) = comparison.differences()
    assert len(difference.text) < 200
    assert "and 497 more" in difference.text
