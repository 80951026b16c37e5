import numpy as np
import pytest
import torch

from echotrain.models.trained_range import TrainedRange
from echotrain.models.uncertainty.calibration_cases import calibration_cases, resampled


@pytest.fixture
def scope():
    return TrainedRange(acceleration=(2, 3), matrix=(50, 72), coils=(4, 6), snr=(20, 80), masks=("uniform",))


def test_every_image_becomes_one_case_within_the_scope(heads, scope):
    cases = list(calibration_cases(heads, scope, seed=0))
    assert len(cases) == 3
    for case in cases:
        _, coils, rows, columns = case.measurements.kspace.shape
        assert {rows, columns} <= {56, 64, 72}
        assert 4 <= coils <= 6
        assert 2 <= case.acceleration <= 3
        assert case.measurements.noise == 1.0
        body = case.reference >= 0.1 * case.reference.max()
        assert 15 < case.reference[body].mean() < 90
    assert len({case.acceleration for case in cases}) == 3


def test_a_case_depends_on_seed_number_and_image_alone(heads, scope):
    first, again = (next(calibration_cases(images, scope, seed=3)) for images in (heads, heads[:1]))
    assert torch.equal(first.measurements.kspace, again.measurements.kspace)
    other = next(calibration_cases(heads, scope, seed=4))
    assert other.acceleration != first.acceleration


def test_resampling_keeps_place_and_brightness_of_what_is_smooth():
    y, x = np.mgrid[-36:36, -36:36]
    image = (200 * np.exp(-(x**2 + y**2) / 200)).round().astype(np.uint8)
    smaller = resampled(image, (48, 64))
    assert smaller.shape == (48, 64)
    assert np.unravel_index(smaller.argmax(), smaller.shape) == (24, 32)
    assert smaller.max() == pytest.approx(200, abs=3)
    assert np.array_equal(resampled(image, (72, 72)), image)


def test_a_matrix_that_images_cannot_fill_or_the_step_misses_is_refused(heads, scope):
    for matrix in ((64, 80), (65, 71)):
        with pytest.raises(ValueError, match="expected multiples of 8 among the range"):
            next(calibration_cases(heads, scope.model_copy(update={"matrix": matrix}), seed=0))


def test_a_mask_that_is_not_known_is_refused_and_all_that_are_named_are_drawn(heads, scope):
    both = scope.model_copy(update={"masks": ("uniform", "equispaced")})
    assert {case.mask for case in calibration_cases(np.repeat(heads, 4, axis=0), both, seed=0)} == set(both.masks)
    with pytest.raises(ValueError, match="masks are radial; known: uniform, equispaced"):
        next(calibration_cases(heads, scope.model_copy(update={"masks": ("radial",)}), seed=0))
