import pytest

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Text
from echotrain.gadgets.require_recording import RequireRecording


def test_without_a_recording_the_scan_is_refused_before_its_first_readout(scans):
    gadget = RequireRecording()
    with pytest.raises(ConfigurationError, match="start the engine with --record DIR"):
        gadget.start(scans.Scan().context())


def test_what_was_recorded_is_counted_and_named(scans, build):
    scan = scans.Scan()
    out = scans.run(scan, RequireRecording(), scan.all_lines(), build.waveform(), recording="r7")
    assert out == [Text("recorded 8 readouts and 1 waveforms as r7")]
