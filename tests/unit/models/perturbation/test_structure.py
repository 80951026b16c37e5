import numpy as np
import pytest

from echotrain.models.perturbation.specification import Structure
from echotrain.models.perturbation.structure import inserted

VOXEL = (5.0, 2.0, 1.0)
"""z, y, x in mm."""


def body(shape=(1, 64, 128)):
    """A disc of 40 mm radius and brightness 3, of one phase."""
    y, x = ((np.arange(n) - n // 2) * size for n, size in zip(shape[1:], VOXEL[1:], strict=True))
    disc = (y[:, None] ** 2 + x**2 < 40**2) * np.complex64(3 * np.exp(0.5j))
    return np.broadcast_to(disc, shape).astype(np.complex64)


def test_the_plateau_is_the_contrast_times_the_local_magnitude_at_the_local_phase():
    made = inserted(body(), VOXEL, Structure(diameter=(12,), contrast=0.5, position=(10, -8)), seed=1)
    np.testing.assert_allclose(made.image[0, 32 - 4, 64 + 10], 1.5 * np.exp(0.5j), rtol=1e-5)
    assert made.amplitude == pytest.approx(1.5, rel=1e-6)
    assert made.center == (10, -8, 0)
    np.testing.assert_allclose(np.abs(body() + made.image).max(), 4.5, rtol=1e-5)


def test_its_area_is_that_of_the_ellipse_in_mm():
    for diameter, area in (((30,), 225 * np.pi), ((40, 20), 200 * np.pi)):
        made = inserted(body(), VOXEL, Structure(diameter=diameter, contrast=1, edge=2, position=(0, 0)), seed=1)
        assert np.abs(made.image).sum() / 3 * VOXEL[1] * VOXEL[2] == pytest.approx(area, rel=0.02)
    rows, columns = (np.ptp(np.nonzero(made.image[0])[axis]) for axis in (0, 1))
    assert columns * VOXEL[2] == pytest.approx(41, abs=3), "40 mm along x"
    assert rows * VOXEL[1] == pytest.approx(21, abs=4), "20 mm along y"


def test_the_edge_is_soft_over_its_width_and_hard_without():
    soft = np.abs(inserted(body(), VOXEL, Structure(diameter=(20,), contrast=1, edge=6, position=(0, 0)), seed=1).image)
    profile = soft[0, 32, 64:] / 3
    assert profile[10] == pytest.approx(0.5, abs=1e-5), "half at the radius"
    assert profile[7] == pytest.approx(1, abs=1e-5)
    assert profile[13] == pytest.approx(0, abs=1e-5)
    hard = inserted(body(), VOXEL, Structure(diameter=(20,), contrast=1, edge=0, position=(0, 0)), seed=1)
    assert set(np.round(np.abs(hard.image), 4).ravel()) == {0, 3}


def test_contrast_of_minus_one_is_a_hole():
    made = inserted(body(), VOXEL, Structure(diameter=(12,), contrast=-1, position=(0, 0)), seed=1)
    assert abs(body() + made.image)[0, 32, 64] < 1e-5


def test_drawn_positions_lie_within_the_body_and_go_by_the_seed():
    structure = Structure(diameter=(20,), contrast=1)
    found = [inserted(body(), VOXEL, structure, seed=seed).center for seed in range(40)]
    assert all(np.hypot(x, y) <= 40 - 10 for x, y, _ in found)
    assert max(np.hypot(x, y) for x, y, _ in found) > 15, "all over it"
    assert len(set(found)) > 35
    assert inserted(body(), VOXEL, structure, seed=3).center == found[3]


def test_in_a_volume_it_is_an_ellipsoid():
    volume = body((9, 64, 128))
    made = np.abs(inserted(volume, VOXEL, Structure(diameter=(20,), contrast=1, position=(0, 0)), seed=1).image)
    assert (made.max(axis=(1, 2)) > 0).tolist() == [False, False, *[True] * 5, False, False]
    drawn = inserted(volume, VOXEL, Structure(diameter=(20,), contrast=1), seed=1)
    assert abs(drawn.center[2]) <= 22.5 - 10


@pytest.mark.parametrize(
    ("structure", "told"),
    [
        (Structure(diameter=(90,), contrast=1), "nowhere in the body"),
        (Structure(diameter=(6,), contrast=1, position=(500, 0)), "outside the field of view"),
    ],
)
def test_a_structure_without_a_place_is_refused(structure, told):
    with pytest.raises(ValueError, match=told):
        inserted(body(), VOXEL, structure, seed=1)
