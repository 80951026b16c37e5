import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotrain.clients.replay_pacing import pace
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Header
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE

ENCODING = b"<encoding><encodedSpace><matrixSize><x>8</x><y>4</y><z>1</z></matrixSize></encodedSpace></encoding>"
WITHOUT_TR = Header(b"<ismrmrdHeader>" + ENCODING + b"</ismrmrdHeader>")
TR_8_MS = Header(b"<ismrmrdHeader>" + ENCODING + b"<sequenceParameters><TR>8</TR></sequenceParameters></ismrmrdHeader>")


def stamped(*ticks):
    headers = np.zeros(len(ticks), ACQUISITION_DTYPE)
    headers["acquisition_time_stamp"] = ticks
    return headers


def test_a_time_stamp_counts_ticks_of_2_5_ms_from_the_first_readout():
    result = pace(stamped(1000, 1004, 1004, 1010), WITHOUT_TR, speed=1)
    np.testing.assert_allclose(result.due, [0, 0.01, 0.01, 0.025])
    assert result.source == "time stamps"


def test_a_speed_of_ten_makes_everything_due_in_a_tenth_of_the_time():
    np.testing.assert_allclose(pace(stamped(40, 80), WITHOUT_TR, speed=10).due, [0, 0.01])


def test_a_readout_without_a_stamp_is_due_with_the_one_before_it():
    np.testing.assert_allclose(pace(stamped(0, 40, 0, 44), WITHOUT_TR, speed=1).due, [0, 0, 0, 0.01])


def test_a_scan_over_midnight_goes_on():
    np.testing.assert_allclose(pace(stamped(34_559_998, 2), WITHOUT_TR, speed=1).due, [0, 0.01])


@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=20), st.floats(0.1, 100))
def test_a_readout_is_never_due_before_the_one_that_it_follows(ticks, speed):
    due = pace(stamped(*ticks), TR_8_MS, speed=speed).due
    assert due[0] == 0
    assert (np.diff(due) >= 0).all()


@pytest.mark.parametrize("ticks", [(0, 0, 0), (7, 7, 7), (0, 7, 0)])
def test_stamps_that_say_nothing_give_way_to_the_repetition_time(ticks):
    result = pace(stamped(*ticks), TR_8_MS, speed=2)
    np.testing.assert_allclose(result.due, [0, 0.004, 0.008])
    assert "TR of the header" in result.source


def test_a_time_between_readouts_that_the_user_gives_comes_before_stamps_and_header():
    np.testing.assert_allclose(pace(stamped(1, 5, 9), TR_8_MS, speed=1, tr_ms=20).due, [0, 0.02, 0.04])


def test_a_scan_without_any_times_cannot_be_paced_and_the_error_says_what_helps():
    with pytest.raises(ConfigurationError, match=r"scan\.h5 cannot be paced.*--tr-ms.*--speed max"):
        pace(stamped(0, 0), WITHOUT_TR, speed=1, source="scan.h5")


def test_a_header_that_cannot_be_read_is_no_source_of_times():
    with pytest.raises(ConfigurationError, match="not well-formed"):
        pace(stamped(0, 0), Header(b"<nonsense"), speed=1)
