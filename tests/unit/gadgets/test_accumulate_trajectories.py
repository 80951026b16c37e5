from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import DataError, LimitExceeded
from echotrain.engine.messages import Text
from echotrain.engine.records import Key, TrajectoryKSpace
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.accumulate_trajectories import AccumulateTrajectories
from echotrain.gadgets.check_readouts import CheckReadouts
from echotrain.gadgets.remove_oversampling import RemoveOversampling

SPOKES = {"matrix": (8, 8, 1), "fov": (200, 200, 5), "trajectory": "radial"}
"""A scan of 8 spokes, as the limits that ``Scan`` sets say."""


def spokes(scan, numbers, *, samples=20, dims=2, seed=0, **fields):
    block = scan.readouts(numbers, samples=samples, seed=seed, trajectory_dimensions=dims, **fields)
    rng = np.random.default_rng(seed)
    trajectory = rng.uniform(-0.5, 0.5, (len(block), samples, dims)).astype(np.float32)
    return replace(block, trajectory=trajectory)


def joined(*blocks):
    parts = {n: np.concatenate([getattr(b, n) for b in blocks]) for n in ("headers", "samples", "trajectory")}
    return replace(blocks[0], **parts)


def kspaces(out):
    return [m for m in out if isinstance(m, TrajectoryKSpace)]


def test_an_image_ends_by_count_with_its_last_readout_and_not_before(scans):
    scan = scans.Scan(**SPOKES)
    block = spokes(scan, range(8))
    gadget = AccumulateTrajectories()
    gadget.start(scan.context())
    assert list(gadget.receive(block[:7])) == []
    (kspace,) = gadget.receive(block[7:])
    assert list(gadget.finish()) == []
    np.testing.assert_array_equal(kspace.data, np.moveaxis(block.samples, 1, 0))
    np.testing.assert_array_equal(kspace.trajectory, block.trajectory)
    assert (kspace.key, kspace.complete, kspace.readouts) == (Key(), True, 8)
    assert kspace.header["scan_counter"] == 104, "the readout in the middle"


@pytest.mark.parametrize("flag", ["LAST_IN_SLICE", "LAST_IN_REPETITION", "LAST_IN_MEASUREMENT"])
def test_an_image_ends_by_flag_and_what_is_missing_is_said(scans, flag):
    scan = scans.Scan(**SPOKES)
    block = spokes(scan, [0, 1, 2, 4, 5])
    block.headers["flags"][4] = scans.bit(flag)
    gadget = AccumulateTrajectories()
    gadget.start(scan.context())
    warning, kspace = gadget.receive(block)
    assert "3 of 8 readouts are missing" in warning.text
    assert (kspace.complete, kspace.missing, kspace.readouts) == (False, 3, 5)


def test_averages_are_more_readouts_and_promised_ones_are_awaited(scans):
    scan = scans.Scan(**SPOKES, limits={"average": scans.Limit(0, 1, 0)})
    one, two = spokes(scan, range(8), average=0), spokes(scan, range(8), average=1, seed=1)
    one.headers["flags"][-1] = scans.bit("LAST_IN_SLICE")  # as writers do that flag the end of every average
    (kspace,) = kspaces(scans.run(scan, AccumulateTrajectories(), one, two))
    assert (kspace.readouts, kspace.complete) == (16, True)


def test_images_are_the_same_however_the_stream_is_cut(scans):
    scan = scans.Scan(**SPOKES, limits={"slice": scans.Limit(0, 1, 0)})
    first = spokes(scan, np.repeat(np.arange(8), 2))
    first.headers["idx"]["slice"] = np.tile([1, 0], 8)
    stream = joined(first, spokes(scan, range(8), seed=2, repetition=1), spokes(scan, range(8), seed=3, repetition=1))
    whole = scans.run(scan, AccumulateTrajectories(), stream)
    assert [(k.key.repetition, k.key.slice) for k in kspaces(whole)] == [(0, 1), (0, 0), (1, 0), (1, 0)]
    assert any("came again (pass 2)" in m.text for m in whole if isinstance(m, Text))
    for edges in (range(1, 32), (3, 9, 20)):
        parts = scans.run(scan, AccumulateTrajectories(), *scans.cut(stream, edges))
        assert [type(m) for m in parts] == [type(m) for m in whole]
        for a, b in zip(kspaces(parts), kspaces(whole), strict=True):
            assert (a.key, a.history, a.header.tobytes()) == (b.key, b.history, b.header.tobytes())
            np.testing.assert_array_equal(a.data, b.data)
            np.testing.assert_array_equal(a.trajectory, b.trajectory)


