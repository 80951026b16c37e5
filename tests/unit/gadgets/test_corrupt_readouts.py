from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echotrain.engine.errors import ChainError, DataError
from echotrain.engine.messages import Image, Readouts
from echotrain.engine.records import KSpace
from echotrain.engine.registry import Registry
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.accumulate_trajectories import AccumulateTrajectories
from echotrain.gadgets.add_noise import AddNoise
from echotrain.gadgets.check_readouts import CheckReadouts
from echotrain.gadgets.combine_coils import CombineCoils
from echotrain.gadgets.corrupt_readouts import CorruptReadouts
from echotrain.gadgets.make_images import MakeImages
from echotrain.gadgets.noise_adjust import NoiseAdjust
from echotrain.gadgets.reconstruct_fourier import ReconstructFourier
from echotrain.gadgets.remove_oversampling import RemoveOversampling
from echotrain.models.fourier import centred_fft
from echotrain.models.perturbation import specification as s

NOISE, REVERSE, NAVIGATION, CALIBRATION = 1 << 18, 1 << 21, 1 << 22, 1 << 19
EVERY_KIND = [
    s.Spikes(share=0.3, size=5),
    s.Interference(frequency=0.1, size=3),
    s.Dropped(share=0.3),
    s.Repeated(share=0.3),
    s.Reordered(share=0.5),
    s.Truncated(share=0.4, kept=0.3),
    s.CoilDropout(begin=3),
    s.GainDrift(change=0.5, period=10, coils="independent"),
    s.PhaseDrift(change=0.5, period=10, jitter=0.3),
    s.Motion(every=4, distance=8),
    s.Ghost(phase=0.4, delay=0.3),
    s.Clipping(size=1.5),
]


def stream(scans, scan):
    """Noise readouts, then two slices of lines among which are navigators and readouts read backwards."""
    noise = scan.readouts(range(4), flags=NOISE, seed=7, sample_time_us=10)
    flags = [0, REVERSE, NAVIGATION, 0, CALIBRATION, 0, REVERSE, 0]
    lines = [scan.readouts(range(8), flags=flags, seed=n, slice=n) for n in (0, 1)]
    return scans.joined(noise, *lines)


def bits(blocks):
    """Everything that readouts hold, whatever blocks they are in."""
    return b"".join(b.headers.tobytes() for b in blocks), b"".join(b.samples.tobytes() for b in blocks)


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda p: p.kind)
def test_readouts_are_bit_identical_however_the_stream_is_cut(scans, kind):
    scan = scans.Scan()
    whole = scans.run(scan, CorruptReadouts(perturbation=kind), stream(scans, scan), seed=5)
    assert bits(whole) != bits([stream(scans, scan)])
    for edges in (range(20), (1, 4, 6, 13), (3,)):
        parts = scans.run(scan, CorruptReadouts(perturbation=kind), *scans.cut(stream(scans, scan), edges), seed=5)
        assert bits(parts) == bits(whole)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=st.lists(st.integers(1, 19)), seed=st.integers(0, 2**63 - 1))
def test_any_cut_and_any_seed_will_do(scans, edges, seed):
    scan, kind = scans.Scan(), s.Spikes(share=0.5, size=1, unit="scan_noise", seed=seed)
    whole = scans.run(scan, CorruptReadouts(perturbation=kind), stream(scans, scan))
    parts = scans.run(scan, CorruptReadouts(perturbation=kind), *scans.cut(stream(scans, scan), edges))
    assert bits(parts) == bits(whole)


def test_noise_readouts_and_navigators_stay_unless_they_are_named(scans):
    scan = scans.Scan()
    before = stream(scans, scan)
    tone = {"kind": "interference", "frequency": 0.1, "size": 1.0, "unit": "absolute"}
    changed = {}
    for roles in (("imaging", "calibration"), ("imaging",), ("calibration",), ("noise",), ("other",)):
        gadget = CorruptReadouts(perturbation=s.Interference(**tone, readouts=roles))
        after = scans.joined(*scans.run(scan, gadget, before))
        changed[roles] = np.flatnonzero((after.samples != before.samples).any(axis=(1, 2))).tolist()
    assert changed[("noise",)] == [0, 1, 2, 3]
    assert changed[("other",)] == [6, 14]
    assert changed[("calibration",)] == [8, 16]
    assert changed[("imaging", "calibration")] == sorted({*range(4, 20)} - {6, 14})
    assert changed[("imaging",)] == sorted({*range(4, 20)} - {6, 14, 8, 16})


