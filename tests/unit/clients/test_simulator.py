import json

import h5py
import ismrmrd
import numpy as np
import pytest

from echotrain.clients.scan_file import read_scan, write_scan
from echotrain.clients.simulator import ScanProtocol, scan_protocol, simulate
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Readouts, Waveform
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import NOT_IMAGING, AcquisitionFlag

F = AcquisitionFlag
SMALL = {"matrix": (32, 24), "slices": 3, "coils": 4, "noise_samples": 64}


def scanned(**fields):
    return simulate(ScanProtocol(**(SMALL | fields)))


def acquired(scan, flag=None):
    """All lines as (headers, samples), without the noise measurement; those with a flag if one is given."""
    blocks = [m for m in scan.messages() if isinstance(m, Readouts)]
    blocks = blocks[bool(scan.protocol.noise_readouts) :]
    headers = np.concatenate([b.headers for b in blocks])
    samples = np.concatenate([b.samples for b in blocks])
    chosen = slice(None) if flag is None else headers["flags"] & flag.bit != 0
    return headers[chosen], samples[chosen]


def gathered(scan):
    """K-space (repetition, contrast, slice, kz, ky, coil, kx) of the imaging lines, as MRD says where they belong."""
    encoding = parse_header(scan.header.xml).encodings[0]
    nx, ny, nz = encoding.encoded.matrix
    protocol = scan.protocol
    slices = 1 if nz > 1 else protocol.slices
    grid = np.zeros((protocol.repetitions, protocol.contrasts, slices, nz, ny, protocol.coils, nx), np.complex128)
    count = np.zeros(grid.shape[:5])
    headers, samples = acquired(scan)
    imaging = headers["flags"] & NOT_IMAGING == 0
    index, first = headers["idx"][imaging], nx // 2 - headers["center_sample"][imaging][0]
    ky = index["kspace_encode_step_1"].astype(int) - encoding.limits["kspace_encoding_step_1"].center + ny // 2
    kz = index["kspace_encode_step_2"].astype(int) - encoding.limits["kspace_encoding_step_2"].center + nz // 2
    where = (index["repetition"], index["contrast"], index["slice"], kz, ky)
    np.add.at(grid, (*where, slice(None), slice(first, None)), samples[imaging])
    np.add.at(count, where, 1)
    return grid / np.maximum(count, 1)[..., None, None], count


