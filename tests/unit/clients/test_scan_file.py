import io
import sys
from types import SimpleNamespace

import h5py
import ismrmrd
import numpy as np
import pytest

from echotrain.clients.scan_file import read_scan, write_scan
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Close, ConfigName, Header, Readouts, Text, Waveform
from echotrain.engine.mrd_codec import encode_bytes
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, WAVEFORM_DTYPE

XML = (
    b"<ismrmrdHeader><encoding><encodedSpace><matrixSize><x>8</x><y>4</y><z>1</z></matrixSize></encodedSpace>"
    b"</encoding></ismrmrdHeader>"
)


def block(count, *, coils=2, samples=8, dims=0, first=0, seed=0):
    rng = np.random.default_rng(seed)
    headers = np.zeros(count, ACQUISITION_DTYPE)
    headers["version"] = 1
    headers["number_of_samples"] = samples
    headers["active_channels"] = headers["available_channels"] = coils
    headers["trajectory_dimensions"] = dims
    headers["scan_counter"] = headers["acquisition_time_stamp"] = np.arange(first, first + count)
    headers["idx"]["kspace_encode_step_1"] = np.arange(first, first + count)
    headers["idx"]["user"][:, 7] = 9
    headers["position"] = (1, 2, 3)
    data = rng.standard_normal((count, coils, samples, 2)).astype(np.float32).view(np.complex64)[..., 0]
    trajectory = rng.standard_normal((count, samples, dims)).astype(np.float32) if dims else None
    return Readouts(headers, data, trajectory)


def waveform(stamp, *, channels=2, samples=5):
    header = np.zeros((), WAVEFORM_DTYPE)
    header["version"], header["time_stamp"], header["channels"] = 1, stamp, channels
    header["number_of_samples"], header["waveform_id"] = samples, 2
    return Waveform(header, np.arange(channels * samples, dtype=np.uint32).reshape(channels, samples))


def joined(messages):
    readouts = [m for m in messages if isinstance(m, Readouts)]
    return np.concatenate([m.headers for m in readouts]), np.concatenate([m.samples for m in readouts])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scan.h5"
    write_scan(path, Header(XML), [block(10)])
    return path


def test_what_was_written_to_hdf5_is_read_back_bit_for_bit(tmp_path):
    original = [block(10, dims=2), waveform(9), block(3, samples=16, first=10, seed=1), waveform(11)]
    write_scan(tmp_path / "scan.h5", Header(XML), original)
    read = list(read_scan(tmp_path / "scan.h5").messages)
    assert [type(m) for m in read] == [Readouts, Waveform, Readouts, Waveform, Readouts]
    np.testing.assert_array_equal(read[0].headers, original[0].headers)
    np.testing.assert_array_equal(read[0].samples, original[0].samples)
    np.testing.assert_array_equal(read[0].trajectory, original[0].trajectory)
    np.testing.assert_array_equal(np.concatenate([read[2].samples, read[4].samples]), original[2].samples)
    np.testing.assert_array_equal(read[1].samples, original[1].samples)
    assert read[1].header == original[1].header


def test_the_ismrmrd_package_reads_what_we_write(tmp_path):
    scan = block(4, dims=3)
    write_scan(tmp_path / "scan.h5", Header(XML), [scan, waveform(2)])
    with ismrmrd.Dataset(tmp_path / "scan.h5", mode="r") as dataset:
        assert dataset.read_xml_header() == XML
        assert dataset.number_of_acquisitions() == 4
        acquisition = dataset.read_acquisition(3)
        np.testing.assert_array_equal(acquisition.data, scan.samples[3])
        np.testing.assert_array_equal(acquisition.traj, scan.trajectory[3])
        assert acquisition.idx.kspace_encode_step_1 == 3
        assert list(acquisition.position) == [1, 2, 3]
        np.testing.assert_array_equal(dataset.read_waveform(0).data, waveform(2).samples)


def test_we_read_what_the_ismrmrd_package_writes(tmp_path):
    rng = np.random.default_rng(3)
    data = rng.standard_normal((5, 2, 8)).astype(np.complex64)
    with ismrmrd.Dataset(tmp_path / "scan.h5") as dataset:
        dataset.write_xml_header(XML)
        for row in data:
            dataset.append_acquisition(ismrmrd.Acquisition.from_array(row))
        dataset.append_waveform(ismrmrd.Waveform.from_array(np.arange(6, dtype=np.uint32).reshape(2, 3)))
    scan = read_scan(tmp_path / "scan.h5")
    _, samples = joined(list(scan.messages))
    np.testing.assert_array_equal(samples, data)
    assert (scan.header.xml, scan.readouts) == (XML, 5)


def test_blocks_are_cut_at_the_size_asked_for_and_hold_the_same_data(file):
    whole, cut = list(read_scan(file).messages), list(read_scan(file, block_readouts=3).messages)
    assert [len(m) for m in whole] == [10]
    assert [len(m) for m in cut] == [3, 3, 3, 1]
    for a, b in zip(joined(whole), joined(cut), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_scan_in_a_file_can_be_read_twice(file):
    scan = read_scan(file)
    assert len(list(scan.messages)) == len(list(scan.messages)) == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"there is no file .*absent\.h5"):
        read_scan(tmp_path / "absent.h5")


def test_a_missing_group_is_reported_with_the_groups_there_are(file):
    with pytest.raises(ConfigurationError, match=r"no group 'raw'; its groups: dataset"):
        read_scan(file, group="raw")