def test_discarded_samples_are_left_out(scans):
    scan = scans.Scan(**SPOKES)
    block = spokes(scan, range(8), discard_pre=2, discard_post=3)
    (kspace,) = kspaces(scans.run(scan, AccumulateTrajectories(), block))
    np.testing.assert_array_equal(kspace.data, np.moveaxis(block.samples[:, :, 2:17], 1, 0))
    np.testing.assert_array_equal(kspace.trajectory, block.trajectory[:, 2:17])


def test_a_trajectory_in_cycles_per_field_of_view_is_scaled_by_the_encoded_matrix(scans):
    scan = scans.Scan(**SPOKES)
    block = spokes(scan, range(8))
    wide = replace(block, trajectory=block.trajectory * 8)
    (kspace,) = kspaces(scans.run(scan, AccumulateTrajectories(unit="cycles_per_field_of_view"), wide))
    np.testing.assert_allclose(kspace.trajectory, block.trajectory, rtol=1e-6)
    with pytest.raises(
        DataError, match=r"reach [\d.]+ cycles per pixel, expected at most 0.5 .*cycles_per_field_of_view"
    ):
        scans.run(scan, AccumulateTrajectories(), wide)


def test_readouts_longer_than_the_matrix_pass_the_gadgets_before_unchanged(scans):
    scan = scans.Scan(**SPOKES | {"matrix": (16, 8, 1), "fov": (400, 200, 5)})
    block = spokes(scan, range(8), samples=50)
    out = scans.run(scan, [CheckReadouts(), RemoveOversampling()], block)
    np.testing.assert_array_equal(out[0].samples, block.samples)
    np.testing.assert_array_equal(out[0].trajectory, block.trajectory)


def test_noise_and_navigators_are_in_no_image(scans):
    scan = scans.Scan(**SPOKES)
    noise = scan.readouts([0], flags=scans.bit("IS_NOISE_MEASUREMENT"))
    navigator = scan.readouts([0], flags=scans.bit("IS_NAVIGATION_DATA"))
    out = scans.run(scan, AccumulateTrajectories(), noise, navigator, spokes(scan, range(8)))
    assert [k.readouts for k in kspaces(out)] == [8]
    assert "2 readouts" in out[-1].text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: replace(b, trajectory=None), "have no trajectory"),
        (lambda b: replace(b, trajectory=b.trajectory[..., :1]), "of 1 dimensions, expected 2"),
        (lambda b: replace(b, trajectory=b.trajectory * np.nan), "not finite"),
        (lambda b: replace(b, trajectory=b.trajectory + 1), "reach 1"),
    ],
)
def test_a_trajectory_that_cannot_be_used_is_refused(scans, change, message):
    scan = scans.Scan(**SPOKES)
    with pytest.raises(DataError, match=message):
        scans.run(scan, AccumulateTrajectories(), change(spokes(scan, range(8))))


def test_readouts_of_another_length_within_an_image_are_refused(scans):
    scan = scans.Scan(**SPOKES)
    with pytest.raises(DataError, match="3 coils and 21 samples, expected 3 and 20"):
        scans.run(scan, AccumulateTrajectories(), spokes(scan, range(4)), spokes(scan, range(4, 8), samples=21))


def test_each_gadget_that_gathers_names_the_other_for_what_it_does_not_take(scans):
    radial, cartesian = scans.Scan(**SPOKES), scans.Scan(**SPOKES | {"trajectory": "cartesian"})
    with pytest.raises(DataError, match="accumulate_trajectories gathers others"):
        scans.run(radial, Accumulate(), spokes(radial, range(8)))
    with pytest.raises(DataError, match="accumulate grids those"):
        scans.run(cartesian, AccumulateTrajectories(), cartesian.all_lines())


def test_memory_is_bounded(scans):
    scan = scans.Scan(**SPOKES)
    with pytest.raises(LimitExceeded, match="allowed are 1000"):
        scans.run(scan, AccumulateTrajectories(kspace_bytes=1000), spokes(scan, range(8)))
