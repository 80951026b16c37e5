from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import DataError
from echotrain.engine.gadget import Context
from echotrain.engine.mrd_header import Encoding, ScanHeader, Space
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import Key, KSpace
from echotrain.gadgets.reconstruct_fourier import ReconstructFourier
from echotrain.gadgets.reconstruct_grappa import ReconstructGrappa
from echotrain.models.fourier import centred_fft, centred_ifft
from echotrain.models.simulation.sampling_masks import centre_block, equispaced, equispaced_2d

SMALL = {"kernel": (2, 2, 3), "regularisation": 1e-8}


def truth(grid, coils=10, seed=0):
    """Fully sampled k-space (coils, kz, ky, kx) that GRAPPA predicts exactly: coils of few harmonics."""
    rng = np.random.default_rng(seed)
    objects = rng.standard_normal(grid) + 1j * rng.standard_normal(grid)
    for axis, n in enumerate(grid):
        room = min(3, (n - 1) // 2)
        inside = np.minimum(np.arange(n), n - 1 - np.arange(n)) >= room
        objects = objects * inside.reshape([-1 if a == axis else 1 for a in range(3)])
    harmonics = np.zeros((coils, *grid), complex)
    middle = tuple(slice(n // 2 - (n > 1), n // 2 + 1 + (n > 1)) for n in grid)
    shape = harmonics[:, *middle].shape
    harmonics[:, *middle] = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    axes = (1, 2, 3)
    return centred_fft(centred_ifft(objects[None], axes) * centred_ifft(harmonics, axes), axes).astype(np.complex64)


def kspace_of(full, lines, *, mode="embedded", calibration=None, acceleration=(2, 1), **fields):
    """K-space of a scan that acquired these lines (kz, ky), and calibration lines beside them."""
    nz, ny, nx = full.shape[1:]
    grid = Space((nx, ny, nz), (float(nx), float(ny), float(nz)))
    given = {
        "key": Key(),
        "data": full * lines[..., None],
        "sampled": lines,
        "header": np.zeros((), ACQUISITION_DTYPE),
        "encoding": Encoding(encoded=grid, recon=grid, acceleration=acceleration, calibration_mode=mode),
    }
    if calibration is not None:
        given |= {"calibration": full * calibration[..., None], "calibration_sampled": calibration}
    return KSpace(**{**given, **fields})


def every(n, acceleration, offset=0):
    return equispaced(n, acceleration, offset)[None]


def centre(n, width):
    return centre_block(n, width)[None]


def started(kspace, **fields):
    gadget = ReconstructGrappa(**{**SMALL, **fields})
    gadget.start(Context(header=ScanHeader(encodings=(kspace.encoding,))))
    return gadget


def reconstructed(kspace, **fields):
    (images,) = started(kspace, **fields).receive(kspace)
    return images


def fourier(full):
    return centred_ifft(full, (1, 2, 3))


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(("acceleration", "centred"), [(2, 21), (3, 22)])
def test_the_fully_sampled_centre_is_enough_to_fill_a_slice(acceleration, centred):
    full = truth((1, 40, 24))
    kspace = kspace_of(full, every(40, acceleration, 1) | centre(40, 20))
    images = reconstructed(kspace)
    assert images.method == "grappa"
    assert images.data.dtype == np.complex64
    assert error(images.data, fourier(full)) < 2e-3
    assert error(fourier(kspace.data), fourier(full)) > 0.2
    words = f"R = {acceleration}, kernel 2 x 3, lambda 1e-08, {centred} calibration lines"
    assert images.history[-1] == f"reconstruct_grappa: {words}; inverse Fourier transform"
    assert images.kspace.meta["EchotrainGrappa"] == words


def test_acquired_lines_are_in_the_image_as_they_came():
    full = truth((1, 32, 16))
    lines = every(32, 2) | centre(32, 12)
    found = centred_fft(reconstructed(kspace_of(full, lines), regularisation=0.5).data, (1, 2, 3))
    np.testing.assert_allclose(found[:, lines], full[:, lines], atol=1e-5 * np.abs(full).max())
    assert error(found[:, ~lines], full[:, ~lines]) > 0.01


def test_embedded_calibration_lines_are_lines_of_the_image():
    full = truth((1, 32, 16))
    regular, calibration = every(32, 2), centre(32, 12)
    flagged = reconstructed(kspace_of(full, regular, calibration=calibration))
    unflagged = reconstructed(kspace_of(full, regular | calibration))
    np.testing.assert_array_equal(flagged.data, unflagged.data)


def test_a_separate_calibration_scan_gives_weights_but_no_lines():
    full = truth((1, 32, 16))
    regular, calibration = every(32, 2), centre(32, 12)
    kspace = kspace_of(full, regular, mode="separate", calibration=calibration)
    dimmer = replace(kspace, calibration=0.1 * kspace.calibration)
    images = reconstructed(dimmer)
    assert error(images.data, fourier(full)) < 2e-3


def test_later_repetitions_use_the_weights_of_their_slice():
    full, other = truth((1, 32, 16)), truth((1, 32, 16), seed=1)
    first = kspace_of(full, every(32, 2), mode="separate", calibration=centre(32, 12))
    second = kspace_of(full, every(32, 2, 1), mode="separate", key=Key(repetition=3))
    elsewhere = kspace_of(other, every(32, 2), mode="separate", key=Key(slice=1))
    gadget = started(first)
    gadget.receive(first)
    (images,) = gadget.receive(second)
    assert error(images.data, fourier(full)) < 2e-3
    assert images.history[-1].count("of repetition 0")
    with pytest.raises(DataError, match=r"slice 1: the calibration lines cover .* expected at least what the kernel"):
        gadget.receive(elsewhere)


def test_weights_that_take_too_much_memory_are_forgotten_the_oldest_first():
    full = truth((1, 32, 16))
    calibrated = [
        kspace_of(full, every(32, 2), mode="separate", calibration=centre(32, 12), key=Key(slice=n)) for n in range(3)
    ]
    later = [kspace_of(full, every(32, 2), mode="separate", key=Key(slice=n, repetition=1)) for n in range(3)]
    gadget = ReconstructGrappa(**SMALL)
    bytes_of_one = 2 * 3 * 10 * 10 * 8
    gadget.start(Context(header=ScanHeader(encodings=(calibrated[0].encoding,)), kspace_bytes=2 * bytes_of_one))
    for kspace in calibrated:
        gadget.receive(kspace)
    gadget.receive(later[1])
    gadget.receive(later[2])
    with pytest.raises(DataError, match="slice 0"):
        gadget.receive(later[0])


def test_volumes_are_filled_along_both_directions():
    full = truth((14, 16, 10), coils=30)
    regular = equispaced_2d((14, 16), (2, 2), 1)
    calibration = np.logical_and.outer(centre_block(14, 12), centre_block(16, 12))
    images = reconstructed(kspace_of(full, regular | calibration, acceleration=(2, 2)), kernel=(2, 2, 1))
    assert error(images.data, fourier(full)) < 5e-3
    assert "R = 2 x 2, shift 1, kernel 2 x 2 x 1, lambda 1e-08, 12 x 12 calibration lines" in images.history[-1]


def test_without_acceleration_it_is_the_fourier_transform():
    full = truth((1, 9, 12))
    kspace = kspace_of(full, np.ones((1, 9), bool), mode=None, acceleration=(1, 1))
    (expected,) = ReconstructFourier().receive(kspace)
    np.testing.assert_array_equal(reconstructed(kspace).data, expected.data)


@pytest.mark.parametrize("method", ["homodyne", "pocs"])
@pytest.mark.parametrize("side", ["lines", "columns"])
def test_partial_fourier_is_completed_when_asked(method, side):
    y, x = np.mgrid[-1:1:48j, -1:1:40j]
    image = (np.exp(-(y**2) / 0.2 - x**2 / 0.3) * (1 + 0.3 * np.cos(45 * y) + 0.3 * np.cos(38 * x)))[None]
    coils = np.stack([image * (1 + 0.2 * y), image * np.exp(0.4j * x), image * (1 - 0.2 * y)]).astype(np.complex64)
    full = centred_fft(coils, (1, 2, 3))
    lines, columns = np.ones((1, 48), bool), slice(None)
    if side == "lines":
        lines[0, :14] = False
    else:
        columns = slice(12, 40)
        full = full.copy()
        full[..., :12] = 0
    kspace = kspace_of(full, lines, mode=None, acceleration=(1, 1), sampled_columns=columns)
    zero_filled = reconstructed(kspace)
    found = reconstructed(kspace, partial_fourier=method)
    assert "zero-filled" in zero_filled.history[-1]
    assert f"partial Fourier, 0.7{'1 of ky' if side == 'lines' else '0 of kx'}, {method}" in found.history[-1]
    assert error(found.data, coils) < 0.5 * error(zero_filled.data, coils)


def test_undersampled_partial_fourier_is_filled_and_then_completed():
    full = truth((1, 40, 24))
    lines = (every(40, 2) | centre(40, 16)) & (np.arange(40) >= 8)
    images = reconstructed(kspace_of(full, lines), partial_fourier="pocs")
    kspace = centred_fft(images.data, (1, 2, 3))
    np.testing.assert_allclose(kspace[:, lines], full[:, lines], atol=1e-5 * np.abs(full).max())
    assert np.abs(kspace[:, 0, 4:8]).max() > 0
    assert "R = 2" in images.history[-1]
    assert "0.80 of ky, pocs" in images.history[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lines": np.random.default_rng(0).random((1, 32)) < 0.5}, "not as a regular lattice"),
        ({"lines": every(32, 2)}, "expected at least what the kernel spans"),
        ({"lines": every(32, 2) | centre(32, 12), "coils": 1}, "there is 1 coil"),
        ({"lines": every(32, 2) | centre(32, 12), "scale": 0}, "zero or not finite"),
        ({"lines": every(32, 2) | centre(32, 12), "scale": np.nan}, "zero or not finite"),
    ],
)
def test_what_cannot_work_is_refused_with_the_slice_and_the_reason(change, message):
    full = truth((1, 32, 16))[: change.get("coils")] * np.float32(change.get("scale", 1))
    with pytest.raises(DataError, match=rf"slice 0: .*{message}"):
        reconstructed(kspace_of(full, change["lines"]))


def test_coils_that_change_within_a_slice_are_refused():
    full = truth((1, 32, 16))
    first = kspace_of(full, every(32, 2), mode="separate", calibration=centre(32, 12))
    gadget = started(first)
    gadget.receive(first)
    with pytest.raises(DataError, match="k-space has 4 coils, expected 10"):
        gadget.receive(kspace_of(full[:4], every(32, 2), mode="separate"))
