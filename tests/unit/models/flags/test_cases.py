import numpy as np
import pytest
import torch

from echotrain.models.flags.case_rows import ARTIFACTS, case_row, case_rows
from echotrain.models.flags.cases import CONTRAST, EPSILON, flag_cases, structure
from echotrain.models.flags.features import ALONG_WORST
from echotrain.models.flags.objects import random_objects
from echotrain.models.measurements import Measurements
from echotrain.models.trained_range import TrainedRange

SCOPE = TrainedRange(acceleration=(2, 2), matrix=(64, 64), coils=(4, 4), snr=(40, 40), masks=("uniform",))


def zero_filled(measurements: Measurements):
    return measurements.zero_filled()


@pytest.fixture(scope="module")
def cases():
    """The cases of two images, the worst case a constant delta."""
    images = random_objects(2, 64, seed=1)

    def attack(measurements, epsilon, _seed):
        delta = torch.ones_like(measurements.kspace) * measurements.mask
        return delta * epsilon * measurements.kspace.norm() / delta.norm()

    return [made() for made in flag_cases(images, random_objects(2, 64, seed=2), SCOPE, seed=0, attack=attack)]


def test_each_image_has_one_case_of_every_kind(cases):
    for one in cases:
        assert sorted(case.artifact for case in one) == sorted(ARTIFACTS)


def test_artifacts_are_as_strong_as_they_are_said_to_be(cases):
    for one in cases:
        scans = {case.artifact: case.measurements for case in one}
        clean = scans["clean"]
        added = {
            name: scan.kspace - clean.kspace for name, scan in scans.items() if scan.kspace.shape == clean.kspace.shape
        }
        sampled = clean.mask.expand(clean.kspace.shape)
        assert added["noise"][sampled].abs().square().mean() == pytest.approx(3, rel=0.05)  # twice: 1 + 3
        assert added["worst_case"].norm() / clean.kspace.norm() == pytest.approx(EPSILON, rel=1e-4)
        assert (added["spike"].abs().amax(dim=(0, 1)) > 1e-3).sum() == 1
        moved = scans["motion"].kspace.abs()
        torch.testing.assert_close(moved, clean.kspace.abs(), rtol=1e-3, atol=1e-3)
        assert added["motion"].norm() > 0.01 * clean.kspace.norm()


def test_a_structure_adds_its_contrast_in_phase():
    image = np.full((64, 64), 2j, np.complex64)
    added = structure(image, (20, 30))
    assert added[20, 30] == pytest.approx(2j * CONTRAST)
    assert np.abs(added[0]).max() == 0
    # 6 mm of a field of view of 240 mm over 64 pixels
    assert (np.abs(added) > 0.1).sum() <= 9


@pytest.mark.parametrize("search", [None, lambda measurements: measurements.kspace[0].numpy()])
def test_rows_come_apart_as_they_were_put_together(cases, search):
    names, rows = zip(*[case_row(one, zero_filled, zero_filled, search, seed=0) for one in cases], strict=True)
    found = case_rows(names[0], np.stack(rows))
    assert found.features["clean"].shape == (2, len(names[0]))
    assert np.isfinite(found.regions).all()
    column = names[0].index("judged_residual_spike")
    assert (found.features["spike"][:, column] > found.features["clean"][:, column]).all()
    assert set(ALONG_WORST).issubset(names[0]) == (search is not None)


def test_objects_depend_on_seed_and_number_alone():
    objects = random_objects(3, 32, seed=4)
    assert objects.shape == (3, 32, 32)
    np.testing.assert_array_equal(objects[:2], random_objects(2, 32, seed=4))
    assert len({picture.tobytes() for picture in objects}) == 3
