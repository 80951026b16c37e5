import numpy as np
import pytest

from echotrain.clients.demo_series import (
    Series,
    best_estimate,
    compare,
    error_correlation,
    flags_told,
    seen_by_coils,
    series_of,
    uncertainty,
)
from echotrain.clients.simulator import ScanProtocol, simulate
from echotrain.engine.messages import Image
from echotrain.engine.mrd_layout import IMAGE_DTYPE

ENSEMBLE = [
    ("sense", "magnitude", "sense"),
    ("diffusion(brain-edm@1, dds, 20 steps)+mean", "magnitude", "diffusion mean"),
    ("diffusion(brain-edm@1, dds, 20 steps)", "standard_deviation", "standard deviation"),
    ("diffusion(brain-edm@1, dds, 20 steps)", "interval_width", "interval width"),
    ("diffusion(brain-edm@1, dds, 20 steps)+sample", "magnitude", "diffusion sample"),
]


def image(number, slice_number, *, method="sense", quantity="magnitude", pixels=None):
    header = np.zeros((), IMAGE_DTYPE)
    header["image_series_index"], header["slice"] = number, slice_number
    pixels = np.ones((1, 1, 2, 3), np.float32) if pixels is None else pixels
    return Image(header, pixels, {"EchotrainMethod": method, "EchotrainQuantity": quantity})


@pytest.fixture(scope="module")
def simulated():
    return simulate(ScanProtocol(matrix=(32, 32), slices=2, coils=4, acceleration=1))


@pytest.fixture
def exact(simulated):
    """The phantom in another unit."""
    seen = seen_by_coils(simulated)[0]
    return Series("exact", "magnitude", {(n, 0, 0, 0, 0, 0): 3 * seen[n] for n in range(2)})


def test_images_are_sorted_by_series_and_named_without_settings():
    images = [image(n, place, method=m, quantity=q) for place in (1, 0) for n, (m, q, _) in enumerate(ENSEMBLE)]
    found = series_of(images)
    assert [one.name for one in found] == [name for *_, name in ENSEMBLE]
    assert [one.is_map for one in found] == [False, False, True, True, False]
    assert all(list(one.images) == [(1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)] for one in found)


def test_of_a_volume_the_magnitude_of_the_middle_partition_is_taken():
    pixels = np.zeros((1, 3, 2, 2), np.complex64)
    pixels[0, 1] = 3 + 4j
    (found,) = series_of([image(0, 0, pixels=pixels)])
    np.testing.assert_array_equal(found.images[0, 0, 0, 0, 0, 0], np.full((2, 2), 5.0))


def test_the_mean_of_an_ensemble_is_its_estimate_and_else_what_comes_last():
    series = [Series(method, quantity) for method, quantity, _ in ENSEMBLE]
    assert best_estimate(series) is series[1]
    assert uncertainty(series) is series[2]
    assert best_estimate([series[0], series[4]]) is series[4]
    assert best_estimate([series[2]]) is None
    assert uncertainty([series[0], Series("admm-net", "sensitivity")]) is None


def test_flags_reasons_and_decisions_are_told_once_in_that_order():
    images = [image(n, 0) for n in range(3)]
    for one in images[:2]:
        one.meta.update(
            EchotrainFlags=("noise: warning, probability 0.97", "spike: notice, probability 0.60"),
            EchotrainFlagReasons=("three times the noise",),
            EchotrainDecision="annotated",
        )
    assert flags_told("clean", images) == [
        ("flags, clean", "noise: warning, probability 0.97"),
        ("flags, clean", "spike: notice, probability 0.60"),
        ("why, clean", "three times the noise"),
        ("decision, clean", "annotated"),
    ]
    assert flags_told("", images[2:]) == []


def test_the_phantom_itself_has_no_error_in_any_unit(exact, simulated):
    comparison = compare(exact, simulated)
    assert comparison.nrmse < 1e-12
    np.testing.assert_allclose(comparison.truth[1, 0, 0, 0, 0, 0], exact.images[1, 0, 0, 0, 0, 0])


def test_an_error_orthogonal_to_the_phantom_is_found_as_it_is(exact, simulated):
    stack = np.stack(list(exact.images.values()))
    ripple = np.random.default_rng(0).standard_normal(stack.shape)
    ripple -= stack * (ripple * stack).sum() / (stack**2).sum()
    ripple *= 0.1 * np.linalg.norm(stack) / np.linalg.norm(ripple)
    noisy = Series("noisy", "magnitude", dict(zip(exact.images, stack + ripple, strict=True)))
    comparison = compare(noisy, simulated)
    # the least-squares scale makes the sine of the angle of it, and the truth longer by one over its square
    assert comparison.nrmse == pytest.approx(0.1 / np.sqrt(1.01), rel=1e-9)


def test_images_of_nothing_are_all_error(exact, simulated):
    empty = Series("empty", "magnitude", {place: 0 * pixels for place, pixels in exact.images.items()})
    assert compare(empty, simulated).nrmse == 1.0


def test_uncertainty_that_orders_pixels_as_errors_do_correlates_fully(exact, simulated):
    rng = np.random.default_rng(0)
    noisy = {place: pixels + rng.standard_normal(pixels.shape) for place, pixels in exact.images.items()}
    comparison = compare(Series("noisy", "magnitude", noisy), simulated)
    same = {place: np.sqrt(error) for place, error in comparison.errors.items()}
    assert error_correlation(comparison, Series("noisy", "standard_deviation", same)) == pytest.approx(1)
    del same[0, 0, 0, 0, 0, 0]
    same[1, 0, 0, 0, 0, 0] *= -1
    assert error_correlation(comparison, Series("noisy", "standard_deviation", same)) == pytest.approx(-1)
