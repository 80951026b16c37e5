import numpy as np
import pytest

from echotrain.models.evaluation.bootstrap import bootstrap_interval
from echotrain.models.evaluation.evaluate import Result
from echotrain.models.evaluation.summary import summarise


def results(method, psnr, *, ssim=None, acceleration=4.0, first=0, seconds=1.0, out_of_range=""):
    """Return a row for each PSNR."""
    place = (method, f"{method} as it is", "d", "uniform", acceleration)
    ssim = [0.5] * len(psnr) if ssim is None else ssim
    return [
        Result(*place, first + n, p, s, 1 / p, seconds, out_of_range)
        for n, (p, s) in enumerate(zip(psnr, ssim, strict=True))
    ]


def test_rows_are_means_over_slices_in_the_order_they_came_in():
    rows = summarise(
        [*results("b", [30.0, 34.0], seconds=2), *results("a", [20.0] * 2), *results("b", [10.0], acceleration=8.0)]
    )
    assert [(row.method, row.acceleration, row.slices) for row in rows] == [("b", 4.0, 2), ("a", 4.0, 2), ("b", 8.0, 1)]
    assert rows[0].psnr.value == 32
    assert rows[0].psnr.interval == (30.0, 34.0)
    assert rows[1].ssim.interval == pytest.approx((0.5, 0.5))
    assert rows[2].psnr.interval is None
    assert rows[0].seconds == 2


def test_differences_to_the_best_classical_method_are_paired_slice_by_slice():
    tv = np.array([20.0, 30.0, 40.0])
    net = tv + np.array([1.0, 2.0, 1.5])
    found = {
        r.method: r for r in summarise([*results("zero-filled", [10.0] * 3), *results("tv", tv), *results("net", net)])
    }
    ahead = found["net"].psnr_ahead
    assert (ahead.of, ahead.by.value) == ("tv", pytest.approx(1.5))
    assert ahead.by.interval == pytest.approx(bootstrap_interval(net - tv))  # narrow, far as the slices are apart
    assert found["tv"].psnr_ahead is None
    assert found["zero-filled"].psnr_ahead.by.value == -20


def test_each_measure_has_a_best_classical_method_of_its_own():
    rows = summarise(
        [
            *results("tv", [36.0], ssim=[0.87]),
            *results("l1-wavelet", [35.0], ssim=[0.91]),
            *results("net", [37.0], ssim=[0.9]),
        ]
    )
    net = rows[-1]
    assert (net.psnr_ahead.of, net.ssim_ahead.of) == ("tv", "l1-wavelet")
    assert net.ssim_ahead.by.value == pytest.approx(-0.01)
    assert net.ssim_ahead.by.interval is None  # of one slice


def test_slices_that_only_one_of_two_methods_has_are_left_out_of_their_difference():
    rows = summarise([*results("tv", [20.0, 30.0]), *results("net", [33.0, 5.0], first=1)])
    assert rows[-1].psnr_ahead.by.value == 3
    assert rows[-1].slices == 2


def test_without_a_classical_method_there_is_no_difference():
    (row,) = summarise(results("net", [30.0]))
    assert row.psnr_ahead is None


def test_slices_out_of_range_are_counted_and_the_first_reason_is_told():
    flagged = results("net", [30.0], out_of_range="2 coils, trained for 4 to 12")
    (row,) = summarise([*flagged, *results("net", [30.0, 31.0], first=1)])
    assert (row.flagged, row.slices, row.out_of_range) == (1, 3, "2 coils, trained for 4 to 12")


def test_an_image_that_came_with_another_has_no_time():
    (row,) = summarise(results("diffusion-sample", [30.0, 31.0], seconds=None))
    assert row.seconds is None