def test_the_seed_is_that_of_the_specification_or_else_of_the_session(scans):
    scan = scans.Scan()
    lines = scan.all_lines()

    def made(seed, session):
        gadget = CorruptReadouts(perturbation=s.Spikes(share=0.5, size=1, seed=seed))
        return bits(scans.run(scan, gadget, lines, seed=session))

    assert made(None, 4) == made(4, 9)
    assert made(None, 4) != made(None, 5)


@pytest.mark.parametrize(
    "nothing", [s.Spikes(share=0, size=1), s.Dropped(share=0), s.Reordered(share=0), s.Ghost(), s.Motion(every=2)]
)
def test_no_amount_passes_the_very_samples_under_a_label(scans, nothing):
    scan = scans.Scan()
    lines = scan.all_lines()
    (out,) = scans.run(scan, CorruptReadouts(perturbation=nothing), lines)
    assert out.samples is lines.samples
    assert out.headers is lines.headers
    assert out.prepared.variant == nothing.model_copy(update={"seed": 0}).label


def images_of(scans, scan, gadget, *messages, seed=5):
    chain = [
        CheckReadouts(),
        *([gadget] if gadget else []),
        NoiseAdjust(policy="ignore"),
        RemoveOversampling(),
        Accumulate(),
        ReconstructFourier(),
        CombineCoils(),
        MakeImages(),
    ]
    made = scans.run(scan, chain, *messages, seed=seed)
    return [message for message in made if isinstance(message, Image)]


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda p: p.kind)
def test_the_metadata_of_an_image_alone_make_the_same_perturbed_data_again(scans, kind):
    scan = scans.Scan()
    messages = [scan.readouts(range(4), flags=NOISE, seed=7, samples=64), scan.all_lines(seed=1)]
    (first,) = images_of(scans, scan, CorruptReadouts(perturbation=kind), *messages, seed=12)
    again = CorruptReadouts(from_metadata=first.meta["EchotrainPerturbation"])
    (second,) = images_of(scans, scan, again, *messages, seed=13)
    assert second.pixels.tobytes() == first.pixels.tobytes()
    assert second.meta["EchotrainPerturbation"] == first.meta["EchotrainPerturbation"]
    assert s.parse(first.meta["EchotrainPerturbation"]) == kind.model_copy(update={"seed": 12})
    (clean,) = images_of(scans, scan, None, *messages)
    assert (clean.pixels.tobytes() == first.pixels.tobytes()) == (kind.kind == "repeated"), "averaged duplicates"
    assert "EchotrainPerturbation" not in clean.meta


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda p: p.kind)
def test_clean_and_perturbed_go_side_by_side_and_neither_knows_of_the_other(scans, kind):
    scan = scans.Scan()
    messages = [scan.readouts(range(4), flags=NOISE, seed=7, samples=64), *scans.cut(scan.all_lines(seed=1), [3, 5])]
    both = images_of(scans, scan, CorruptReadouts(perturbation=kind, keep_clean=True), *messages)
    alone = images_of(scans, scan, CorruptReadouts(perturbation=kind), *messages)
    clean = images_of(scans, scan, None, *messages)
    found = {image.meta["EchotrainVariant"]: image for image in both}
    label = kind.model_copy(update={"seed": 5}).label
    assert set(found) == {"acquired", label}
    assert found["acquired"].pixels.tobytes() == clean[0].pixels.tobytes()
    assert found["acquired"].meta["EchotrainNoise"] == "prewhitened with this scan"
    assert found[label].pixels.tobytes() == alone[0].pixels.tobytes()
    assert found[label].header["image_series_index"] != found["acquired"].header["image_series_index"]
    missing = int(found[label].meta["EchotrainMissingLines"])
    assert (missing > 0) == (kind.kind == "dropped")
    assert found["acquired"].meta["EchotrainMissingLines"] == "0"


