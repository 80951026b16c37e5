import pytest

from echotrain.engine.chain import Chain
from echotrain.engine.errors import ChainError
from echotrain.engine.messages import Text
from echotrain.gadgets.discard import Discard


def test_the_chosen_kinds_are_dropped_and_counted(scans, build):
    scan = scans.Scan()
    gadget = Discard(kinds=("readouts", "waveforms"))
    out = scans.run(scan, gadget, scan.all_lines(), build.waveform(), build.image(), build.waveform())
    assert type(out[0]).__name__ == "Image"
    assert out[1:] == [Text("DBG discard: 8 readouts, 2 waveforms dropped, as the chain asks")]


def test_other_kinds_pass(scans, build):
    waveform = build.waveform()
    block = build.readouts(2)
    assert scans.run(scans.Scan(), Discard(kinds=("images", "arrays")), waveform, block) == [waveform, block]


def test_a_chain_that_discards_only_waveforms_lets_readouts_reach_its_end_and_is_refused():
    with pytest.raises(ChainError, match="Readouts would reach the end"):
        Chain([("discard", Discard(kinds=("waveforms",)))])
    Chain([("discard", Discard(kinds=("waveforms", "readouts")))])


def test_nothing_is_said_where_nothing_came(scans):
    assert scans.run(scans.Scan(), Discard()) == []
