import numpy as np
import pytest

from echotrain.clients.replay_latency import ImageKeys, LastSent
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE, AcquisitionFlag


def readouts(slices, *, space=0, flags=0):
    headers = np.zeros(len(slices), ACQUISITION_DTYPE)
    headers["idx"]["slice"] = slices
    headers["encoding_space_ref"] = space
    headers["flags"] = flags
    return headers


def image(**counters):
    header = np.zeros((), IMAGE_DTYPE)
    for name, value in counters.items():
        header[name] = value
    return header


def test_latency_is_counted_from_the_last_readout_of_the_images_own_slice():
    sent = LastSent(ImageKeys(readouts([0, 1, 0, 1])))
    for number in range(4):
        sent.mark(number, number + 1, 10.0 + number)
    assert sent.latency(image(slice=0), 15.0) == pytest.approx(3.0)
    assert sent.latency(image(slice=1), 15.0) == pytest.approx(2.0)


@pytest.mark.parametrize("counter", ["slice", "contrast", "repetition", "set", "phase"])
def test_every_counter_of_an_image_tells_it_from_others(counter):
    headers = readouts([0, 0])
    headers["idx"][counter] = [0, 1]
    sent = LastSent(ImageKeys(headers))
    sent.mark(0, 1, 1.0)
    sent.mark(1, 2, 2.0)
    assert sent.latency(image(), 4.0) == pytest.approx(3.0)
    assert sent.latency(image(**{counter: 1}), 4.0) == pytest.approx(2.0)


def test_a_block_marks_all_its_readouts_at_once():
    sent = LastSent(ImageKeys(readouts([0, 1, 2])))
    sent.mark(0, 3, 1.0)
    assert [sent.latency(image(slice=n), 2.0) for n in range(3)] == [1.0, 1.0, 1.0]


def test_an_image_that_no_readout_was_sent_for_has_no_latency():
    sent = LastSent(ImageKeys(readouts([0, 1])))
    sent.mark(0, 1, 1.0)
    assert sent.latency(image(slice=1), 2.0) is None
    assert sent.latency(image(slice=7), 2.0) is None


def test_no_image_waits_for_noise_or_navigators_but_for_calibration_lines_it_does():
    headers = readouts([0, 0, 0, 0])
    headers["flags"] = [
        AcquisitionFlag.IS_PARALLEL_CALIBRATION.bit,
        0,
        AcquisitionFlag.IS_NOISE_MEASUREMENT.bit,
        AcquisitionFlag.IS_NAVIGATION_DATA.bit,
    ]
    sent = LastSent(ImageKeys(headers))
    sent.mark(0, 1, 1.0)
    assert sent.latency(image(), 5.0) == pytest.approx(4.0)
    sent.mark(1, 2, 2.0)
    sent.mark(2, 4, 4.0)
    assert sent.latency(image(), 5.0) == pytest.approx(3.0)


def test_where_encoding_spaces_share_counters_the_latest_readout_sent_counts():
    headers = np.concatenate([readouts([0], space=0), readouts([0], space=1)])
    sent = LastSent(ImageKeys(headers))
    sent.mark(0, 1, 1.0)
    assert sent.latency(image(), 5.0) == pytest.approx(4.0)
    sent.mark(1, 2, 3.0)
    assert sent.latency(image(), 5.0) == pytest.approx(2.0)