def reconstructed(scan):
    """Root sum of squares of float64 FFTs, (repetition, contrast, slice, y, x)."""
    grid, _ = gathered(scan)
    axes = (3, 4, 6)
    images = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(grid, axes), axes=axes, norm="ortho"), axes)
    nx, wide = scan.protocol.matrix[0], grid.shape[-1]
    rss = np.sqrt(np.sum(np.abs(images[..., wide // 2 - nx // 2 :][..., :nx]) ** 2, axis=5))
    return rss[:, :, 0] if scan.protocol.trajectory == "3d" else rss[:, :, :, 0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"matrix": (33, 25), "oversampling": 3, "slices": 2},
        {"oversampling": 1, "contrasts": 2, "averages": 2, "repetitions": 2, "slice_loop": "every_tr", "tr_ms": 40},
        {"trajectory": "3d", "slices": 6, "contrasts": 2},
        {"trajectory": "3d", "slices": 5, "phantom": "shepp_logan"},
        {"phantom": "shepp_logan", "slice_order": "descending"},
        {"phantom": "shepp_logan", "exact_kspace": True, "coil_model": "uniform", "phase_strength": 0, "contrasts": 2},
    ],
)
def test_a_full_scan_without_noise_gives_back_the_truth(fields):
    scan = scanned(acceleration=1, snr=None, **fields)
    images = reconstructed(scan)
    for repetition in images:
        assert np.linalg.norm(repetition - scan.truth.rss) <= 1e-6 * np.linalg.norm(scan.truth.rss)


def test_the_closed_form_rings_about_the_image_that_it_is_of():
    fields = {"phantom": "shepp_logan", "coil_model": "uniform", "phase_strength": 0, "matrix": (128, 128), "slices": 1}
    exact, raster = (scanned(exact_kspace=e, **fields).truth.rss[0, 0] for e in (True, False))
    assert 0.02 < np.linalg.norm(exact - raster) / np.linalg.norm(raster) < 0.3
    np.testing.assert_allclose(exact[38:46, 60:68], raster[38:46, 60:68], atol=0.02)


def test_the_noise_in_the_lines_is_that_of_the_truth_and_the_noise_scan_that_of_the_receiver_band():
    fields = {"coils": 3, "noise_readouts": 64, "noise_samples": 512, "acceleration": 1, "noise_dwell_us": 5.0}
    scan = scanned(snr=5, **fields)
    _, noisy = acquired(scan)
    _, clean = acquired(scanned(snr=None, **fields))
    lines = (noisy - clean).transpose(1, 0, 2).reshape(3, -1).astype(complex)
    truth = scan.truth.noise_covariance
    tolerance = 0.05 * np.trace(truth).real / 3
    np.testing.assert_allclose(lines @ lines.conj().T / lines.shape[1], truth, atol=tolerance)
    first = next(scan.messages())
    assert (first.headers["flags"] == F.IS_NOISE_MEASUREMENT.bit).all()
    assert (first.headers["sample_time_us"] == 5).all()
    noise = first.samples.transpose(1, 0, 2).reshape(3, -1).astype(complex)
    expected = truth * (0.793 * scan.protocol.dwell_us / 5.0)
    np.testing.assert_allclose(
        noise @ noise.conj().T / noise.shape[1], expected, atol=0.05 * np.trace(expected).real / 3
    )


def test_the_snr_is_mean_signal_over_the_noise_of_a_real_part():
    scan = scanned(snr=20)
    signal = scan.truth.rss[0][scan.truth.rss[0] > 0.1 * scan.truth.rss[0].max()].mean()
    assert signal / scan.truth.noise_std == pytest.approx(20, rel=1e-5)
    assert np.trace(scan.truth.noise_covariance).real / 4 == pytest.approx(2 * scan.truth.noise_std**2)
    assert scanned(noise_std=0.25).truth.noise_std == 0.25


def test_the_same_seed_gives_the_same_scan_however_it_is_cut_and_another_seed_another():
    fields = {"waveforms": True, "repetitions": 2}
    _, whole = acquired(scanned(**fields))
    scan = scanned(**fields)
    cut = np.concatenate([m.samples for m in scan.messages(7) if isinstance(m, Readouts)][1:])
    np.testing.assert_array_equal(whole, cut)
    np.testing.assert_array_equal(acquired(scan)[1], cut)  # and again from the same object
    assert max(len(m) for m in scan.messages(7) if isinstance(m, Readouts)) == 7
    assert not np.array_equal(acquired(scanned(seed=1, **fields))[1], whole)


@pytest.mark.parametrize(
    "fields",
    [
        {"waveforms": True, "contrasts": 2, "calibration": 8},
        {
            "trajectory": "3d",
            "acceleration_z": 2,
            "averages": 2,
            "calibration_mode": "separate",
            "partial_fourier": 0.75,
        },
        {"acceleration": 1, "measurement_id": "a <b> & c", "repetitions": 3},
    ],
)
def test_the_header_is_valid_mrd_and_says_what_the_protocol_does(fields):
    scan = scanned(**fields)
    protocol = scan.protocol
    strict = ismrmrd.xsd.CreateFromDocument(scan.header.xml)
    assert strict.measurementInformation.measurementID == protocol.measurement_id
    assert strict.acquisitionSystemInformation.relativeReceiverNoiseBandwidth == protocol.noise_bandwidth
    assert len(strict.sequenceParameters.TE) == protocol.contrasts
    assert len(strict.waveformInformation) == (3 if protocol.waveforms else 0)
    ours = parse_header(scan.header.xml)
    encoding = ours.encodings[0]
    assert (ours.notes, ours.receiver_channels) == ((), protocol.coils)
    assert encoding.encoded.matrix[:2] == (2 * 32, 24)
    assert encoding.recon.matrix == (32, 24, 3 if protocol.trajectory == "3d" else 1)
    assert encoding.encoded.field_of_view[0] == 2 * encoding.recon.field_of_view[0]
    assert encoding.acceleration == (protocol.acceleration, protocol.acceleration_z)
    assert encoding.calibration_mode == (protocol.calibration_mode if protocol.accelerated else None)
    for name in ("average", "slice", "contrast", "repetition", "kspace_encode_step_1", "kspace_encode_step_2"):
        limit = encoding.limits[name.replace("encode", "encoding")]
        counters = acquired(scan)[0]["idx"][name]
        assert limit.minimum <= counters.min()
        assert counters.max() <= limit.maximum


def test_embedded_calibration_lines_say_whether_they_belong_to_the_image():
    scan = scanned(calibration=8, acceleration=3, slices=1)
    headers, _ = acquired(scan)
    ky = headers["idx"]["kspace_encode_step_1"].astype(int)
    only = headers["flags"] & F.IS_PARALLEL_CALIBRATION.bit != 0
    both = headers["flags"] & F.IS_PARALLEL_CALIBRATION_AND_IMAGING.bit != 0
    assert sorted(ky[only | both]) == list(range(8, 16))
    assert sorted(ky[~only]) == [0, 3, 6, 9, 12, 15, 18, 21]
    assert sorted(ky[both]) == [9, 12, 15]
    np.testing.assert_array_equal(np.flatnonzero(scan.truth.sampled[0, 0]), sorted(ky[~only]))


def test_a_separate_calibration_scan_comes_before_the_first_line():
    scan = scanned(calibration=6, calibration_mode="separate", slices=2, repetitions=2)
    headers, _ = acquired(scan)
    calibration = headers["flags"] & F.IS_PARALLEL_CALIBRATION.bit != 0
    assert calibration.tolist() == [True] * 12 + [False] * 48
    assert not (headers["flags"][calibration] & F.LAST_IN_SLICE.bit).any()


def test_an_interleaved_pattern_moves_with_the_repetition():
    scan = scanned(calibration=0, calibration_mode="interleaved", acceleration=2, repetitions=3, slices=1)
    lines = [np.flatnonzero(s[0]) for s in scan.truth.sampled]
    assert (lines[0] % 2 == 0).all()
    assert (lines[1] % 2 == 1).all()
    np.testing.assert_array_equal(lines[2], lines[0])


@pytest.mark.parametrize("mask", ["random", "poisson"])
def test_random_masks_hold_the_calibration_region_among_the_imaging_lines(mask):
    scan = scanned(mask=mask, calibration=6, acceleration=2, slices=1)
    headers, _ = acquired(scan)
    assert scan.truth.sampled[0, 0, 9:15].all()
    assert not (headers["flags"] & F.IS_PARALLEL_CALIBRATION.bit).any()
    assert scan.truth.sampled.sum() == pytest.approx(12, abs=1)


def test_partial_fourier_and_an_asymmetric_echo_leave_out_early_lines_and_samples_around_the_right_centre():
    fields = {"acceleration": 1, "snr": None, "slices": 1}
    full, _ = gathered(scanned(**fields))
    part, count = gathered(scanned(partial_fourier=0.75, asymmetric_echo=0.8, **fields))
    assert not count[..., :6].any()
    assert (count[..., 6:] == 1).all()
    assert not part[..., :12].any()
    np.testing.assert_array_equal(part[..., 6:, :, 12:], full[..., 6:, :, 12:])
    assert np.abs(part).max() == np.abs(full).max()


@pytest.mark.parametrize("loop", ["sequential", "every_tr"])
def test_flags_mark_first_and_last_of_slices_repetitions_and_the_measurement(loop):
    scan = scanned(acceleration=1, repetitions=2, averages=2, contrasts=2, slice_loop=loop, tr_ms=40)
    headers, _ = acquired(scan)
    for flag, groups in (
        (F.LAST_IN_SLICE, 12),
        (F.FIRST_IN_SLICE, 12),
        (F.LAST_IN_REPETITION, 2),
        (F.LAST_IN_AVERAGE, 24),
    ):
        assert np.count_nonzero(headers["flags"] & flag.bit) == groups, flag.name
    index = headers["idx"]
    for place in np.flatnonzero(headers["flags"] & F.LAST_IN_SLICE.bit):
        later = index[place + 1 :]
        same = [later[n] == index[n][place] for n in ("slice", "contrast", "repetition")]
        assert not np.logical_and.reduce(same).any()
    assert np.flatnonzero(headers["flags"] & F.LAST_IN_MEASUREMENT.bit).tolist() == [len(headers) - 1]
    assert headers["flags"][-1] & F.LAST_IN_REPETITION.bit


def test_slices_are_excited_in_the_order_asked_for_and_lie_where_they_should():
    scan = scanned(slices=4, acceleration=1, slice_thickness_mm=4.0, slice_gap_mm=2.0, centre_mm=(1.0, 2.0, 30.0))
    headers, _ = acquired(scan)
    assert headers["idx"]["slice"][::24].tolist() == [0, 2, 1, 3]
    np.testing.assert_allclose(headers["position"][::24], [[1, 2, z] for z in (21, 33, 27, 39)])
    frame = np.stack([headers[n][0] for n in ("read_dir", "phase_dir", "slice_dir")])
    np.testing.assert_array_equal(frame, np.eye(3))


def test_counters_and_time_stamps_follow_the_repetition_time():
    scan = scanned(acceleration=1, slices=2, tr_ms=50)
    blocks = [m for m in scan.messages() if isinstance(m, Readouts)]
    headers = np.concatenate([b.headers for b in blocks])
    np.testing.assert_array_equal(headers["scan_counter"], np.arange(scan.readouts) + 1)
    stamps = headers["acquisition_time_stamp"][scan.protocol.noise_readouts :].astype(int)
    assert stamps[0] == 36_000 / 0.0025 + 16
    np.testing.assert_array_equal(np.diff(stamps), 20)
    assert scan.duration_s == pytest.approx(0.04 + 48 * 0.05)
    assert sum(b.samples.nbytes for b in blocks) == scan.nbytes


@pytest.mark.parametrize("loop", ["sequential", "every_tr"])
def test_the_pace_of_readouts_fills_the_scans_duration(loop):
    scan = scanned(contrasts=2, tr_ms=40, slice_loop=loop, noise_readouts=0)
    assert scan.readout_ms * scan.readouts == pytest.approx(1000 * scan.duration_s, rel=0.02)


def test_waveforms_come_when_they_have_been_recorded():
    scan = scanned(waveforms=True, acceleration=1, tr_ms=20, slices=2)
    pieces, last_stamp = {0: [], 1: [], 2: []}, 0
    for message in scan.messages():
        if isinstance(message, Waveform):
            end = message.header["time_stamp"] + message.header["number_of_samples"]
            assert end >= last_stamp
            pieces[int(message.header["waveform_id"])].append(message)
            continue
        last_stamp = int(message.headers["acquisition_time_stamp"][-1])
    assert [len(p) for p in pieces.values()] == [3, 3, 3]
    assert [p[0].samples.shape[0] for p in pieces.values()] == [2, 2, 1]
    trigger = np.concatenate([p.samples[1] for p in pieces[0]])
    assert np.flatnonzero(trigger).tolist() == [0, 360]


@pytest.mark.parametrize("suffix", [".h5", ".mrd"])
def test_a_simulated_scan_survives_a_file(tmp_path, suffix):
    scan = scanned(waveforms=True, tr_ms=20)
    write_scan(tmp_path / f"scan{suffix}", scan.header, scan.messages())
    read = read_scan(tmp_path / f"scan{suffix}")
    blocks = [m for m in read.messages if isinstance(m, Readouts)]
    headers, samples = acquired(scan)
    count = sum(len(b) for b in blocks)
    assert count == scan.readouts == scan.scan().readouts
    noise = scan.protocol.noise_readouts  # of the lines' shape here, so the file's blocks may join them
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks])[noise:], samples)
    np.testing.assert_array_equal(np.concatenate([b.headers for b in blocks])[noise:], headers)
    assert read.header == scan.header
    waveforms = [m for m in scan.scan().messages if isinstance(m, Waveform)]
    assert len(waveforms) == sum(isinstance(m, Waveform) for m in read.messages) > 0


