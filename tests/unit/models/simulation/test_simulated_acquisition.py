import numpy as np
import pytest

from echotrain.models.simulation.simulated_acquisition import (
    Role,
    acquisition_order,
    coil_kspace,
    first_and_last,
    interleaved,
)


def order(**changes):
    mask = np.zeros((1, 8), bool)
    mask[0, ::2] = True
    calibration = np.zeros((1, 8), bool)
    calibration[0, 3:5] = True
    given = {
        "masks": [mask],
        "calibration": calibration,
        "prescan": False,
        "averages": 1,
        "slices": [0, 2, 1],
        "contrasts": 1,
        "slices_in_turn": False,
        "tr": 0.1,
        "echo_spacing": 0.01,
    } | changes
    return acquisition_order(given.pop("masks"), given.pop("calibration"), **given)


def test_slices_come_one_after_another_with_all_their_lines():
    found = order()
    assert found["slice"].tolist() == [0] * 5 + [2] * 5 + [1] * 5
    assert found["ky"][:5].tolist() == [0, 2, 3, 4, 6]
    I, C, B = Role.IMAGING, Role.CALIBRATION, Role.IMAGING_AND_CALIBRATION
    assert found["role"][:5].tolist() == [I, I, C, B, I]
    np.testing.assert_allclose(np.diff(found["time"]), 0.1)


def test_slices_in_turn_share_the_repetition_time():
    found = order(slices_in_turn=True)
    assert found["slice"][:6].tolist() == [0, 2, 1, 0, 2, 1]
    assert found["ky"][:6].tolist() == [0, 0, 0, 2, 2, 2]
    assert found["time"][3] == pytest.approx(0.1)


def test_a_separate_calibration_comes_first_and_once():
    mask = np.ones((1, 8), bool)
    found = order(prescan=True, masks=[mask, mask], slices=[0], averages=2)
    assert found["role"].tolist() == [Role.PRESCAN] * 2 + [Role.IMAGING] * 32
    assert found["average"].tolist() == [0, 0] + ([0] * 8 + [1] * 8) * 2
    assert found["repetition"].tolist() == [0] * 18 + [1] * 16


def test_contrasts_are_echoes_of_one_excitation():
    found = order(contrasts=3, slices=[0])
    assert found["contrast"][:4].tolist() == [0, 1, 2, 0]
    np.testing.assert_allclose(found["time"][:4], [0, 0.01, 0.02, 0.1])


def test_first_and_last_of_each_group():
    found = order(slices_in_turn=True)
    first, last = first_and_last(found, ("slice",))
    assert sorted(first.tolist()) == [0, 1, 2]
    assert sorted(last.tolist()) == [12, 13, 14]


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_interleaving_takes_every_slice_once(n):
    assert sorted(interleaved(n)) == list(range(n))


@pytest.mark.parametrize("shape", [(12, 10), (5, 9), (3, 6, 8)])
def test_kspace_keeps_energy_and_is_centred(shape):
    rng = np.random.default_rng(0)
    image = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    maps = rng.standard_normal((2, *shape)) + 0j
    kspace = coil_kspace(image, maps, 2 * shape[-1])
    assert kspace.shape == (2, *shape[:-1], 2 * shape[-1])
    assert np.linalg.norm(kspace) == pytest.approx(np.linalg.norm(image * maps), rel=1e-6)
    centre = kspace[(slice(None), *(n // 2 for n in shape[:-1]), shape[-1])]
    np.testing.assert_allclose(centre * np.sqrt(kspace[0].size), (image * maps).reshape(2, -1).sum(axis=1), rtol=1e-4)
