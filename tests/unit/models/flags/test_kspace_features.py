import numpy as np
import pytest

from echotrain.models.flags.kspace_features import (
    coil_dropout,
    column_ratio,
    jumps,
    line_coherence,
    line_levels,
    spike_ratio,
)

ALL = np.ones((64, 64), bool)


def test_one_sample_of_a_hundred_noises_is_a_spike(noise):
    kspace = noise(4, 64, 64)
    before = spike_ratio(kspace, ALL)
    kspace[:, 20, 50] = 50  # 100 over four coils; the median of the neighbours is about 2, and the noise 2
    assert before < 2
    assert spike_ratio(kspace, ALL) == pytest.approx(25, rel=0.15)


def test_what_was_not_sampled_is_no_spike():
    assert spike_ratio(np.zeros((2, 8, 8), np.complex64), np.zeros((8, 8), bool)) == 0


def test_line_levels_are_the_root_mean_square_of_sampled_lines():
    kspace = np.zeros((2, 6, 4), np.complex64)
    kspace[:, 2], kspace[:, 4] = 3, 4j
    sampled = np.zeros((6, 4), bool)
    sampled[[2, 4]] = True
    np.testing.assert_allclose(line_levels(kspace, sampled), [3, 4])


def test_a_line_that_is_twice_its_neighbours_jumps_by_the_logarithm_of_two():
    levels = np.full(20, 999.0)
    levels[7] = 1999.0
    found = jumps(levels)
    assert found[7] == pytest.approx(np.log(2))
    assert np.delete(found, 7).max() == 0


def test_interference_makes_a_column_stand_out(noise):
    residual = noise(4, 64, 64)
    assert column_ratio(residual, ALL) < 1.4
    residual[:, :, 13] *= 5
    assert column_ratio(residual, ALL) == pytest.approx(5, rel=0.15)


def test_a_line_of_another_phase_than_its_neighbours_is_incoherent(noise):
    kspace = np.repeat(noise(2, 1, 64), 64, axis=1)
    assert line_coherence(kspace, ALL) == pytest.approx(0, abs=1e-3)
    turned = kspace.copy()
    turned[:, 30] *= np.exp(1j * np.pi / 2)
    assert line_coherence(turned, ALL) == pytest.approx(np.pi / 2, abs=0.1)
    turned = kspace.copy()
    turned[:, 30:] *= np.exp(1j * np.pi / 3)  # moved once, between two lines
    assert line_coherence(turned, ALL) == pytest.approx(np.pi / 3, abs=0.1)


def test_few_lines_have_no_coherence_to_tell(noise):
    sampled = np.zeros((64, 64), bool)
    sampled[[30, 31, 33]] = True
    assert line_coherence(noise(2, 64, 64), sampled) == 0


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.0), (0.5, np.log(2)), (0.0, 10.0)])
def test_a_weak_coil_is_told_by_the_logarithm_of_how_weak_it_is(factor, expected):
    kspace = np.ones((3, 4, 4), np.complex64)
    kspace[1] *= factor
    assert coil_dropout(kspace) == pytest.approx(expected)
