import numpy as np

from echotrain.models.simulation.physiology import BREATH_PERIOD, HEART_PERIOD, electrocardiogram, pulse, respiration

TIME = np.arange(0, 20, 0.0025)


def test_r_waves_come_once_a_beat_and_are_the_highest():
    curve = electrocardiogram(TIME)
    peaks = TIME[1:-1][(curve[1:-1] > curve[:-2]) & (curve[1:-1] >= curve[2:]) & (curve[1:-1] > 0.8)]
    np.testing.assert_allclose(np.diff(peaks), HEART_PERIOD, atol=0.005)
    np.testing.assert_allclose(peaks / HEART_PERIOD, np.rint(peaks / HEART_PERIOD), atol=0.005)


def test_curves_repeat_with_heart_and_breath_and_stay_in_range():
    for curve, period in ((pulse, HEART_PERIOD), (respiration, BREATH_PERIOD)):
        np.testing.assert_allclose(curve(TIME), curve(TIME + period), atol=1e-9)
        assert curve(TIME).min() >= 0
        assert 0.8 < curve(TIME).max() <= 1.05
