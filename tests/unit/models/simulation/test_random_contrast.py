import numpy as np
import pytest

from echotrain.models.simulation.random_contrast import random_contrast


@pytest.fixture(scope="module")
def stripes():
    return np.tile(np.repeat([0.0, 0.25, 0.5, 1.0], 16), (64, 1))


def test_air_stays_air_and_nothing_becomes_negative(stripes):
    for seed in range(10):
        changed = random_contrast(stripes, np.random.default_rng(seed))
        assert (changed[:, :16] == 0).all()
        assert (changed >= 0).all()
        assert changed.dtype == np.float32


def test_brighter_tissue_stays_brighter_but_by_another_ratio(stripes):
    ratios = []
    for seed in range(40):
        changed = random_contrast(stripes, np.random.default_rng(seed))
        middle = changed[32]
        assert middle[31] < middle[32] < middle[48]  # neighbours: the bias field is the same
        ratios.append(np.log(middle[32] / middle[31]) / np.log(2))
    assert np.std(ratios) > 0.15
    assert np.mean(ratios) == pytest.approx(1, abs=0.15)
