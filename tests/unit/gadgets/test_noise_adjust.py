import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echotrain.engine.errors import DataError
from echotrain.engine.messages import NoiseState, Readouts, Text
from echotrain.engine.noise_store import NoiseStore
from echotrain.gadgets.noise_adjust import NoiseAdjust

NOISE = {"flags": 1 << 18}


def blocks(out):
    return [m for m in out if isinstance(m, Readouts)]


def texts(out):
    return [m.text for m in out if isinstance(m, Text)]


def test_noise_readouts_of_the_scan_whiten_it_and_end_here(scans):
    scan = scans.Scan()
    noise = scan.readouts(range(8), samples=4096, sample_time_us=5, seed=3, **NOISE)
    mixed = Readouts(noise.headers, np.matmul(np.tri(3, dtype=np.complex64), noise.samples))
    imaging = scan.readouts(range(8), samples=4096, sample_time_us=5, seed=4)
    imaging = Readouts(imaging.headers, np.matmul(np.tri(3, dtype=np.complex64), imaging.samples))
    (out,) = scans.run(scan, NoiseAdjust(), mixed, imaging)
    flat = np.moveaxis(out.samples, 1, 0).reshape(3, -1)
    np.testing.assert_allclose(flat.real.std(axis=1), 1, atol=0.02)
    np.testing.assert_allclose(flat @ flat.conj().T / flat.shape[1] / 2, np.eye(3), atol=0.02)
    assert out.prepared.noise == NoiseState(prewhitened=True, source="this scan")
    assert "32768 noise samples" in out.prepared.history[-1]


def test_dwell_time_and_receiver_bandwidth_scale_the_result(scans):
    scan = scans.Scan(extra={"relative_receiver_noise_bandwidth": 0.79})
    noise, line = scan.readouts(range(4), samples=99, seed=3, **NOISE), scan.readouts([0])
    same = blocks(scans.run(scans.Scan(), NoiseAdjust(), noise, line))[0].samples
    slower = scan.readouts([0], sample_time_us=10)
    scaled = blocks(scans.run(scan, NoiseAdjust(), noise, slower))[0].samples
    np.testing.assert_allclose(scaled, same * np.sqrt(2 * 0.79), rtol=1e-5)


def test_without_noise_readouts_the_samples_pass_and_say_so(scans):
    scan = scans.Scan()
    block = scan.all_lines()
    (out,) = scans.run(scan, NoiseAdjust(), block)
    assert out.samples is block.samples
    assert out.prepared.noise == NoiseState()
    assert out.prepared.history == ("noise_adjust: not prewhitened (no noise readouts)",)


def test_a_noise_measurement_serves_the_scans_that_depend_on_it(scans):
    store = NoiseStore()
    first = scans.Scan(extra={"measurement_id": "n1"})
    noise = first.readouts(range(4), samples=99, seed=3, **NOISE)
    assert scans.run(first, NoiseAdjust(), noise, noise_store=store) == []
    second = scans.Scan(extra={"measurement_id": "s2", "measurement_dependencies": {"noise": "n1"}})
    (out,) = scans.run(second, NoiseAdjust(), second.readouts([0]), noise_store=store)
    (own,) = scans.run(first, NoiseAdjust(), noise, first.readouts([0]))
    np.testing.assert_array_equal(out.samples, own.samples)
    assert out.prepared.noise.source == "measurement n1"
    assert store.find("s2") is None


def test_noise_of_the_scan_itself_replaces_that_of_its_dependency(scans):
    store = NoiseStore()
    first = scans.Scan(extra={"measurement_id": "n1"})
    scans.run(first, NoiseAdjust(), first.readouts(range(4), samples=99, **NOISE), noise_store=store)
    second = scans.Scan(extra={"measurement_dependencies": {"noise": "n1"}})
    noise = second.readouts(range(4), samples=99, seed=7, **NOISE)
    (out,) = scans.run(second, NoiseAdjust(), noise, second.readouts([0]), noise_store=store)
    assert out.prepared.noise.source == "this scan"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda s: s[:, :, :2], "2 noise samples for 3 coils, expected at least 6"),
        (lambda s: s * np.array([1, 0, 1])[:, None], r"rank 2 for 3 coils; coils without any noise: \[1\]"),
        (lambda s: s[:, [0, 0, 2]], "rank 2 for 3 coils"),
        (lambda s: s * np.nan, "not finite"),
    ],
)
def test_noise_that_cannot_be_used_is_an_error_or_by_policy_a_warning(scans, spoil, reason):
    scan = scans.Scan()
    noise = scan.readouts([0], samples=200, **NOISE)
    noise = Readouts(noise.headers, spoil(noise.samples).astype(np.complex64))
    line = scan.readouts([0])
    with pytest.raises(DataError, match=reason):
        scans.run(scan, NoiseAdjust(), noise, line)
    out = scans.run(scan, NoiseAdjust(policy="ignore"), noise, line, line)
    assert [text.startswith("WRN noise_adjust: not prewhitening") for text in texts(out)] == [True]
    assert blocks(out)[0].samples is line.samples


def test_an_unknown_dependency_is_an_error_that_names_it_or_by_policy_a_warning(scans):
    scan = scans.Scan(extra={"measurement_dependencies": {"noise": "n77"}})
    with pytest.raises(DataError, match="measurement 'n77' is not known here"):
        scans.run(scan, NoiseAdjust(), scan.readouts([0]))
    out = scans.run(scan, NoiseAdjust(policy="ignore"), scan.readouts([0]))
    assert "n77" in texts(out)[0]
    assert "n77" in blocks(out)[0].prepared.history[0]


def test_other_coils_than_the_noise_readouts_have_are_refused(scans):
    scan, few = scans.Scan(), scans.Scan(coils=2)
    with pytest.raises(DataError, match="readouts have 2 coils, expected 3"):
        scans.run(scan, NoiseAdjust(), scan.readouts([0], samples=99, **NOISE), few.readouts([0]))


def test_noise_after_imaging_has_begun_is_counted_and_said(scans):
    scan = scans.Scan()
    noise = scan.readouts([0, 1], samples=99, **NOISE)
    out = scans.run(scan, NoiseAdjust(), noise, scan.readouts([0]), noise)
    assert "2 noise readouts came after imaging" in texts(out)[0]


def test_one_coil_is_scaled_to_unit_noise(scans):
    scan = scans.Scan(coils=1)
    noise = scan.readouts(range(4), samples=5000, **NOISE)
    scaled = Readouts(noise.headers, noise.samples * 7)
    line = scan.readouts([0], samples=5000)
    (out,) = scans.run(scan, NoiseAdjust(), scaled, scan.readouts([0])[:0], line)
    assert out.prepared.noise.prewhitened
    np.testing.assert_allclose(out.samples, line.samples / 7, rtol=0.02)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(edges=st.lists(st.integers(1, 14), max_size=8))
def test_block_edges_leave_no_bit_of_difference_even_between_noise_and_lines(scans, edges):
    scan = scans.Scan()
    stream = scans.joined(
        scan.readouts(range(7), seed=1, **NOISE), scan.readouts(range(4)), scan.readouts(range(4), sample_time_us=7)
    )
    whole = blocks(scans.run(scan, NoiseAdjust(), stream))
    parts = blocks(scans.run(scan, NoiseAdjust(), *scans.cut(stream, edges)))
    assert b"".join(b.samples.tobytes() for b in parts) == b"".join(b.samples.tobytes() for b in whole)
