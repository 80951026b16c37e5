import numpy as np
import pytest

from echotrain.models.classical.sampling_lattice import SamplingLattice, find_lattice
from echotrain.models.simulation.sampling_masks import centre_block, equispaced, equispaced_2d, random_lines


def with_centre(lines, width):
    return lines | np.logical_and.outer(*(centre_block(n, width) for n in lines.shape))


@pytest.mark.parametrize("n", [32, 33])
@pytest.mark.parametrize("acceleration", [2, 3, 5])
@pytest.mark.parametrize("calibration", [0, 8])
def test_every_rth_line_is_recognised_with_or_without_calibration_lines(n, acceleration, calibration):
    for offset in range(acceleration):
        regular = equispaced(n, acceleration, offset)
        found = find_lattice((regular | centre_block(n, calibration))[None])
        assert found.acceleration == (1, acceleration)
        np.testing.assert_array_equal(found.points((1, n))[0], regular)


@pytest.mark.parametrize("acceleration", [(2, 1), (1, 3), (2, 2), (3, 2)])
@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("calibration", [0, 8])
def test_sheared_lattices_are_recognised(acceleration, shift, calibration):
    regular = equispaced_2d((20, 30), acceleration, shift)
    found = find_lattice(with_centre(regular, calibration))
    np.testing.assert_array_equal(found.points((20, 30)), regular)
    assert found.factor == acceleration[0] * acceleration[1]


def test_lines_without_gaps_are_not_accelerated():
    assert find_lattice(np.ones((1, 8), bool)).factor == 1
    partial = np.arange(12)[None] >= 3
    assert find_lattice(partial).factor == 1


def test_irregular_sampling_is_no_lattice():
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert find_lattice(random_lines((64,), 4, rng, always=centre_block(64, 8))[None]) is None
        assert find_lattice(random_lines((16, 20), 3, rng)) is None
    assert find_lattice(np.zeros((1, 8), bool)) is None


def test_a_lattice_with_a_hole_is_irregular():
    lines = equispaced(32, 2)[None].copy()
    lines[0, 20] = False
    assert find_lattice(lines) is None
    planes = equispaced_2d((12, 12), (2, 1)).copy()
    planes[4] = False
    assert find_lattice(planes) is None


def test_partial_fourier_is_not_filled_in():
    lines = equispaced(16, 2)[None] & (np.arange(16) >= 4)
    lattice = find_lattice(lines)
    assert lattice.acceleration == (1, 2)
    np.testing.assert_array_equal(lattice.covered(lines)[0], np.arange(16) >= 4)


def test_an_elliptic_shutter_is_kept():
    kz, ky = np.ogrid[-10:10, -15:15]
    ellipse = (kz / 10) ** 2 + (ky / 15) ** 2 <= 1
    lines = equispaced_2d((20, 30), (2, 2), 1) & ellipse
    lattice = find_lattice(lines)
    assert lattice == SamplingLattice((2, 2), 1, lattice.offset)
    covered = lattice.covered(lines)
    assert not covered[0, 0]
    assert covered[8:13, 10:20].all()
    assert (covered >= lines).all()
