import numpy as np
import pytest

from echotrain.engine.errors import DataError
from echotrain.engine.messages import Readouts, Text
from echotrain.gadgets.check_readouts import CheckReadouts


def test_readouts_that_agree_with_the_header_pass_unchanged_and_aligned(scans):
    scan = scans.Scan(extra={"receiver_channels": 3})
    block = scan.all_lines()
    raw = np.empty(block.samples.nbytes + 1, np.uint8)
    unaligned = np.ndarray(block.samples.shape, "<c8", raw, 1)
    unaligned[:] = block.samples
    (out,) = scans.run(scan, CheckReadouts(), Readouts(block.headers, unaligned))
    assert out.samples.flags.aligned
    np.testing.assert_array_equal(out.samples, block.samples)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("number_of_samples", 15, r"number_of_samples is 15, expected 16 as its data have"),
        ("active_channels", 2, r"active_channels is 2, expected 3 as its data have"),
        ("encoding_space_ref", 1, r"encoding_space_ref is 1, expected less than 1"),
        ("kspace_encode_step_1", 8, r"idx.kspace_encode_step_1 is 8, expected 0 to 7"),
        ("kspace_encode_step_2", 1, r"idx.kspace_encode_step_2 is 1, expected 0 to 0"),
        ("slice", 3, r"idx.slice is 3, expected 0 to 2"),
    ],
)
def test_the_first_readout_that_contradicts_the_header_is_named(scans, field, value, text):
    scan = scans.Scan(limits={"slice": scans.Limit(0, 2, 0)})
    block = scan.all_lines()
    (block.headers["idx"] if field in block.headers["idx"].dtype.names else block.headers)[field][5] = value
    with pytest.raises(DataError, match=rf"readout 14 \(scan_counter 105\): {text}"):
        scans.run(scan, CheckReadouts(), scan.all_lines(), block)


def test_channels_other_than_the_headers_receiver_channels_are_refused(scans):
    scan = scans.Scan(extra={"receiver_channels": 4})
    with pytest.raises(DataError, match=r"active_channels is 3, expected 4 \(the header's receiverChannels\)"):
        scans.run(scan, CheckReadouts(), scan.all_lines())


def test_more_samples_than_the_encoded_matrix_are_refused_unless_they_are_to_be_discarded(scans):
    scan = scans.Scan()
    with pytest.raises(DataError, match=r"number_of_samples is 20, expected 1 to 16 \(encoded matrix x\)"):
        scans.run(scan, CheckReadouts(), scan.readouts([0], samples=20))
    assert scans.run(scan, CheckReadouts(), scan.readouts([0], samples=20, discard_pre=3, discard_post=1))
    with pytest.raises(DataError, match="number_of_samples is 16"):
        scans.run(scan, CheckReadouts(), scan.readouts([0], discard_pre=9, discard_post=7))


def test_a_change_of_samples_or_channels_in_mid_scan_is_refused(scans):
    scan = scans.Scan()
    with pytest.raises(DataError, match="number_of_samples is 12, expected 16 as earlier in encoding space 0"):
        scans.run(scan, CheckReadouts(), scan.readouts([0]), scan.readouts([1], samples=12))
    few = scans.Scan(coils=2)
    with pytest.raises(DataError, match="active_channels is 2, expected 3 as earlier in encoding space 0"):
        scans.run(scan, CheckReadouts(), scan.readouts([0]), few.readouts([1]))


@pytest.mark.parametrize("kind", ["IS_NOISE_MEASUREMENT", "IS_NAVIGATION_DATA", "IS_PHASECORR_DATA"])
def test_readouts_that_are_no_lines_may_have_another_shape_and_counters(scans, kind):
    scan = scans.Scan()
    odd = scan.readouts([999], samples=500, flags=scans.bit(kind))
    assert len(scans.run(scan, CheckReadouts(), scan.readouts([0]), odd, scan.readouts([1]))) == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, complex(0, np.nan), complex(0, -np.inf)])
def test_samples_that_are_no_finite_numbers_are_refused_with_their_count(scans, bad):
    scan = scans.Scan()
    block = scan.all_lines()
    block.samples[3, 1, 4:6] = bad
    with pytest.raises(DataError, match=r"readout 4 \(scan_counter 103\) has 2 samples that are no finite numbers"):
        scans.run(scan, CheckReadouts(), block)


def test_finite_samples_whose_sum_is_not_pass_unchanged(scans):
    scan = scans.Scan()
    block = scan.all_lines()
    block.samples[:] = np.finfo(np.float32).max
    (out,) = scans.run(scan, CheckReadouts(), block)
    np.testing.assert_array_equal(out.samples, block.samples)


def test_or_they_are_set_to_zero_and_counted(scans):
    scan = scans.Scan()
    block = scan.all_lines()
    block.samples[3, 1, 4], block.samples[6, 2, 0] = np.nan, complex(1, np.inf)
    expected = np.where(np.isfinite(block.samples), block.samples, 0)
    warning, *blocks, summary = scans.run(scan, CheckReadouts(non_finite="zero"), block[:5], block[5:])
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), expected)
    assert isinstance(warning, Text)
    assert warning.text.startswith("WRN check_readouts")
    assert "2 samples" in summary.text
    assert np.isnan(block.samples[3, 1, 4]), "a message must not be written to"


def test_an_empty_block_is_nothing(scans):
    scan = scans.Scan()
    assert scans.run(scan, CheckReadouts(), scan.readouts([0])[:0]) == []