def test_the_truth_is_saved_with_its_axes_and_protocol(tmp_path):
    scan = scanned(contrasts=2)
    scan.truth.save(tmp_path / "truth.h5")
    with h5py.File(tmp_path / "truth.h5") as file:
        np.testing.assert_array_equal(file["images"], scan.truth.images)
        np.testing.assert_array_equal(file["rss"], scan.truth.rss)
        assert file["sensitivities"].shape == (3, 4, 24, 32)
        assert file["images"].attrs["axes"] == "contrast slice y x"
        assert ScanProtocol(**json.loads(file.attrs["protocol"])) == scan.protocol
    with pytest.raises(ConfigurationError, match="cannot be written"):
        scan.truth.save(tmp_path / "absent" / "truth.h5")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"coil": 8}, "coil: Extra inputs"),
        ({"matrix": (4, 256)}, "matrix.0: .*greater than or equal to 8, got 4"),
        ({"phantom": "file"}, "phantom_file go together"),
        ({"acceleration_z": 2}, "need trajectory='3d'"),
        ({"exact_kspace": True}, "exact_kspace needs"),
        ({"snr": 3, "noise_std": 1}, "not both"),
        ({"contrasts": 3, "tr_ms": 4}, "3 echoes 2.0 ms apart do not fit into the 4.0 ms"),
        ({"matrix": (2048, 64), "oversampling": 8, "partial_fourier": 0.5}, "partial_fourier: .*greater than 0.5"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused_by_field(fields, text):
    with pytest.raises(ConfigurationError, match=text):
        scan_protocol(fields)


def test_the_simulator_scans_real_images(data):
    path = data / "images" / "brains_val.h5"
    scan = scanned(
        phantom="file", phantom_file=path, first_image=5, slices=2, matrix=(256, 256), acceleration=1, snr=None
    )
    with h5py.File(path) as file:
        pictures = file["image"][5:7].astype(float)
    np.testing.assert_allclose(np.abs(scan.truth.images[0]), pictures / pictures.max(), atol=1e-6)
    assert np.linalg.norm(reconstructed(scan)[0] - scan.truth.rss) <= 1e-6 * np.linalg.norm(scan.truth.rss)
