import numpy as np
import pytest

from echotrain.clients.cli.calibrate import HELD_OUT
from echotrain.clients.cli.flag_scans import FILE, data_note, training_slices
from echotrain.models.shared_data import read_images, read_subjects

pytestmark = pytest.mark.usefixtures("heads")


def test_slices_of_unseen_subjects_come_after_those_of_all_and_every_one_of_them_is_scanned_clean():
    every, owners = read_images(FILE), np.array(read_subjects(FILE))
    found = training_slices(10, 4)
    assert len(found.images) == 14
    unseen = every[np.isin(owners, HELD_OUT)]
    np.testing.assert_array_equal(found.clean, unseen)
    assert set(found.subjects[10:]) == set(HELD_OUT)
    # each slice stands beside its own subject's name
    for image, subject in zip([*found.images, *found.clean], found.subjects, strict=True):
        assert subject in owners[(every == image).all(axis=(1, 2))]


def test_without_slices_of_unseen_subjects_none_is_scanned_clean():
    found = training_slices(10, 0)
    assert (len(found.images), len(found.clean), len(found.subjects)) == (10, 0, 10)


def test_no_more_slices_of_unseen_subjects_than_there_are():
    assert len(training_slices(10, 1000).images) == 10 + 26


def test_the_note_says_whose_slices_they_are():
    assert data_note(0).endswith("images of this file, too.")
    for subject in HELD_OUT:
        assert subject in data_note(4)
