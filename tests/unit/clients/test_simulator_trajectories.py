import json

import h5py
import ismrmrd
import numpy as np
import pytest

from echotrain.clients.scan_file import read_scan, write_scan
from echotrain.clients.simulator import scan_protocol, simulate
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Readouts
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import AcquisitionFlag

SMALL = {"matrix": (24, 20), "slices": 2, "coils": 3, "noise_samples": 64, "phantom": "shepp_logan"}
KINDS = [
    {"trajectory": "radial", "spokes": 10},
    {"trajectory": "spiral", "interleaves": 4, "undersampling": 2.0, "calibration": 8},
]


def scanned(**fields):
    return simulate(scan_protocol(SMALL | fields))


def lines(scan):
    """All imaging readouts as one block."""
    blocks = [m for m in scan.messages() if isinstance(m, Readouts)][1:]
    arrays = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("headers", "samples", "trajectory"))
    return Readouts(*arrays)


@pytest.mark.parametrize("fields", KINDS)
def test_samples_are_the_sum_over_pixels_of_what_the_coils_see(fields):
    scan = scanned(snr=None, **fields)
    block = lines(scan)
    ny, nx = scan.truth.images.shape[-2:]
    seen = scan.truth.images[0, 1] * scan.truth.sensitivities[1]
    chosen = block[block.headers["idx"]["slice"] == 1]
    k = chosen.trajectory.astype(float)
    along_y = np.exp(-2j * np.pi * k[..., 1, None] * (np.arange(ny) - ny // 2))
    along_x = np.exp(-2j * np.pi * k[..., 0, None] * (np.arange(nx) - nx // 2))
    direct = np.einsum("rsy,cyx,rsx->rcs", along_y, seen, along_x, optimize=True) / np.sqrt(ny * nx)
    assert np.linalg.norm(chosen.samples - direct) < 3e-6 * np.linalg.norm(direct)  # trajectories travel as float32


@pytest.mark.parametrize("fields", KINDS)
def test_the_closed_form_differs_from_the_image_by_its_pixels_alone(fields):
    common = {"coil_model": "uniform", "phase_strength": 0, "snr": None, "matrix": (128, 128), "slices": 1, **fields}
    raster, exact = (lines(scanned(exact_kspace=e, **common)) for e in (False, True))
    low = np.hypot(*np.moveaxis(raster.trajectory, -1, 0)) < 0.08  # edges of pixels are at high frequencies
    a, b = (np.moveaxis(block.samples, 1, -1)[low] for block in (raster, exact))
    assert np.linalg.norm(a - b) < 0.04 * np.linalg.norm(b)


@pytest.mark.parametrize("fields", KINDS)
def test_header_and_readouts_say_what_the_trajectory_is(fields):
    scan = scanned(repetitions=2, averages=2, **fields)
    xml = scan.header.xml
    assert ismrmrd.xsd.CreateFromDocument(xml).encoding[0].trajectory.value == fields["trajectory"]
    encoding = parse_header(xml).encodings[0]
    assert encoding.trajectory == fields["trajectory"]
    assert encoding.acceleration == (1, 1)
    assert encoding.encoded == encoding.recon
    block, count = lines(scan), scan.protocol.lines
    assert len(block) == count * 2 * 2 * 2
    assert (encoding.limits["kspace_encoding_step_1"].maximum, count) == (count - 1, 10 if "spokes" in fields else 4)
    assert sorted(set(block.headers["idx"]["kspace_encode_step_1"].tolist())) == list(range(count))
    assert (block.headers["trajectory_dimensions"] == 2).all()
    centre = int(block.headers["center_sample"][0])
    np.testing.assert_array_equal(block.trajectory[:, centre], 0)
    np.testing.assert_array_equal(block.trajectory, scan.truth.trajectory[block.headers["idx"]["kspace_encode_step_1"]])
    assert np.count_nonzero(block.headers["flags"] & AcquisitionFlag.LAST_IN_SLICE.bit) == 4
    assert block.samples.nbytes + 8 * 3 * 4 * 64 == scan.nbytes


def test_a_radial_scan_is_fully_sampled_unless_spokes_are_given_and_angles_may_be_golden():
    assert scanned(trajectory="radial").protocol.lines == 38
    first, second = scanned(trajectory="radial", angles="golden").truth.trajectory[:2, 0].astype(float)
    turned = np.degrees(np.angle(complex(*second) / complex(*first)))
    assert turned == pytest.approx(111.246, abs=1e-3)


@pytest.mark.parametrize("fields", KINDS)
@pytest.mark.parametrize("suffix", [".h5", ".mrd"])
def test_a_scan_with_trajectories_survives_a_file(tmp_path, fields, suffix):
    scan = scanned(**fields)
    write_scan(tmp_path / f"scan{suffix}", scan.header, scan.messages())
    blocks = [m for m in read_scan(tmp_path / f"scan{suffix}").messages if m.trajectory is not None]
    np.testing.assert_array_equal(np.concatenate([b.trajectory for b in blocks]), lines(scan).trajectory)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), lines(scan).samples)
    scan.truth.save(tmp_path / "truth.h5")
    with h5py.File(tmp_path / "truth.h5") as file:
        assert scan_protocol(json.loads(file.attrs["protocol"])) == scan.protocol
        np.testing.assert_array_equal(file["trajectory"], scan.truth.trajectory)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"trajectory": "spiral", "acceleration": 4}, "acceleration needs a Cartesian trajectory"),
        ({"trajectory": "spiral", "acceleration": 2}, "acceleration needs a Cartesian trajectory"),
        ({"trajectory": "radial", "partial_fourier": 0.75}, "partial_fourier needs a Cartesian trajectory"),
        ({"trajectory": "radial", "asymmetric_echo": 0.75}, "asymmetric_echo needs a Cartesian trajectory"),
        ({"trajectory": "radial", "mask": "random"}, "mask needs a Cartesian trajectory"),
        ({"trajectory": "radial", "acceleration_z": 2}, "need trajectory='3d'"),
        ({"trajectory": "spiral", "spokes": 8}, "spokes needs trajectory='radial'"),
        ({"interleaves": 8}, "interleaves needs trajectory='spiral'"),
        ({"trajectory": "radial", "undersampling": 2.0}, "undersampling needs trajectory='spiral'"),
        ({"trajectory": "spiral", "interleaves": 1, "oversampling": 8, "matrix": (512, 512)}, "at most 65535"),
    ],
)
def test_what_makes_no_sense_together_is_refused(fields, text):
    with pytest.raises(ConfigurationError, match=text):
        scan_protocol(fields)
