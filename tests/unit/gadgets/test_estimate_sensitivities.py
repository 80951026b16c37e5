from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import ConfigurationError, DataError, LimitExceeded
from echotrain.engine.messages import Text
from echotrain.engine.records import CalibratedKSpace, KSpace
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.estimate_sensitivities import EstimateSensitivities
from echotrain.models.fourier import centred_fft

PLAIN = {"matrix": (24, 32, 1), "recon": (24, 32, 1), "fov": (200, 200, 5), "coils": 4}
EXACT = {"threshold": 1e-3}


def coils(shape, seed=0, count=4):
    """Sensitivities (coils, *shape) of three waves an axis, which ESPIRiT finds exactly but for their common factor."""
    rng = np.random.default_rng(seed)
    maps = np.zeros((count, *shape), complex)
    for index in np.ndindex(*[3] * len(shape)):
        wave = np.ones(())
        for n, i in zip(shape, index, strict=True):
            wave = np.multiply.outer(wave, np.exp(2j * np.pi / n * (i - 1) * (np.arange(n) - n // 2)) if n > 1 else [1])
        weight = rng.standard_normal(count) + 1j * rng.standard_normal(count)
        maps += weight.reshape(-1, *[1] * len(shape)) * wave / 2 ** np.sum(np.array(index) != 1)
    return maps


def acquired(scan, lines, *, seed=0, scale=1.0, **options):
    """Readouts of a random image that the coils see, and their maps."""
    shape = scan.matrix[::-1]
    maps = coils(shape, seed, scan.coils)
    rng = np.random.default_rng(seed)
    image = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    kspace = centred_fft(scale * maps * image, (1, 2, 3))
    block = scan.readouts(lines, **options)
    index = block.headers["idx"]
    where = kspace[:, index["kspace_encode_step_2"], index["kspace_encode_step_1"]]
    return replace(block, samples=np.ascontiguousarray(np.moveaxis(where, 1, 0), np.complex64)), maps / np.linalg.norm(
        maps, axis=0
    )


def calibrate(scans, scan, *blocks, texts=False, **fields):
    out = scans.run(scan, [Accumulate(), EstimateSensitivities(**fields)], *blocks)
    return out if texts else [m for m in out if not isinstance(m, Text)]


def alignment(record, maps):
    return np.abs((record.sensitivities.conj() * maps).sum(axis=0))


def test_maps_of_a_fully_sampled_scan_come_from_its_centre(scans):
    scan = scans.Scan(**PLAIN)
    block, maps = acquired(scan, range(32))
    (out,) = calibrate(scans, scan, block, **EXACT)
    assert isinstance(out, CalibratedKSpace)
    assert out.sensitivities.dtype == np.complex64
    assert alignment(out, maps).min() > 0.999
    how = "espirit from the imaging lines, 24 x 24, kernel 6, threshold 0.001, crop 0.8"
    assert out.history[-1] == f"estimate_sensitivities: {how}"
    assert out.history[:-1] == out.kspace.history
    assert out.kspace.meta["EchotrainSensitivities"] == how


@pytest.mark.parametrize("mode", ["separate", "embedded", None])
def test_calibration_lines_come_before_imaging_lines(scans, mode):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1), calibration_mode=mode)
    chosen = range(10, 22)
    if mode == "embedded":  # lines that the undersampling has anyway are both
        both, maps = acquired(scan, range(10, 22, 2), flags=scans.bit("IS_PARALLEL_CALIBRATION_AND_IMAGING"))
        own, _ = acquired(scan, range(11, 22, 2), flags=scans.bit("IS_PARALLEL_CALIBRATION"))
        blocks = [both, own]
    else:
        own, maps = acquired(scan, chosen, flags=scans.bit("IS_PARALLEL_CALIBRATION"))
        blocks = [own]
    rest, _ = acquired(scan, [i for i in range(0, 32, 2) if mode != "embedded" or i not in chosen])
    (out,) = calibrate(scans, scan, *blocks, rest, **EXACT)
    assert alignment(out, maps).min() > 0.999
    lines = 13 if mode == "embedded" else 12  # line 22 is an imaging line, and next to them
    assert f"{mode or 'separate'} calibration lines, {lines} x 24, kernel 6" in out.history[-1]


def test_few_lines_get_a_smaller_kernel_and_that_is_said(scans):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1))
    own, maps = acquired(scan, range(12, 20), flags=scans.bit("IS_PARALLEL_CALIBRATION"))
    (out,) = calibrate(scans, scan, own, acquired(scan, range(0, 32, 2))[0], **EXACT)
    assert "8 x 24, kernel 4" in out.history[-1]
    assert np.median(alignment(out, maps)) > 0.99


