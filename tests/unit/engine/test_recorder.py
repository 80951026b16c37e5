import io
import json

import ismrmrd
import numpy as np
import pytest

from echotrain.engine.errors import RecordingError
from echotrain.engine.messages import Close, ConfigName, Header, Readouts
from echotrain.engine.mrd_encode import encode_bytes
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.peer import Frame
from echotrain.engine.recorder import Recorder
from echotrain.engine.recordings import find_recording, list_recordings, look_through, read_frames, read_messages

XML = (
    b'<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><experimentalConditions>'
    b"<H1resonanceFrequency_Hz>1</H1resonanceFrequency_Hz></experimentalConditions></ismrmrdHeader>"
)


def readouts(count, coils=2, samples=8):
    headers = np.zeros(count, ACQUISITION_DTYPE)
    headers["number_of_samples"], headers["active_channels"] = samples, coils
    headers["scan_counter"] = np.arange(count)
    data = np.arange(count * coils * samples).reshape(count, coils, samples)
    return Readouts(headers, data.astype(np.complex64))


def frame(message):
    raw = encode_bytes(message)
    return Frame(message, raw, len(raw))


@pytest.fixture
def recorded(tmp_path):
    recorder = Recorder(tmp_path, "cafe0001", {"transport": "test"}, sync_seconds=0)
    for message in (ConfigName("default"), Header(XML), readouts(5), readouts(3), Close()):
        recorder.append(frame(message))
    recorder.close("completed", readouts=8)
    return tmp_path, recorder


def test_a_session_without_header_leaves_no_trace(tmp_path):
    recorder = Recorder(tmp_path, "cafe0002", {})
    recorder.append(frame(ConfigName("default")))
    recorder.append(frame(Close()))
    recorder.close("completed")
    assert list(tmp_path.iterdir()) == []


def test_the_ismrmrd_package_reads_a_recording(recorded):
    _, recorder = recorded
    with ismrmrd.ProtocolDeserializer(io.BytesIO(recorder.path.read_bytes())) as stream:
        items = list(stream.deserialize())
    assert items[0] == "default"
    acquisitions = [item for item in items if isinstance(item, ismrmrd.Acquisition)]
    assert [a.scan_counter for a in acquisitions] == [0, 1, 2, 3, 4, 0, 1, 2]
    assert np.array_equal(acquisitions[4].data, readouts(5).samples[4])


def test_the_sidecar_says_how_it_ended(recorded):
    folder, recorder = recorded
    about = json.loads((folder / f"{recorder.name}.json").read_text())
    assert about["outcome"] == "completed"
    assert about["readouts"] == 8
    assert about["transport"] == "test"


def test_messages_of_another_encoding_are_written_as_mrd(tmp_path):
    recorder = Recorder(tmp_path, "cafe0003", {})
    for message in (ConfigName("null"), Header(XML), readouts(2)):
        recorder.append(Frame(message, None, 100))
    recorder.close("completed")
    assert recorder.path.read_bytes() == b"".join(
        encode_bytes(m) for m in (ConfigName("null"), Header(XML), readouts(2))
    )


def test_what_was_written_is_on_disk_before_close(tmp_path):
    recorder = Recorder(tmp_path, "cafe0004", {}, sync_seconds=0)
    parts = [frame(m) for m in (ConfigName("null"), Header(XML), readouts(2))]
    for part in parts:
        recorder.append(part)
    assert recorder.path.read_bytes() == b"".join(p.raw for p in parts)
    assert json.loads(recorder.path.with_suffix(".json").read_text())["outcome"] == "open"
    recorder.close("completed")


def test_a_stretch_is_read_back_by_offset(tmp_path):
    recorder = Recorder(tmp_path, "cafe0005", {})
    places = [recorder.append(frame(m)) for m in (ConfigName("null"), Header(XML), readouts(4), readouts(7))]
    recorder.close("completed")
    (found,) = read_frames(recorder.path, *places[3])
    assert np.array_equal(found.message.samples, readouts(7).samples)
    with pytest.raises(RecordingError, match="ends inside the stretch"):
        list(read_frames(recorder.path, places[3][0], places[3][1] - 1))


def test_a_recording_cut_anywhere_is_read_to_its_last_whole_message(recorded):
    _, recorder = recorded
    whole = recorder.path.read_bytes()
    size = len(encode_bytes(readouts(1)))
    start = whole.index(encode_bytes(readouts(1))[:8])
    cut = recorder.path.with_name("cut.mrd")
    for end in range(start, len(whole), 37):
        cut.write_bytes(whole[:end])
        count = sum(len(m) for m in read_messages(cut) if isinstance(m, Readouts))
        assert count == min((end - start) // size, 8)


def test_looking_through_counts_and_finds_the_cut(recorded):
    folder, recorder = recorded
    contents = look_through(recorder.path)
    assert (contents.messages, contents.readouts, contents.closed, contents.cut_bytes) == (11, 8, True, 0)
    recorder.path.write_bytes(recorder.path.read_bytes()[:-10])
    assert look_through(recorder.path).cut_bytes > 0
    assert not look_through(recorder.path).closed
    assert [r.name for r in list_recordings(folder)] == [recorder.name]


def test_recordings_are_found_by_name_or_session_and_errors_list_them(recorded):
    folder, recorder = recorded
    assert find_recording(folder, "cafe").path == recorder.path
    assert find_recording(folder, recorder.name[:9]).path == recorder.path
    with pytest.raises(RecordingError, match=f"no recording .*{recorder.name}"):
        find_recording(folder, "beef")
    with pytest.raises(RecordingError, match="there is no folder"):
        list_recordings(folder / "none")


def test_a_disk_that_takes_nothing_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    recorder = Recorder(tmp_path / "file", "cafe0006", {})
    with pytest.raises(RecordingError, match="cannot be written"):
        recorder.append(frame(Header(XML)))
