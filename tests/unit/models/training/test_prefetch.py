import threading

import pytest

from echotrain.models.training.prefetch import Prefetch


def test_results_come_in_order_from_the_first_number_on():
    with Prefetch(lambda number: number**2, 3) as prefetch:
        assert [prefetch.take() for _ in range(4)] == [9, 16, 25, 36]


def test_what_making_raises_reaches_whoever_takes():
    def make(number):
        if number == 1:
            raise ValueError("no more")
        return number

    with Prefetch(make, 0) as prefetch:
        assert prefetch.take() == 0
        with pytest.raises(ValueError, match="no more"):
            prefetch.take()


def test_the_next_result_is_made_while_nobody_waits():
    made = threading.Event()
    with Prefetch(lambda number: made.set() if number else None, 0) as prefetch:
        prefetch.take()
        assert made.wait(5)