def test_walsh_maps_take_fewer_lines(scans):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1))
    own, _ = acquired(scan, range(14, 18), flags=scans.bit("IS_PARALLEL_CALIBRATION"))
    rest, _ = acquired(scan, range(0, 32, 2))
    (out,) = calibrate(scans, scan, own, rest, method="walsh")
    assert out.method == "walsh"
    assert out.history[-1].endswith("walsh from separate calibration lines, 4 x 24, crop 0.02")
    power = (np.abs(out.sensitivities) ** 2).sum(axis=0)
    assert np.minimum(np.abs(power), np.abs(power - 1)).max() < 1e-5
    with pytest.raises(DataError, match=r"slice 0 has no maps: .* is 4 x 24 of 32 x 24 points.*at least 6 x 6"):
        calibrate(scans, scan, own, rest)


def test_volumes_have_three_dimensional_maps(scans):
    matrix, fov = (16, 12, 10), (160, 120, 100)
    scan = scans.Scan(matrix=matrix, recon=matrix, fov=fov, recon_fov=fov, coils=6)
    block, maps = acquired(scan, [(z, y) for z in range(10) for y in range(12)])
    (out,) = calibrate(scans, scan, block, kernel=5, **EXACT)
    assert out.sensitivities.shape == (6, 10, 12, 16)
    assert alignment(out, maps).min() > 0.999


@pytest.mark.parametrize(
    "geometry",
    [
        {"matrix": (32, 24, 1), "recon": (16, 20, 1), "fov": (400, 240, 5), "recon_fov": (200, 200, 5)},
        {"matrix": (24, 20, 1), "recon": (48, 30, 1), "fov": (200, 200, 5), "recon_fov": (200, 200, 5)},
        {"matrix": (25, 21, 1), "recon": (25, 21, 1), "fov": (200, 200, 5), "recon_fov": (200, 200, 5)},
        {"matrix": (24, 20, 4), "recon": (24, 20, 1), "fov": (200, 200, 20), "recon_fov": (200, 200, 20)},
    ],
    ids=["oversampled", "interpolated", "odd", "one partition of four"],
)
def test_maps_are_on_the_grid_of_the_reconstruction(scans, geometry):
    from echotrain.gadgets._measurements import measurements_of

    scan = scans.Scan(**{**PLAIN, **geometry})
    x, y, z = scan.matrix
    block, maps = acquired(scan, [(c, b) for c in range(z) for b in range(y)])
    (out,) = calibrate(scans, scan, block, **EXACT)
    measurements = measurements_of(out)  # shapes agree
    assert out.sensitivities[0].any()
    if z == 1 and measurements.maps.shape[2:] == (y, x):
        assert alignment(out, maps).min() > 0.99


def test_later_images_of_a_slice_share_the_maps_of_the_first(scans):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1), calibration_mode="separate")
    own, _ = acquired(scan, range(8, 24), flags=scans.bit("IS_PARALLEL_CALIBRATION"))
    first, _ = acquired(scan, range(0, 32, 2))
    second, _ = acquired(scan, range(0, 32, 2), repetition=1, seed=1)
    one, two = calibrate(scans, scan, own, first, second)
    assert two.sensitivities is one.sensitivities
    assert two.history[-1] == f"{one.history[-1]}, of repetition 0"
    with pytest.raises(DataError, match="is 1 x 24 of 32 x 24"):
        calibrate(scans, scan, own, first, second, share=False)


