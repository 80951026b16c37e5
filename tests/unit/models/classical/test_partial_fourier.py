import pytest
import torch

from echotrain.models.classical.partial_fourier import homodyne, pocs
from echotrain.models.operators.fourier import FourierOperator

METHODS = [homodyne, pocs]
TRANSFORM = FourierOperator()


def smooth_object(grid, phase, batch=2):
    """Positive blobs with a phase of low order in y and x: (batch, *grid) complex128."""
    axes = [torch.linspace(-1, 1, n, dtype=torch.float64) for n in grid]
    y, x = torch.meshgrid(*axes, indexing="ij")
    blobs = [torch.exp(-(((y - a) / 0.3) ** 2) - ((x - b) / 0.25) ** 2) for a, b in ((0.2, -0.3), (-0.3, 0.2))]
    magnitude = torch.stack([blobs[0] + (n + 1) * blobs[1] for n in range(batch)])
    fine = 1 + 0.3 * torch.cos(45 * y) + 0.3 * torch.cos(42 * x)
    return torch.polar(magnitude * fine, phase * (0.8 * y + 0.5 * x**2 - 0.6 * x * y))


def cut(kspace, acquired):
    kept = torch.zeros_like(kspace)
    kept[..., *acquired] = kspace[..., *acquired]
    return kept


def error(found, expected):
    return float((found - expected).norm() / expected.norm())


SLICES = {
    "early lines": (slice(14, None), slice(None)),
    "late lines": (slice(0, 30), slice(None)),
    "early columns": (slice(None), slice(9, None)),
    "late columns": (slice(None), slice(0, 29)),
}


@pytest.mark.parametrize("grid", [(41, 37), (40, 36)])
@pytest.mark.parametrize("part", SLICES)
def test_homodyne_is_exact_for_objects_without_phase(grid, part):
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, *grid, dtype=torch.float64, generator=generator).abs() + 1
    full = TRANSFORM(image.to(torch.complex128))
    if grid[0] % 2 == 0 and part in {"early lines", "early columns"}:
        full[:, 0], full[..., 0] = 0, 0  # the outermost sample of an even axis is its own counterpart: lost if left out
    found = homodyne(cut(full, SLICES[part]), SLICES[part])
    real = TRANSFORM.adjoint(full).real
    low = TRANSFORM.adjoint(cut(full, SLICES[part])).abs()
    assert low.min() > 0
    assert error(TRANSFORM.adjoint(found).abs(), real.abs()) < 1e-12


@pytest.mark.parametrize(("method", "tolerance"), [(pocs, 0.01), (homodyne, 0.05)])
@pytest.mark.parametrize("part", SLICES)
def test_an_object_of_smooth_phase_is_recovered(method, tolerance, part):
    image = smooth_object((48, 44), 1.0)
    full = TRANSFORM(image)
    given = cut(full, SLICES[part])
    found = TRANSFORM.adjoint(method(given, SLICES[part]))
    zero_filled = error(TRANSFORM.adjoint(given), image)
    assert zero_filled > 0.1
    assert error(found, image) < tolerance


def test_pocs_keeps_acquired_samples_to_the_bit_and_converges():
    full = TRANSFORM(smooth_object((48, 44), 1.0))
    acquired = SLICES["early lines"]
    given = cut(full, acquired)
    errors = []
    for iterations in (1, 4, 16):
        found = pocs(given, acquired, iterations=iterations)
        assert torch.equal(found[..., *acquired], full[..., *acquired])
        errors.append(error(found, full))
    assert errors[0] > errors[1] >= errors[2]
    assert torch.equal(given, cut(full, acquired)), "the argument was written to"


def test_pocs_takes_two_asymmetric_axes_and_homodyne_refuses_them():
    image = smooth_object((48, 44), 1.0)
    full, acquired = TRANSFORM(image), (slice(14, None), slice(9, None))
    given = cut(full, acquired)
    assert error(pocs(given, acquired, iterations=50), full) < 0.5 * error(given, full)
    with pytest.raises(ValueError, match="asymmetric along 2 axes, homodyne can take one: use POCS"):
        homodyne(given, acquired)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("part", [(slice(None), slice(None)), (slice(10, 39), slice(4, 41)), (slice(1, None),) * 2])
def test_symmetric_kspace_comes_back_as_it_is(method, part):
    given = cut(TRANSFORM(smooth_object((48, 44), 1.0)), part)
    assert method(given, part) is given


@pytest.mark.parametrize("method", METHODS)
def test_volumes_and_slices_in_a_batch_are_treated_alike(method):
    image = smooth_object((48, 44), 1.0, batch=3)
    acquired = SLICES["early lines"]
    given = cut(TRANSFORM(image), acquired)
    together = method(given, acquired)
    for n in range(3):
        torch.testing.assert_close(method(given[n], acquired), together[n])
    volume = FourierOperator((-3, -2, -1))(image)
    given = cut(volume, (slice(None), *acquired))
    found = FourierOperator((-3, -2, -1)).adjoint(method(given, (slice(None), *acquired)))
    assert error(found, image) < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_the_unit_of_kspace_is_free(method):
    acquired = SLICES["early lines"]
    given = cut(TRANSFORM(smooth_object((48, 44), 1.0)), acquired).to(torch.complex64)
    torch.testing.assert_close(1e9 * method(1e-9 * given, acquired), method(given, acquired), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_half_of_kspace_without_its_centre_is_refused(method):
    with pytest.raises(ValueError, match="samples 9 to 15 of 16 were acquired, expected the centre, 8"):
        method(torch.zeros(16, 16, dtype=torch.complex64), (slice(9, None), slice(None)))
