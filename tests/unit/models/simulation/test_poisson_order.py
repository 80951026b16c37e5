import numpy as np
import pytest
from scipy.spatial import KDTree

from echotrain.models.simulation.poisson_order import poisson_order, poisson_points


def test_every_beginning_of_the_order_keeps_a_distance():
    n = 48
    order = poisson_order(n)
    assert sorted((order * n * n).round().astype(int).ravel()) == list(range(n * n))
    for count in (20, 100, 400):
        points = np.argwhere(order < count / n**2)
        assert len(points) == count
        nearest = KDTree(points, boxsize=n).query(points, k=2)[0][:, 1]
        # hexagons keep sqrt(2 / sqrt(3)) of the root of the area of a point, random points may fall together
        assert nearest.min() >= 0.55 * np.sqrt(n * n / count)


@pytest.mark.parametrize("acceleration", [2.0, 5.0, 12.0])
def test_masks_have_the_acceleration_that_was_asked_for_and_a_full_centre(acceleration):
    mask = poisson_points((40, 48), acceleration, np.random.default_rng(0), centre=8)
    assert mask.sum() == round(40 * 48 / acceleration)
    assert mask[16:24, 20:28].all()


def test_points_become_rarer_towards_the_edge():
    mask = poisson_points((48, 48), 4.0, np.random.default_rng(0), centre=8)
    edge = np.concatenate((mask[:8].ravel(), mask[-8:].ravel()))
    assert edge.mean() < 0.8 * mask.mean()


def test_masks_differ_from_draw_to_draw():
    rng = np.random.default_rng(0)
    assert len({poisson_points((32, 32), 4.0, rng, centre=8).tobytes() for _ in range(5)}) == 5