def test_slices_and_variants_have_maps_of_their_own(scans):
    scan = scans.Scan(**PLAIN)
    first, _ = acquired(scan, range(32), seed=1)
    other, _ = acquired(scan, range(32), seed=2, slice=1)
    one, two = calibrate(scans, scan, first, other)
    assert not np.allclose(one.sensitivities, two.sensitivities)
    gadget = EstimateSensitivities()
    gadget.start(scan.context())
    (again,) = gadget.receive(one.kspace)
    (attacked,) = gadget.receive(replace(two.kspace, key=one.kspace.key, variant="worst case"))
    np.testing.assert_array_equal(again.sensitivities, one.sensitivities)
    np.testing.assert_array_equal(attacked.sensitivities, two.sensitivities)


def test_maps_that_found_no_room_are_made_again_from_the_same_lines(scans):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1), calibration_mode="separate")
    blocks = []
    for number in range(2):
        blocks += [
            acquired(scan, range(8, 24), flags=scans.bit("IS_PARALLEL_CALIBRATION"), slice=number, seed=number)[0]
        ]
        blocks += [acquired(scan, range(0, 32, 2), slice=number, seed=number)[0]]
    images = [m for m in scans.run(scan, [Accumulate()], *blocks) if isinstance(m, KSpace)]
    later = [replace(image, key=image.key._replace(repetition=1), calibration=None) for image in images]
    gadget = EstimateSensitivities()
    gadget.start(scan.context(kspace_bytes=4 * 32 * 24 * 8))  # the maps of one slice
    out = [record for image in (*images, *later) for record in gadget.receive(image)]
    assert len(gadget._maps) == 1
    for first, again in zip(out[:2], out[2:], strict=True):
        np.testing.assert_array_equal(first.sensitivities, again.sensitivities)
    gadget.start(scan.context(kspace_bytes=1000))
    with pytest.raises(LimitExceeded, match="regions of 3 slices take"):
        list(gadget.receive(replace(images[0], key=images[0].key._replace(slice=7), variant="other")))


def test_a_slice_that_changes_its_coils_is_refused(scans):
    scan, fewer = scans.Scan(**PLAIN), scans.Scan(**{**PLAIN, "coils": 3})
    with pytest.raises(DataError, match="k-space has 3 coils, expected 4"):
        calibrate(scans, scan, acquired(scan, range(32))[0], acquired(fewer, range(32), repetition=1)[0])


def test_k_space_without_calibration_lines_passes_only_if_asked_to(scans):
    scan = scans.Scan(**PLAIN, acceleration=(2, 1))
    block, _ = acquired(scan, range(0, 32, 2))
    with pytest.raises(DataError, match=r'slice 0 has no maps: .* is 1 x 24 .*; or set uncalibrated = "pass"'):
        calibrate(scans, scan, block)
    warning, out = calibrate(scans, scan, block, texts=True, uncalibrated="pass")
    assert warning.text.startswith("WRN estimate_sensitivities: slice 0 passes without maps: the fully sampled centre")
    assert isinstance(out, KSpace)


def test_scans_without_acceleration_can_pass_by_and_the_chain_knows(scans):
    scan = scans.Scan(**PLAIN)
    (out,) = calibrate(scans, scan, acquired(scan, range(32))[0], unaccelerated="pass")
    assert isinstance(out, KSpace)
    assert KSpace in EstimateSensitivities(unaccelerated="pass").types().makes
    assert KSpace not in EstimateSensitivities().types().makes


def test_one_coil_has_maps_of_ones_and_no_signal_maps_of_zeros(scans):
    scan = scans.Scan(**{**PLAIN, "coils": 1})
    (out,) = calibrate(scans, scan, acquired(scan, range(32))[0])
    np.testing.assert_allclose(out.sensitivities, 1, atol=1e-5)
    warning, out = calibrate(scans, scan, acquired(scan, range(32), scale=0)[0], texts=True)
    assert warning.text == "WRN estimate_sensitivities: slice 0 has no signal: its maps are zero"
    assert not out.sensitivities.any()


def test_k_space_that_is_not_finite_and_devices_that_are_not_there_are_refused(scans):
    scan = scans.Scan(**PLAIN)
    block, _ = acquired(scan, range(32))
    with pytest.raises(ConfigurationError, match="cuda:99"):
        calibrate(scans, scan, block, device="cuda:99")
    with pytest.raises(DataError, match="not finite"):
        calibrate(scans, scan, replace(block, samples=block.samples * np.float32(np.nan)))
