from dataclasses import replace

import numpy as np
import pytest

from echotrain.models.flags.input_statistics import input_statistics


def test_a_disc_is_round_symmetric_and_of_one_brightness(scan):
    found = input_statistics(scan())
    assert found["support"] == pytest.approx(np.pi * 0.4**2, rel=0.1)  # the soft edge up to a tenth of the peak
    assert found["elongation"] == pytest.approx(1, abs=0.02)
    assert found["symmetry"] == pytest.approx(1, abs=0.02)
    assert 0.9 < found["middle"] <= found["bright"] <= 1


def test_an_ellipse_is_as_elongated_as_its_axes(scan):
    y, x = np.ogrid[-32:32, -32:32]
    ellipse = ((y / 24) ** 2 + (x / 12) ** 2 <= 1).astype(np.complex64)
    assert input_statistics(replace(scan(), conventional=ellipse))["elongation"] == pytest.approx(2, rel=0.05)


def test_a_point_has_a_flat_spectrum_and_a_smooth_object_a_steep_one(scan):
    one = scan(every=1)
    flat = replace(one.measurements, kspace=one.measurements.kspace * 0 + 100)
    point = input_statistics(replace(one, measurements=flat))
    assert point["decay"] == pytest.approx(0, abs=0.01)
    assert input_statistics(one)["decay"] < -1