def test_perturbations_add_up_unless_only_the_acquired_are_asked_for(scans):
    scan = scans.Scan()
    first = CorruptReadouts(perturbation=s.GainDrift(change=1), keep_clean=True)

    def variants(second):
        out = scans.run(scan, [first, second], scan.all_lines())
        return {block.prepared.variant: block for block in out}

    every = variants(CorruptReadouts(perturbation=s.Ghost(phase=1), keep_clean=True))
    assert set(every) == {
        "acquired",
        "gain_drift(change=1, seed=0)",
        "ghost(phase=1, seed=0)",
        "gain_drift(change=1, seed=0)+ghost(phase=1, seed=0)",
    }
    texts = every["gain_drift(change=1, seed=0)+ghost(phase=1, seed=0)"].prepared.meta["EchotrainPerturbation"]
    assert [s.parse(text).kind for text in texts] == ["gain_drift", "ghost"]
    apart = variants(CorruptReadouts(perturbation=s.Ghost(phase=1), keep_clean=True, only_acquired=True))
    assert set(apart) == {"acquired", "gain_drift(change=1, seed=0)", "ghost(phase=1, seed=0)"}


def test_exchanged_lines_come_to_each_others_places_in_k_space(scans):
    scan = scans.Scan()
    gadgets = [CorruptReadouts(perturbation=s.Reordered(share=1)), Accumulate()]
    clean, exchanged = (
        next(m for m in scans.run(scan, chain, scan.all_lines()) if isinstance(m, KSpace)).data
        for chain in (gadgets[1:], gadgets)
    )
    np.testing.assert_array_equal(exchanged, clean[:, :, [1, 0, 3, 2, 5, 4, 7, 6]])


def test_lost_lines_are_zero_and_missing_and_repeated_ones_harmless(scans):
    scan = scans.Scan()
    spec = s.Dropped(share=0.5, seed=2)
    out = scans.run(scan, [CorruptReadouts(perturbation=spec), Accumulate()], scan.all_lines())
    (kspace,) = [m for m in out if isinstance(m, KSpace)]
    assert 0 < kspace.missing < 8
    assert not kspace.data[:, ~kspace.sampled].any()


def test_motion_goes_by_the_place_of_each_sample_in_readouts_read_backwards_too(scans):
    scan = scans.Scan()
    pixel = scan.fov[0] / scan.matrix[0]
    still = scan.all_lines()
    backwards = replace(still, samples=still.samples[:, :, ::-1], headers=still.headers.copy())
    backwards.headers["flags"] |= np.uint64(REVERSE)
    motion = s.Motion(every=99, positions=((2 * pixel, 0, 0),))
    found = [
        next(
            m for m in scans.run(scan, [CorruptReadouts(perturbation=motion), Accumulate()], block) if type(m) is KSpace
        )
        for block in (still, backwards)
    ]
    np.testing.assert_allclose(found[0].data, found[1].data, atol=1e-6)


def test_motion_before_and_after_oversampling_is_removed_is_the_same(scans):
    scan = scans.Scan()
    image = np.zeros((8, 3, 16), np.complex64)
    image[..., 6:9] = np.random.default_rng(0).standard_normal((8, 3, 3))  # x alone: lines are what they are
    lines = replace(scan.all_lines(), samples=centred_fft(image, (2,)))
    motion = s.Motion(every=4, positions=((0, 0, 0), (scan.fov[0] / 16, 30, 0)))
    crop = RemoveOversampling
    before, after, still = (
        np.concatenate([block.samples for block in scans.run(scan, chain, lines)])
        for chain in (
            [CorruptReadouts(perturbation=motion), crop()],
            [crop(), CorruptReadouts(perturbation=motion)],
            [crop()],
        )
    )
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert np.abs(after - still).max() > 0.1


