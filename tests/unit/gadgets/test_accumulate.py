import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echotrain.engine.errors import DataError, LimitExceeded
from echotrain.engine.messages import Preparation, Readouts, Text
from echotrain.engine.records import Key, KSpace
from echotrain.gadgets.accumulate import Accumulate

PLAIN = {"matrix": (8, 8, 1), "fov": (200, 200, 5)}
"""A scan without oversampling."""


def kspaces(out):
    return [m for m in out if isinstance(m, KSpace)]


def texts(out):
    return [m.text for m in out if isinstance(m, Text)]


def expected(block):
    """(coils, 1, ky, kx) of a block that holds each line once."""
    grid = np.zeros((1, 8, *block.samples.shape[1:]), np.complex64)
    for head, line in zip(block.headers, block.samples, strict=True):
        grid[0, head["idx"]["kspace_encode_step_1"]] = line
    return np.moveaxis(grid, 2, 0)


def test_an_image_ends_by_count_with_its_last_line_and_not_before(scans):
    scan = scans.Scan(**PLAIN)
    block = scan.all_lines()
    gadget = Accumulate()
    gadget.start(scan.context())
    assert list(gadget.receive(block[:7])) == []
    (kspace,) = gadget.receive(block[7:])
    assert list(gadget.finish()) == []
    np.testing.assert_array_equal(kspace.data, expected(block))
    assert kspace.complete
    assert kspace.sampled.all()
    assert kspace.key == Key()
    assert kspace.readouts == 8
    assert kspace.header["scan_counter"] == 104, "the line nearest the centre"


