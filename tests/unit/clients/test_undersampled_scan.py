"""Fully sampled scans that are replayed as accelerated ones."""

from dataclasses import replace

import numpy as np
import pytest

from echotrain.clients.scan_file import Scan
from echotrain.clients.simulator import ScanProtocol, simulate
from echotrain.clients.undersampled_scan import undersampled_scan
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Header, Readouts
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import AcquisitionFlag
from echotrain.models.simulation.random_masks import uniform_lines

F = AcquisitionFlag
FIRST, LAST = (sum(flag.bit for flag in F if flag.name.startswith(name)) for name in ("FIRST_IN_", "LAST_IN_"))


def scan_of(**fields):
    made = simulate(
        ScanProtocol(**({"matrix": (32, 24), "slices": 3, "coils": 2, "noise_samples": 64, "acceleration": 1} | fields))
    )
    return Scan(header=made.header, messages=tuple(made.messages()), source="simulated")


def headers_of(scan):
    return np.concatenate([block.headers for block in scan.messages if isinstance(block, Readouts)])


def lines_of(scan):
    headers = headers_of(scan)
    return headers[headers["flags"] & np.uint64(F.IS_NOISE_MEASUREMENT.bit) == 0]


def samples_of(scan):
    return {
        (int(h["scan_counter"])): samples
        for block in scan.messages
        if isinstance(block, Readouts)
        for h, samples in zip(block.headers, block.samples, strict=True)
    }


@pytest.mark.parametrize("acceleration", [1, 2, 4])
def test_every_image_keeps_the_lines_of_the_mask_and_noise_stays(acceleration):
    whole = scan_of()
    left = undersampled_scan(whole, acceleration)
    headers = headers_of(left)
    noise = headers["flags"] & np.uint64(F.IS_NOISE_MEASUREMENT.bit) != 0
    assert noise.sum() == (headers_of(whole)["flags"] & np.uint64(F.IS_NOISE_MEASUREMENT.bit) != 0).sum() > 0
    expected = np.flatnonzero(uniform_lines(24, acceleration, np.random.default_rng(0)))
    for number in range(3):
        here = headers[~noise & (headers["idx"]["slice"] == number)]
        assert sorted(here["idx"]["kspace_encode_step_1"]) == expected.tolist()
    assert left.readouts == len(headers)


def test_what_is_left_is_what_was_measured_in_order_and_the_scan_itself_is_as_it_was():
    whole = scan_of()
    before = headers_of(whole).copy()
    left = undersampled_scan(whole, 3)
    all_samples = samples_of(whole)
    for counter, samples in samples_of(left).items():
        np.testing.assert_array_equal(samples, all_samples[counter])
    assert (np.diff(headers_of(left)["scan_counter"].astype(int)) > 0).all()
    np.testing.assert_array_equal(headers_of(whole), before)


@pytest.mark.parametrize("mask", ["uniform", "equispaced"])
def test_flags_of_the_first_and_last_line_pass_to_those_that_are_left(mask):
    whole, left = (lines_of(scan) for scan in (scan_of(), undersampled_scan(scan_of(), 4, mask=mask)))
    for number in range(3):
        flags, all_flags = (lines[lines["idx"]["slice"] == number]["flags"] for lines in (left, whole))
        assert flags[-1] & np.uint64(F.LAST_IN_SLICE.bit)
        assert flags[0] & np.uint64(F.FIRST_IN_SLICE.bit)
        assert not (flags[:-1] & np.uint64(LAST)).any()
        assert not (flags[1:] & np.uint64(FIRST)).any()
        assert np.bitwise_or.reduce(flags) == np.bitwise_or.reduce(all_flags)


@pytest.mark.parametrize("prefix", ["", "mrd:"])
@pytest.mark.parametrize("train", ["", "<PechoTrainLength>4</PechoTrainLength>"])
def test_the_header_says_so_where_the_schema_has_it(prefix, train):
    scan = scan_of()
    xml = scan.header.xml.decode()
    xml = xml.replace("</encoding>", train.replace("P", prefix) + "</encoding>")
    if prefix:
        tags = ("encoding>", "encodedSpace>", "reconSpace>", "encodingLimits>", "trajectory>", "parallelImaging>")
        for tag in tags:
            xml = xml.replace(f"<{tag}", f"<{prefix}{tag}").replace(f"</{tag}", f"</{prefix}{tag}")
        xml = xml.replace("<ismrmrdHeader ", '<ismrmrdHeader xmlns:mrd="http://www.ismrm.org/ISMRMRD" ')
    left = undersampled_scan(replace(scan, header=Header(xml.encode())), 4.2)
    said = left.header.xml.decode()
    (encoding,) = parse_header(left.header.xml).encodings
    assert encoding.acceleration == (4, 1)
    assert encoding.calibration_mode == "embedded"
    assert said.count("parallelImaging>") == 2
    if train:
        assert said.index("/" + prefix + "parallelImaging>") < said.index(prefix + "echoTrainLength>")


@pytest.mark.parametrize("acceleration", [0.5, float("nan"), -1])
def test_an_acceleration_that_is_none_is_refused(acceleration):
    with pytest.raises(ConfigurationError, match="expected a number of 1 or above"):
        undersampled_scan(scan_of(), acceleration)


@pytest.mark.parametrize("fields", [{"trajectory": "radial", "spokes": 20}, {"acceleration": 2}])
def test_what_is_not_cartesian_or_not_whole_is_refused(fields):
    with pytest.raises(ConfigurationError, match="only a fully sampled Cartesian scan can be undersampled"):
        undersampled_scan(scan_of(**fields), 4)


def test_a_header_that_cannot_be_told_is_refused():
    scan = scan_of()
    strange = scan.header.xml.replace(b"<encoding>", b"<encoding >")
    with pytest.raises(ConfigurationError, match="the acceleration cannot be put into it"):
        undersampled_scan(replace(scan, header=Header(strange)), 4)