@pytest.mark.parametrize("name", ["xml", "data"])
def test_a_group_without_header_or_readouts_is_no_raw_data(file, name):
    with h5py.File(file, "r+") as opened:
        del opened["dataset"][name]
    with pytest.raises(ConfigurationError, match=f"has no '{name}'.*it holds {'data' if name == 'xml' else 'xml'}"):
        read_scan(file)


def test_a_readout_of_the_wrong_length_is_named_with_got_and_expected(file):
    with h5py.File(file, "r+") as opened:
        data = opened["dataset/data"]
        record = data[7:8]
        record["data"][0] = record["data"][0][:-1]
        data[7:8] = record
    with pytest.raises(ConfigurationError, match=r"readout 7 of .* holds 31 values, expected 32 \(2 coils x 8 samples"):
        list(read_scan(file, block_readouts=5).messages)


def test_a_waveform_of_the_wrong_length_is_named(tmp_path):
    damaged = waveform(1)
    damaged.header["number_of_samples"] = 6
    write_scan(tmp_path / "scan.h5", Header(XML), [block(1), damaged])
    with pytest.raises(ConfigurationError, match=r"waveform 0 of .* holds 10 values, expected 12"):
        list(read_scan(tmp_path / "scan.h5").messages)


def test_a_truncated_hdf5_file_is_reported(file):
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ConfigurationError, match="truncated"):
        list(read_scan(file).messages)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("neither of the two")
    with pytest.raises(ConfigurationError, match="no whole MRD stream"):
        read_scan(tmp_path / "notes.txt")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.mrd").touch()
    with pytest.raises(ConfigurationError, match=r"neither MRD HDF5 nor an MRD stream|no whole MRD stream"):
        read_scan(tmp_path / "empty.mrd")


def test_an_image_does_not_fit_into_a_raw_data_file_and_leaves_none(tmp_path):
    with pytest.raises(ConfigurationError, match="got Text"):
        write_scan(tmp_path / "scan.h5", Header(XML), [block(2), Text("hello")])
    assert list(tmp_path.iterdir()) == []


def test_a_stream_file_is_read_back_with_its_configuration(tmp_path):
    original = [block(5), waveform(3), Text("a remark"), block(2, samples=4, seed=2)]
    write_scan(tmp_path / "scan.mrd", Header(XML), original, config=ConfigName("default"))
    scan = read_scan(tmp_path / "scan.mrd")
    read = list(scan.messages)
    assert (scan.config, scan.header) == (ConfigName("default"), Header(XML))
    np.testing.assert_array_equal(
        np.concatenate([m.samples for m in read if isinstance(m, Readouts) and m.samples.shape[2] == 8]),
        original[0].samples,
    )
    assert [m.text for m in read if isinstance(m, Text)] == ["a remark"]
    assert [m.header["time_stamp"] for m in read if isinstance(m, Waveform)] == [3]


def test_a_truncated_stream_gives_what_came_before_and_then_an_error(tmp_path):
    path = tmp_path / "scan.mrd"
    write_scan(path, Header(XML), [block(5)])
    path.write_bytes(path.read_bytes()[:-40])
    received = []
    with pytest.raises(ConfigurationError, match="no whole MRD stream"):
        received.extend(_until_error(read_scan(path).messages, received))
    assert sum(map(len, received)) == 4


def _until_error(messages, received):
    for message in messages:
        received.append(message)
    return ()


def test_data_before_the_header_are_refused(tmp_path):
    (tmp_path / "scan.mrd").write_bytes(encode_bytes(block(1)) + encode_bytes(Close()))
    with pytest.raises(ConfigurationError, match="Readouts before any header"):
        read_scan(tmp_path / "scan.mrd")


def test_a_stream_on_stdin_is_read_once(monkeypatch):
    stream = b"".join(map(encode_bytes, (ConfigName("null"), Header(XML), block(3), Close())))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(stream))))
    scan = read_scan("-")
    assert scan.header == Header(XML)
    assert sum(len(m) for m in scan.messages) == 3
    with pytest.raises(ConfigurationError, match="read once"):
        iter(scan.messages)


def test_a_stream_goes_to_stdout(monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    write_scan("-", Header(XML), [block(1)])
    assert out.getvalue() == b"".join(map(encode_bytes, (Header(XML), block(1), Close())))


def test_real_and_foreign_files_are_read_as_the_ismrmrd_package_reads_them(data):
    for name in ("brain_t1_7ch", "phantom_16ch", "phantom_gre_2ch", "shepp_logan_r2_acs16_noise_8ch"):
        path = data / "raw" / f"{name}.h5"
        headers, samples = joined(list(read_scan(path).messages))
        with ismrmrd.Dataset(path, mode="r") as dataset:
            last = dataset.number_of_acquisitions() - 1
            assert len(headers) == last + 1
            for number in (0, last):
                expected = dataset.read_acquisition(number)
                np.testing.assert_array_equal(samples[number], expected.data)
                assert headers[number].tobytes() == bytes(expected.getHead())
    scan = read_scan(data / "raw" / "brain_sim_odd_header.h5")
    assert parse_header(scan.header.xml).encodings[0].encoded.matrix == (256, 256, 1)
    trajectories = [m.trajectory.shape for m in scan.messages]
    assert sum(shape[0] for shape in trajectories) == 256