@pytest.mark.parametrize("flag", ["LAST_IN_SLICE", "LAST_IN_REPETITION", "LAST_IN_MEASUREMENT"])
def test_an_image_ends_by_flag_zero_filled_and_that_is_said(scans, flag):
    scan = scans.Scan(**PLAIN)
    block = scan.readouts([0, 1, 2, 4, 5])
    block.headers["flags"][4] = scans.bit(flag)
    gadget = Accumulate()
    gadget.start(scan.context())
    warning, kspace = gadget.receive(block)
    assert warning.text == "WRN accumulate: slice 0 is incomplete: 3 of 8 lines are missing and zero"
    assert (kspace.complete, kspace.missing) == (False, 3)
    np.testing.assert_array_equal(kspace.sampled[0], [1, 1, 1, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(kspace.data, expected(block))
    assert "3 lines missing, zero-filled" in kspace.history[-1]


def test_images_that_have_no_end_end_with_the_scan_in_the_order_of_their_keys(scans):
    scan = scans.Scan(**PLAIN)
    out = scans.run(scan, Accumulate(), scan.readouts([4], slice=2), scan.readouts([4], slice=1))
    assert [k.key.slice for k in kspaces(out)] == [1, 2]


def test_a_new_repetition_of_a_slice_ends_the_one_before_and_no_other_slice(scans):
    scan = scans.Scan(**PLAIN)
    gadget = Accumulate()
    gadget.start(scan.context())
    list(gadget.receive(scan.readouts([4], slice=0)))
    list(gadget.receive(scan.readouts([4], slice=1)))
    out = list(gadget.receive(scan.readouts([4], slice=0, repetition=1)))
    assert [k.key for k in kspaces(out)] == [Key(slice=0, repetition=0)]


def test_interleaved_echoes_do_not_end_one_another_unless_the_chain_says_that_contrasts_are_sequential(scans):
    scan = scans.Scan(**PLAIN)
    stream = scan.readouts(np.repeat(np.arange(8), 2))
    stream.headers["idx"]["contrast"] = np.tile([0, 1], 8)
    out = kspaces(scans.run(scan, Accumulate(), stream))
    assert [(k.key.contrast, k.complete) for k in out] == [(0, True), (1, True)]
    first, second = scan.readouts([0, 1], contrast=0), scan.readouts([0], contrast=1)
    gadget = Accumulate(sequential=("repetition", "contrast"))
    gadget.start(scan.context())
    assert len(kspaces(gadget.receive(scans.joined(first, second)))) == 1


def test_interleaved_slices_are_told_apart_and_leave_as_they_become_complete(scans):
    scan = scans.Scan(**PLAIN)
    stream = scan.readouts(np.repeat(np.arange(8), 3))
    stream.headers["idx"]["slice"] = np.tile([2, 0, 1], 8)
    out = kspaces(scans.run(scan, Accumulate(), stream))
    assert [k.key.slice for k in out] == [2, 0, 1]
    np.testing.assert_array_equal(out[0].data, expected(stream[::3]))


def test_averages_are_averaged_and_promised_ones_awaited(scans):
    scan = scans.Scan(**PLAIN, limits={"average": scans.Limit(0, 1, 0)})
    one, two = scan.all_lines(average=0), scan.all_lines(average=1, seed=1)
    one.headers["flags"][-1] = scans.bit("LAST_IN_SLICE")  # as writers do that flag the end of every average
    gadget = Accumulate()
    gadget.start(scan.context())
    assert list(gadget.receive(one)) == []
    (kspace,) = gadget.receive(two)
    np.testing.assert_allclose(kspace.data, (expected(one) + expected(two)) / 2, rtol=1e-6)
    assert kspace.readouts == 16
    apart = kspaces(scans.run(scan, Accumulate(split_averages=True), one, two))
    assert [k.key.average for k in apart] == [0, 1]
    np.testing.assert_array_equal(apart[1].data, expected(two))


def test_a_line_that_comes_twice_is_averaged_or_replaced_and_counted(scans):
    scan = scans.Scan(**PLAIN)
    stream = scans.joined(scan.readouts([0, 1, 1]), scan.readouts(range(2, 8), seed=1))
    (kspace,) = kspaces(scans.run(scan, Accumulate(), stream))
    np.testing.assert_allclose(kspace.data[:, 0, 1], stream.samples[1:3].mean(0), rtol=1e-6)
    assert "1 lines came more often than promised (average)" in kspace.history[-1]
    (kspace,) = kspaces(scans.run(scan, Accumulate(duplicates="last"), stream))
    np.testing.assert_array_equal(kspace.data[:, 0, 1], stream.samples[2])


def test_segments_share_an_image_unless_the_chain_splits_them(scans):
    scan = scans.Scan(**PLAIN)
    block = scan.all_lines()
    block.headers["idx"]["segment"] = np.arange(8) % 2
    assert len(kspaces(scans.run(scan, Accumulate(), block))) == 1
    assert [k.key.segment for k in kspaces(scans.run(scan, Accumulate(split_segments=True), block))] == [0, 1]


def test_lines_of_an_image_that_has_ended_begin_it_again_and_that_is_said(scans):
    scan = scans.Scan(**PLAIN)
    one, two = scan.all_lines(), scan.all_lines(seed=1)
    out = scans.run(scan, Accumulate(), scans.joined(one, two))
    _, second = kspaces(out)
    np.testing.assert_array_equal(second.data, expected(two))
    assert "pass 2" in second.history[-1]
    assert any("came again (pass 2)" in text for text in texts(out))


def test_partitions_make_a_volume(scans):
    scan = scans.Scan(matrix=(8, 8, 5), recon=(8, 8, 5), fov=(200, 200, 5))
    (kspace,) = kspaces(scans.run(scan, Accumulate(), scan.all_lines()))
    assert kspace.data.shape == (3, 5, 8, 8)
    assert kspace.sampled.shape == (5, 8)
    assert tuple(kspace.header["idx"]["kspace_encode_step_2"].reshape(1)) == (2,)


def test_partial_fourier_lines_are_centred_by_the_encoding_limits(scans):
    scan = scans.Scan(**PLAIN, lines=scans.Limit(0, 5, 2))
    block = scan.readouts(range(6))
    (kspace,) = kspaces(scans.run(scan, Accumulate(), block))
    np.testing.assert_array_equal(kspace.sampled[0], [0, 0, 1, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(kspace.data[:, 0, 4], block.samples[2])
    assert kspace.complete, "the limits promise no more"


def test_a_line_beyond_the_grid_is_refused_with_the_lines_that_fit(scans):
    scan = scans.Scan(**PLAIN, lines=scans.Limit(0, 7, 0))
    with pytest.raises(DataError, match=r"kspace_encode_step_1 4; .* centre at 0 .* matrix of 8 holds 0 to 3"):
        scans.run(scan, Accumulate(), scan.all_lines())


def test_asymmetric_echoes_lie_right_of_the_centre_and_leave_columns_empty(scans):
    scan = scans.Scan(**PLAIN)
    block = scan.readouts(range(8), samples=6, center_sample=2)
    (kspace,) = kspaces(scans.run(scan, Accumulate(), block))
    assert kspace.sampled_columns == slice(2, 8)
    assert not kspace.data[..., :2].any()
    np.testing.assert_array_equal(kspace.data[:, 0, 3, 4], block.samples[3, :, 2])


def test_reversed_readouts_are_turned_round(scans):
    scan = scans.Scan(**PLAIN)
    block = scan.all_lines()
    block.headers["flags"][1::2] = scans.bit("IS_REVERSE")
    (kspace,) = kspaces(scans.run(scan, Accumulate(), block))
    np.testing.assert_array_equal(kspace.data[:, 0, 1], block.samples[1, :, ::-1])
    np.testing.assert_array_equal(kspace.data[:, 0, 2], block.samples[2])


def accelerated(scans, **options):
    return scans.Scan(**PLAIN, acceleration=(2, 1), **options)


@pytest.mark.parametrize("offset", [0, 1])
def test_with_an_acceleration_every_second_line_completes_the_image(scans, offset):
    scan = accelerated(scans)
    gadget = Accumulate()
    gadget.start(scan.context())
    (kspace,) = gadget.receive(scan.readouts(range(offset, 8, 2)))
    assert kspace.complete
    assert kspace.sampled[0, offset::2].all()


def test_calibration_lines_are_kept_apart_and_those_that_are_both_go_to_both(scans):
    scan = accelerated(scans, calibration_mode="embedded")
    block = scan.readouts([0, 2, 3, 4, 5, 6])
    block.headers["flags"] = [0, 0, scans.bit("IS_PARALLEL_CALIBRATION"), 0, scans.bit("IS_PARALLEL_CALIBRATION"), 0]
    block.headers["flags"][3] = scans.bit("IS_PARALLEL_CALIBRATION_AND_IMAGING")
    (kspace,) = kspaces(scans.run(scan, Accumulate(), block))
    np.testing.assert_array_equal(kspace.sampled[0], [1, 0, 1, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(kspace.calibration_sampled[0], [0, 0, 0, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(kspace.calibration[:, 0, 4], kspace.data[:, 0, 4])
    assert not kspace.data[:, 0, 3].any()


def test_calibration_lines_that_the_header_promises_are_awaited(scans):
    scan = accelerated(scans, calibration_mode="separate")
    gadget = Accumulate()
    gadget.start(scan.context())
    assert list(gadget.receive(scan.readouts(range(0, 8, 2)))) == []
    list(gadget.receive(scan.readouts([3, 4, 5], flags=scans.bit("IS_PARALLEL_CALIBRATION"))))
    (kspace,) = gadget.finish()
    assert kspace.calibration_sampled.sum() == 3
    assert kspace.complete


def test_a_random_mask_with_as_many_lines_as_the_acceleration_promises_is_complete(scans):
    scan = accelerated(scans)
    (kspace,) = kspaces(scans.run(scan, Accumulate(), scan.readouts([0, 3, 4, 5])))
    assert kspace.complete


def test_calibration_lines_alone_make_no_image_but_a_warning(scans):
    scan = accelerated(scans)
    out = scans.run(scan, Accumulate(), scan.readouts([3, 4], flags=scans.bit("IS_PARALLEL_CALIBRATION")))
    assert kspaces(out) == []
    assert texts(out) == ["WRN accumulate: slice 0 has 2 calibration lines and no imaging line: no image"]


@pytest.mark.parametrize("kind", ["IS_NAVIGATION_DATA", "IS_PHASECORR_DATA", "IS_DUMMYSCAN_DATA"])
def test_other_readouts_are_counted_and_in_no_image(scans, kind):
    scan = scans.Scan(**PLAIN)
    out = scans.run(scan, Accumulate(), scan.readouts([3], samples=5, flags=scans.bit(kind)), scan.all_lines())
    assert kspaces(out)[0].readouts == 8
    assert "1 readouts" in texts(out)[0]


def test_a_measurement_may_end_with_a_readout_that_is_no_line(scans):
    scan = scans.Scan(**PLAIN)
    gadget = Accumulate()
    gadget.start(scan.context())
    list(gadget.receive(scan.readouts([4])))
    end = scan.readouts([0], flags=scans.bit("IS_NAVIGATION_DATA") | scans.bit("LAST_IN_MEASUREMENT"))
    assert len(kspaces(gadget.receive(end))) == 1


def test_a_grid_beyond_the_limit_is_refused_before_it_is_made(scans):
    scan = scans.Scan(matrix=(60_000, 60_000, 60_000))
    with pytest.raises(LimitExceeded, match="at most 4294967296 are allowed"):
        scans.run(scan, Accumulate(), scan.readouts([0], samples=16))


def test_a_chain_may_lower_the_engines_limit_and_never_raise_it(scans):
    scan = scans.Scan(**PLAIN)
    nbytes = 8 * 3 * 64
    assert scans.run(scan, Accumulate(kspace_bytes=10 * nbytes), scan.all_lines(), kspace_bytes=nbytes)
    for gadget, limit in (
        (Accumulate(kspace_bytes=10 * nbytes), nbytes - 1),
        (Accumulate(kspace_bytes=nbytes - 1), nbytes),
    ):
        with pytest.raises(LimitExceeded, match=f"at most {nbytes - 1} are allowed"):
            scans.run(scan, gadget, scan.all_lines(), kspace_bytes=limit)


def test_too_many_images_begun_at_once_are_refused(scans):
    scan = scans.Scan(**PLAIN)
    lines = [scan.readouts([0], slice=number) for number in range(3)]
    with pytest.raises(LimitExceeded, match="2 images have begun and not ended"):
        scans.run(scan, Accumulate(kspace_bytes=8 * 3 * 64, open_images=2), *lines)


def test_trajectory_types_that_are_no_grid_are_refused(scans):
    scan = scans.Scan(**PLAIN, trajectory="radial")
    with pytest.raises(DataError, match="encoding 0 is 'radial'; accumulate grids only cartesian and epi"):
        scans.run(scan, Accumulate(), scan.readouts([0]))
    scan = scans.Scan(**PLAIN, trajectory="epi")
    block = scan.readouts([0])
    ramps = Readouts(block.headers, block.samples, np.zeros((1, 8, 2), np.float32))
    with pytest.raises(DataError, match="with trajectories: those need regridding"):
        scans.run(scan, Accumulate(), ramps)


def test_trajectories_beside_cartesian_readouts_are_not_used_and_that_is_said(scans):
    scan = scans.Scan(**PLAIN)
    block = scan.readouts(range(8))
    extra = Readouts(block.headers, block.samples, np.zeros((8, 8, 2), np.float32))
    (plain,) = kspaces(scans.run(scan, Accumulate(), block))
    out = scans.run(scan, Accumulate(), extra)
    (same,) = kspaces(out)
    assert np.array_equal(plain.data, same.data)
    assert "8 Cartesian readouts came with trajectories" in out[-1].text


def test_prepared_readouts_bring_their_grid_noise_and_history(scans):
    scan = scans.Scan()
    block = scan.readouts(range(8), samples=8, discard_pre=2)
    prepared = Readouts(block.headers, block.samples, prepared=Preparation(columns=8, history=("before",)))
    (kspace,) = kspaces(scans.run(scan, Accumulate(), prepared))
    assert kspace.encoding.encoded.matrix == (8, 8, 1)
    assert kspace.encoding.encoded.field_of_view[0] == 200
    assert kspace.sampled_columns == slice(2, 8)
    assert kspace.history[0] == "before"
    np.testing.assert_array_equal(kspace.data, expected(block))


def awkward(scans, scan):
    """Averages, duplicates, repetitions, flags, calibration, navigators, reversed and asymmetric readouts."""
    parts = [
        scan.readouts([0, 2, 4, 2, 2, 6], average=[0, 0, 0, 1, 2, 0]),
        scan.readouts([3, 4, 5], flags=scans.bit("IS_PARALLEL_CALIBRATION"), seed=1),
        scan.readouts([7], flags=scans.bit("IS_NAVIGATION_DATA"), seed=2),
        scan.readouts([1, 1, 3, 1, 5, 7, 1], repetition=1, slice=[0, 1, 0, 0, 0, 0, 1], seed=3),
        scan.readouts([0, 2, 4], repetition=2, flags=[0, scans.bit("IS_REVERSE"), 0], seed=4),
        scan.readouts([6, 0], repetition=2, slice=[0, 1], discard_pre=[0, 2], flags=[0, 1 << 24], seed=5),
        scan.readouts([2], repetition=2, slice=1, seed=6),
    ]
    return scans.joined(*parts)


def fingerprint(messages):
    return [
        m.text
        if isinstance(m, Text)
        else (
            m.key,
            np.ascontiguousarray(m.data).tobytes(),
            m.sampled.tobytes(),
            None if m.calibration is None else np.ascontiguousarray(m.calibration).tobytes(),
            m.header.tobytes(),
            m.sampled_columns,
            m.missing,
            m.readouts,
            m.history,
        )
        for m in messages
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    edges=st.lists(st.integers(1, 22), max_size=12),
    averages=st.integers(1, 3),
    mode=st.sampled_from([None, "embedded"]),
)
def test_nothing_depends_on_where_the_stream_is_cut(scans, edges, averages, mode):
    limits = {"average": scans.Limit(0, averages - 1, 0)}
    scan = accelerated(scans, calibration_mode=mode, limits=limits)
    stream = awkward(scans, scan)
    whole = scans.run(scan, Accumulate(), stream)
    assert len(kspaces(whole)) >= 4
    parts = scans.run(scan, Accumulate(), *scans.cut(stream, edges))
    assert fingerprint(parts) == fingerprint(whole)


def test_finished_k_space_is_let_go(scans):
    scan = scans.Scan(**PLAIN)
    gadget = Accumulate()
    gadget.start(scan.context())
    for repetition in range(20):
        assert len(kspaces(gadget.receive(scan.all_lines(repetition=repetition)))) == 1
        assert not any(stream.open for stream in gadget._streams.values())


readout = st.tuples(
    st.integers(0, 7),  # line
    st.integers(0, 1),  # slice
    st.sampled_from([0, 0, 0, 1]),  # repetition
    st.sampled_from([0, 0, 1]),  # contrast
    st.integers(0, 2),  # average
    st.sampled_from([0] * 12 + [1 << 7, 1 << 13, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 24]),  # flags
    st.sampled_from([0, 0, 0, 1]),  # discard_pre
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    stream=st.lists(readout, min_size=2, max_size=40),
    edges=st.lists(st.integers(1, 39), max_size=12),
    averages=st.integers(1, 2),
    mode=st.sampled_from([None, "separate"]),
    acceleration=st.integers(1, 3),
)
def test_nor_in_a_stream_without_any_order(scans, stream, edges, averages, mode, acceleration):
    limits = {"average": scans.Limit(0, averages - 1, 0)}
    scan = scans.Scan(**PLAIN, coils=1, acceleration=(acceleration, 1), calibration_mode=mode, limits=limits)
    names = ("slice", "repetition", "contrast", "average", "flags", "discard_pre")
    columns = dict(zip(names, list(zip(*stream, strict=True))[1:], strict=True))
    block = scan.readouts([line for line, *_ in stream], **columns)
    whole = scans.run(scan, Accumulate(), block)
    placed = sum(k.readouts for k in kspaces(whole))
    parts = scans.run(scan, Accumulate(), *scans.cut(block, [e for e in edges if e < len(block)]))
    assert fingerprint(parts) == fingerprint(whole)
    unplaced = sum(bool(flags & (1 << 22)) for *_, flags, _ in stream)
    lost = sum(int(t.split(" has ")[1].split()[0]) for t in texts(whole) if "no imaging line" in t)
    assert placed + unplaced + lost == len(stream), "every readout is in an image or accounted for"