def test_non_cartesian_readouts_are_gathered_apart_by_variant(scans):
    scan = scans.Scan(matrix=(16, 8, 1), trajectory="radial")
    rng = np.random.default_rng(0)
    spokes = scan.readouts(range(8))
    spokes = replace(spokes, trajectory=rng.uniform(-0.5, 0.5, (8, 16, 2)).astype(np.float32))
    gadget = CorruptReadouts(perturbation=s.Spikes(share=0.5, size=1, seed=1), keep_clean=True)
    out = scans.run(scan, [gadget, AccumulateTrajectories()], *scans.cut(spokes, [3]))
    assert sorted(k.variant for k in out) == ["acquired", "spikes(share=0.5, size=1, seed=1)"]
    assert all(k.readouts == 8 and k.missing == 0 for k in out)
    np.testing.assert_array_equal(np.moveaxis(out[0].data, 0, 1), spokes.samples)
    with pytest.raises(DataError, match="no Cartesian grid"):
        scans.run(scan, CorruptReadouts(perturbation=s.Motion(every=1, distance=1)), spokes)


def test_a_size_in_multiples_of_the_scans_noise_needs_it(scans):
    scan = scans.Scan()
    gadget = CorruptReadouts(perturbation=s.Interference(frequency=0.1, size=2))
    with pytest.raises(DataError, match="interference: the noise of the scan is not known"):
        scans.run(scan, gadget, scan.all_lines())
    gadget = CorruptReadouts(perturbation=s.Interference(frequency=0.1, size=2))
    noise = scan.readouts(range(8), samples=4096, flags=NOISE, seed=1)
    lines = scan.all_lines()
    *_, out = scans.run(scan, gadget, noise, lines)
    best = np.abs(out.samples - lines.samples).max()
    assert best == pytest.approx(2 * np.sqrt(2), rel=0.02), "random samples have a variance of 2"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "one of perturbation and from_metadata"),
        ({"perturbation": {"kind": "spike", "share": 0.1, "size": 1}}, "'spikes', 'interference', 'dropped'"),
        ({"perturbation": {"kind": "spikes", "share": 1.1, "size": 1}}, "less than or equal to 1"),
        ({"perturbation": {"kind": "spikes", "share": 0.1, "size": -1}}, "greater than or equal to 0"),
        ({"from_metadata": '{"kind":"noise","level":1}'}, "kind 'noise', expected one of spikes, interference"),
        ({"from_metadata": "spikes"}, "Invalid JSON"),
    ],
)
def test_a_chain_with_a_wrong_perturbation_is_not_built(options, told):
    with pytest.raises(ChainError, match=r"corrupt_readouts") as caught:
        Registry().make("corrupt_readouts", options)
    assert told in str(caught.value)


def test_a_session_that_is_perturbed_twice_has_noise_of_its_own_for_each_variant(scans):
    scan = scans.Scan()
    noise = scan.readouts(range(4), flags=NOISE, seed=7, samples=64)
    gadgets = [AddNoise(perturbation=s.Noise(level=0)), AddNoise(perturbation=s.Noise(level=1, unit="scan_noise"))]
    *_, out = scans.run(scan, gadgets, noise, scan.all_lines())
    assert isinstance(out, Readouts)
    assert out.prepared.variant == "noise(level=0, seed=0)+noise(level=1, unit=scan_noise, seed=0)"


def test_copies_that_differ_in_their_seed_alone_are_kept_apart(scans):
    scan = scans.Scan()
    gadgets = [
        CorruptReadouts(perturbation=s.Spikes(share=0.5, size=1, seed=n), keep_clean=True, only_acquired=True)
        for n in (1, 2)
    ]
    out = [m for m in scans.run(scan, [*gadgets, Accumulate()], scan.all_lines()) if isinstance(m, KSpace)]
    assert len(out) == 3
    assert len({m.variant for m in out}) == 3
    assert len({m.data.tobytes() for m in out}) == 3
