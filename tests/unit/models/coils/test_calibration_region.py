import numpy as np

from echotrain.models.coils.calibration_region import calibration_region
from echotrain.models.simulation.sampling_masks import centre_block, equispaced, equispaced_2d


def test_the_calibration_region_is_the_filled_rectangle_about_the_centre():
    lines = equispaced_2d((20, 30), (2, 2)) | np.logical_and.outer(centre_block(20, 8), centre_block(30, 8))
    lines[:, 0] = True
    assert calibration_region(lines) == (slice(6, 14), slice(11, 19))
    assert calibration_region(np.ones((1, 9), bool)) == (slice(0, 1), slice(0, 9))
    assert calibration_region(equispaced(8, 2, 1)[None]) == (slice(0, 0), slice(0, 0))
