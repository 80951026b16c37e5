import numpy as np
import pytest

from echotrain.engine.errors import DataError
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, AcquisitionFlag
from echotrain.engine.readout_grid import placed


def head(**fields):
    header = np.zeros((), ACQUISITION_DTYPE)
    for name, value in fields.items():
        header[name] = value
    return header[()]


def test_a_symmetric_readout_fills_the_grid():
    place = placed(head(center_sample=8), 16, 16)
    assert (place.start, place.stop, place.kept, place.reversed, place.note) == (0, 16, slice(0, 16), False, "")


def test_the_centre_of_odd_and_even_grids_is_half_their_size():
    assert placed(head(center_sample=7), 15, 15).start == 0
    assert placed(head(center_sample=2), 10, 16).start == 6


def test_discarded_samples_are_left_out_at_the_ends_where_they_were_acquired():
    place = placed(head(center_sample=8, discard_pre=3, discard_post=1), 16, 16)
    assert (place.start, place.stop, place.kept) == (3, 15, slice(3, 15))
    reverse = AcquisitionFlag.IS_REVERSE.bit
    place = placed(head(center_sample=8, discard_pre=3, discard_post=1, flags=reverse), 16, 16)
    assert (place.start, place.stop, place.kept, place.reversed) == (1, 13, slice(1, 13), True)


def test_a_centre_of_zero_in_a_full_readout_was_not_given():
    assert placed(head(), 16, 16).start == 0
    assert "not given" in placed(head(), 16, 16).note
    assert placed(head(), 8, 16).start == 8, "half an echo from the centre on"


@pytest.mark.parametrize("center", [2, 14])
def test_samples_beyond_the_grid_are_refused_with_the_columns(center):
    with pytest.raises(DataError, match=r"would cover the columns .* expected within 0 to 15"):
        placed(head(center_sample=center), 12, 16)


def test_more_discarded_than_acquired_is_refused():
    with pytest.raises(DataError, match="would cover the columns"):
        placed(head(center_sample=8, discard_pre=16), 16, 16)
