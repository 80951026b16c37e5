import numpy as np
import pytest
import torch

from echotrain.models.classical.grappa import Grappa, grappa, grappa_filled
from echotrain.models.classical.grappa_weights import GrappaKernel, grappa_weights
from echotrain.models.classical.sampling_lattice import SamplingLattice, find_lattice
from echotrain.models.measurements import Measurements
from echotrain.models.operators.fourier import FourierOperator
from echotrain.models.simulation.sampling_masks import centre_block, equispaced, equispaced_2d

EXACT = GrappaKernel(regularisation=1e-14)


def undersampled(kspace, lines):
    return kspace * torch.from_numpy(lines if kspace.ndim == 5 else lines[0])[..., None]


def lines_of(n, acceleration, offset=0, calibration=0):
    return (equispaced(n, acceleration, offset) | centre_block(n, calibration))[None]


def error(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("acceleration", [2, 3])
@pytest.mark.parametrize("blocks", [2, 3, 4])
def test_missing_lines_of_harmonic_coils_are_found_exactly(harmonic_kspace, acceleration, blocks):
    kspace = harmonic_kspace((40, 20), 12)
    lines = lines_of(40, acceleration, 1)
    kernel = GrappaKernel(blocks=(1, blocks), width=3, regularisation=1e-14)
    assert error(undersampled(kspace, lines), kspace) > 0.5
    assert error(grappa(undersampled(kspace, lines), lines, kspace[..., 8:32, :], kernel), kspace) < 1e-5


@pytest.mark.parametrize(("acceleration", "shift"), [((2, 1), 0), ((2, 2), 0), ((2, 2), 1), ((1, 3), 1), ((3, 2), 1)])
def test_missing_lines_of_volumes_are_found_exactly(harmonic_kspace, acceleration, shift):
    kspace = harmonic_kspace((18, 20, 12), 30)
    lines = equispaced_2d((18, 20), acceleration, shift)
    kernel = GrappaKernel(blocks=(2, 2), width=1, regularisation=1e-14)
    found = grappa(undersampled(kspace, lines), lines, kspace[:, :, 3:15, 4:16], kernel)
    assert error(found, kspace) < 1e-5


def test_acquired_lines_stay_as_they_are_to_the_bit(harmonic_kspace):
    kspace = harmonic_kspace((32, 16), 4, batch=2).to(torch.complex64)
    lines = lines_of(32, 2, calibration=12)
    given = undersampled(kspace, lines)
    found = grappa(given, lines, kspace[..., 10:22, :])
    assert torch.equal(found[:, :, lines[0]], kspace[:, :, lines[0]])
    assert torch.equal(given, undersampled(kspace, lines)), "the argument was written to"
    assert (found[:, :, ~lines[0]].abs().amax(dim=(0, 1, 3))[3:-3] > 0).all()


def dense_grappa(kspace, calibration, acceleration, offset, blocks, width, regularisation):
    """One slice, sample by sample and by stacked least squares: (coils, ky, kx), even blocks only."""
    coils, ny, nx = kspace.shape
    rows = [acceleration * j for j in range(1 - blocks // 2, blocks // 2 + 1)]

    def taps(data, y, x):
        values = [
            data[c, y + row, (x + column) % data.shape[2]] if 0 <= y + row < data.shape[1] else 0
            for row in rows
            for column in range(-(width // 2), width - width // 2)
            for c in range(coils)
        ]
        return np.array(values)

    out = kspace.copy()
    places = [
        (y, x)
        for y in range(-rows[0], calibration.shape[1] - max(rows[-1], acceleration - 1))
        for x in range(width // 2, calibration.shape[2] - (width - width // 2) + 1)
    ]
    matrix = np.stack([taps(calibration, y, x) for y, x in places])
    damping = np.sqrt(regularisation * np.linalg.norm(matrix) ** 2 / matrix.shape[1])
    stacked = np.concatenate([matrix, damping * np.eye(matrix.shape[1])])
    for target in range(1, acceleration):
        wanted = np.stack([calibration[:, y + target, x] for y, x in places])
        weights = np.linalg.lstsq(stacked, np.concatenate([wanted, np.zeros((len(stacked) - len(wanted), coils))]))[0]
        for y in range(offset, ny - target, acceleration):
            for x in range(nx):
                out[:, y + target, x] = taps(kspace, y, x) @ weights
    return out


@pytest.mark.parametrize(("blocks", "width"), [(2, 3), (4, 5), (4, 2)])
def test_weights_and_their_application_equal_a_dense_least_squares_solution(blocks, width):
    generator = torch.Generator().manual_seed(0)
    kspace = torch.randn(1, 3, 21, 10, dtype=torch.complex128, generator=generator)
    calibration = torch.randn(1, 3, 14, 9, dtype=torch.complex128, generator=generator)
    lines = (np.arange(21) % 3 == 0)[None]
    given = undersampled(kspace, lines)
    kernel = GrappaKernel(blocks=(2, blocks), width=width, regularisation=0.02)
    lattice = find_lattice(lines)
    found = grappa_filled(given, lines, lattice, grappa_weights(calibration, lattice, kernel))
    expected = dense_grappa(given[0].numpy(), calibration[0].numpy(), 3, 0, blocks, width, 0.02)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-9)


def test_nothing_missing_returns_the_data():
    kspace = torch.randn(2, 3, 8, 8, dtype=torch.complex64)
    assert grappa(kspace, np.ones((1, 8), bool), kspace[:, :, :0]) is kspace


def test_a_batch_is_its_slices(harmonic_kspace):
    kspace = harmonic_kspace((32, 16), 4, batch=3)
    lines = lines_of(32, 3)
    given, calibration = undersampled(kspace, lines), kspace[..., 8:24, :]
    together = grappa(given, lines, calibration)
    for n in range(3):
        torch.testing.assert_close(grappa(given[n : n + 1], lines, calibration[n : n + 1]), together[n : n + 1])


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_the_unit_of_kspace_is_free(harmonic_kspace, scale):
    kspace = harmonic_kspace((32, 16), 4).to(torch.complex64)
    lines = lines_of(32, 2, calibration=12)
    given, calibration = undersampled(kspace, lines), kspace[..., 10:22, :]
    scaled = grappa(scale * given, lines, scale * calibration)
    assert error(scaled / scale, grappa(given, lines, calibration)) < 1e-5


def test_what_partial_fourier_leaves_out_stays_zero(harmonic_kspace):
    kspace = harmonic_kspace((32, 16), 8)
    lines = lines_of(32, 2) & (np.arange(32) >= 10)
    found = grappa(undersampled(kspace, lines), lines, kspace[..., 10:30, :], EXACT)
    assert not found[:, :, :10].any()
    assert error(found[:, :, 15:], kspace[:, :, 15:]) < 1e-5, "away from the edge nothing is lost"


def test_columns_that_no_readout_filled_stay_zero(harmonic_kspace):
    kspace = harmonic_kspace((24, 16), 4)
    kspace[..., :5] = 0
    lines = lines_of(24, 2)
    lattice = find_lattice(lines)
    weights = grappa_weights(kspace[..., 4:20, 5:], lattice, GrappaKernel())
    found = grappa_filled(undersampled(kspace, lines), lines, lattice, weights, slice(5, None))
    assert not found[..., :5].any()
    assert found[..., 5:].abs().amin() >= 0
    assert found[0, 0, 11, 5:].any()


def test_as_a_reconstructor_it_combines_the_filled_kspace_of_slices_sampled_differently(harmonic_kspace):
    kspace = harmonic_kspace((40, 20), 12, batch=3)
    patterns = np.stack([lines_of(40, 2, offset, calibration=22)[0] for offset in (0, 1, 0)])
    mask = torch.from_numpy(patterns)[:, None, :, None]
    maps = torch.randn(3, 12, 40, 20, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    reconstruct = Grappa(kernel=GrappaKernel(width=3, regularisation=1e-14))
    full = Measurements(kspace, torch.ones_like(mask), maps).zero_filled()
    assert error(reconstruct(Measurements(kspace * mask, mask, maps)), full) < 1e-4


def test_as_a_reconstructor_it_keeps_to_the_columns_of_an_asymmetric_echo_and_refuses_gaps_within_readouts():
    kspace = torch.randn(1, 3, 24, 16, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    lines = torch.from_numpy(lines_of(24, 2, calibration=10)[0])[:, None]
    columns = torch.arange(16) >= 4
    mask = (lines & columns)[None, None]
    maps = torch.zeros_like(kspace)
    maps[:, 0] = 1
    image = Grappa()(Measurements(kspace * mask, mask, maps))
    found = FourierOperator()(image)[0]
    assert found[:, :4].abs().max() < 1e-5
    torch.testing.assert_close(found[lines[:, 0]][:, 4:], kspace[0, 0][lines[:, 0]][:, 4:])
    mask = mask.clone()
    mask[0, 0, 12, 8] = False
    with pytest.raises(ValueError, match="missing within readouts"):
        Grappa()(Measurements(kspace * mask, mask, maps))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lines": np.array([[1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0]], bool)}, "not as a regular lattice"),
        (
            {"calibration": 0},
            r"cover \(kz, ky, kx\) = \(1, 0, 12\), expected at least what the kernel spans, \(1, 7, 5\)",
        ),
        ({"calibration": 6}, r"= \(1, 6, 12\), expected at least"),
        ({"coils": 1}, "there is 1 coil"),
        ({"scale": 0}, "zero or not finite"),
        ({"scale": np.nan}, "not finite"),
    ],
)
def test_what_cannot_work_is_refused(change, message):
    wanted = {"lines": lines_of(12, 2), "calibration": 8, "coils": 3, "scale": 1.0, **change}
    kspace = wanted["scale"] * torch.ones(1, wanted["coils"], 12, 12, dtype=torch.complex64)
    with pytest.raises(ValueError, match=message):
        grappa(kspace, wanted["lines"], kspace[:, :, : wanted["calibration"]])


def test_the_offset_of_the_undersampling_plays_no_part_for_the_weights(harmonic_kspace):
    kspace = harmonic_kspace((30, 16), 12)
    weights = grappa_weights(kspace[..., 6:24, :], SamplingLattice((1, 3)), GrappaKernel(width=3, regularisation=1e-14))
    for offset in range(3):
        lines = lines_of(30, 3, offset)
        found = grappa_filled(undersampled(kspace, lines), lines, find_lattice(lines), weights)
        assert error(found, kspace) < 1e-5
