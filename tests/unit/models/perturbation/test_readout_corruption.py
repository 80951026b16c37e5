from itertools import pairwise

import numpy as np
import pytest

from echotrain.models.fourier import centred_fft, centred_ifft
from echotrain.models.perturbation import readout_kinds as k
from echotrain.models.perturbation.readout_block import ReadoutBlock
from echotrain.models.perturbation.readout_corruption import corrupted

NY, COILS, NX = 32, 2, 24
EXTENT = (240.0, 160.0, 5.0)


def kspace(seed=0):
    """(ky, coils, kx) of an object that fills part of the field of view."""
    rng = np.random.default_rng(seed)
    image = np.zeros((COILS, NY, NX), np.complex64)
    image[:, 8:20, 6:15] = rng.standard_normal((COILS, 12, 9)) + 1j * rng.standard_normal((COILS, 12, 9))
    return np.moveaxis(centred_fft(image, (1, 2)), 1, 0)


def image_of(samples):
    """(coils, y, x)."""
    return centred_ifft(np.moveaxis(samples, 0, 1), (1, 2))


def block(samples, **options):
    count, _, length = samples.shape
    lines = np.stack([np.arange(count) - count // 2, np.zeros(count, np.int64)], axis=1)
    columns = np.broadcast_to(np.array([0, length - 1]) - length // 2, (count, 2))
    given = {"numbers": np.arange(count), "steps": lines, "columns": columns, "extent": EXTENT, "scan_noise": 0.5}
    return ReadoutBlock(samples=samples, **{**given, **options})


SAMPLE_KINDS = [
    k.Spikes(share=0.3, size=5),
    k.Interference(frequency=0.1, size=3),
    k.Interference(frequency=0.1, size=3, unit="readout", phase="constant"),
    k.Truncated(share=0.4, kept=0.3),
    k.CoilDropout(begin=7),
    k.GainDrift(change=0.5, period=10, coils="independent"),
    k.PhaseDrift(change=0.5, period=10, jitter=0.3),
    k.Motion(every=4, distance=8),
    k.Ghost(phase=0.4, delay=0.3),
    k.Clipping(size=1.5, unit="readout"),
]


@pytest.mark.parametrize("kind", SAMPLE_KINDS, ids=lambda p: p.label)
def test_what_a_readout_gets_is_a_function_of_seed_and_number_alone(kind):
    whole = block(kspace())
    made = corrupted(whole, kind, 3)
    assert made.dtype == np.complex64
    assert (made != whole.samples).any()
    for edges in ((0, 1, 2, 31, 32), (0, 5, 32)):
        parts = []
        for a, b in pairwise(edges):
            names = ("samples", "numbers", "steps", "columns")
            parts.append(ReadoutBlock(**{n: getattr(whole, n)[a:b] for n in names}, extent=EXTENT, scan_noise=0.5))
        assert np.concatenate([corrupted(part, kind, 3) for part in parts]).tobytes() == made.tobytes()


@pytest.mark.parametrize("kind", SAMPLE_KINDS, ids=lambda p: p.label)
@pytest.mark.parametrize("apart", [0, 1, 85])
def test_what_a_readout_gets_is_the_same_to_the_bit_wherever_its_samples_lie(kind, apart):
    # as in a buffer of a stream, where each readout has a header before it
    samples = kspace()
    received = np.zeros((NY, apart + 2 * COILS * NX), np.float32)
    strided = received[:, apart:].view(np.complex64).reshape(samples.shape)
    strided[:] = samples
    assert corrupted(block(strided), kind, 3).tobytes() == corrupted(block(samples), kind, 3).tobytes()


@pytest.mark.parametrize("kind", SAMPLE_KINDS, ids=lambda p: p.label)
def test_samples_are_never_written_to(kind):
    samples = kspace()
    samples.flags.writeable = False
    before = samples.tobytes()
    corrupted(block(samples), kind, 3)
    assert samples.tobytes() == before


@pytest.mark.parametrize("kind", [p for p in SAMPLE_KINDS if p.kind not in {"ghost", "clipping", "gain_drift"}])
def test_another_seed_does_something_else(kind):
    if kind.kind == "coil_dropout":
        kind = k.CoilDropout(number=1)
        found = {corrupted(block(kspace()), kind, seed).tobytes() for seed in range(20)}
        assert len(found) == COILS
        return
    assert (corrupted(block(kspace()), kind, 3) != corrupted(block(kspace()), kind, 4)).any()


def test_a_spike_is_a_plane_wave_of_one_magnitude_in_each_coil():
    added = np.zeros((NY, COILS, NX), np.complex64)
    added[9] = corrupted(block(added[9:10]), k.Spikes(share=1, size=7, unit="absolute"), 5)
    assert np.count_nonzero(added) == COILS, "one sample, in both coils"
    np.testing.assert_allclose(np.abs(image_of(added)), 7 / np.sqrt(NX * NY), rtol=1e-5)


def test_spikes_are_as_many_and_as_large_as_stated():
    samples = np.full((5000, 1, 8), 2 + 0j, np.complex64)
    moved = np.abs(corrupted(block(samples), k.Spikes(share=0.1, size=3), 1) - samples)
    assert np.isclose(moved.max(axis=(1, 2)), 6, atol=1e-4).mean() == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 5000))
    assert (np.count_nonzero(moved, axis=2) <= 1).all()
    assert np.bincount(np.argwhere(moved)[:, 2], minlength=8).min() > 20, "anywhere in the readout"


def test_a_tone_with_random_phase_is_a_line_at_its_place_and_one_with_constant_phase_a_point():
    empty = block(np.zeros((NY, COILS, NX), np.complex64))
    frequency = 5 / NX
    line = image_of(corrupted(empty, k.Interference(frequency=frequency, size=2), 1))
    assert np.abs(np.delete(line, NX // 2 + 5, axis=2)).max() < 1e-5
    assert (np.abs(line[:, :, NX // 2 + 5]).std(axis=1) > 0).all()
    best = np.linalg.norm(line, axis=(1, 2)).max()
    assert best == pytest.approx(2 * 0.5 * np.sqrt(NX * NY), rel=1e-5), "0.5 is the scan's noise"
    point = image_of(corrupted(empty, k.Interference(frequency=frequency, size=2, phase="constant"), 1))
    assert np.argwhere(np.abs(point[0]) > 1e-4).tolist() == [[NY // 2, NX // 2 + 5]]


def test_truncated_readouts_keep_their_beginning():
    made = corrupted(block(kspace()), k.Truncated(share=1, kept=0.3), 1)
    kept = 8  # of 24, rounded up
    np.testing.assert_array_equal(made[:, :, :kept], kspace()[:, :, :kept])
    assert not made[:, :, kept:].any()


def test_silent_coils_are_zero_from_the_stated_readout_on():
    made = corrupted(block(kspace()), k.CoilDropout(coils=(1,), begin=10), 1)
    assert not made[10:, 1].any()
    np.testing.assert_array_equal(made[:10], kspace()[:10])
    np.testing.assert_array_equal(made[:, 0], kspace()[:, 0])


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (k.CoilDropout(coils=(2,)), "coils 0 to 1"),
        (k.CoilDropout(number=3), "3 coils are to go silent"),
        (k.Motion(every=1, distance=1), "field of view"),
        (k.Spikes(share=1, size=1, unit="scan_noise"), "not known"),
    ],
)
def test_what_the_readouts_lack_is_said(kind, told):
    with pytest.raises(ValueError, match=told):
        corrupted(block(kspace(), scan_noise=None, extent=(0, 0, 0)), kind, 1)


@pytest.mark.parametrize("kind", [k.Motion(every=1, distance=1), k.Ghost(phase=1)])
def test_readouts_on_no_grid_cannot_move_or_ghost(kind):
    with pytest.raises(ValueError, match="no Cartesian grid"):
        corrupted(block(kspace(), steps=None), kind, 1)


def test_gain_drifts_exponentially():
    made = corrupted(block(kspace()), k.GainDrift(change=3, period=16), 1)
    expected = kspace() * (4 ** (np.arange(NY) / 16))[:, None, None]
    np.testing.assert_allclose(made, expected, rtol=1e-6)


def test_phase_drifts_linearly_with_jitter_of_the_stated_deviation():
    made = corrupted(block(kspace()), k.PhaseDrift(change=1, period=16), 1)
    np.testing.assert_allclose(made, kspace() * np.exp(1j * np.arange(NY) / 16)[:, None, None], rtol=1e-5, atol=1e-6)
    many = np.ones((4000, 1, 1), np.complex64)
    angles = np.angle(corrupted(block(many), k.PhaseDrift(jitter=0.2), 1))
    assert angles.std() == pytest.approx(0.2, rel=5 / np.sqrt(2 * 4000))


def test_a_translation_by_whole_pixels_rolls_the_image():
    pixel = (EXTENT[0] / NX, EXTENT[1] / NY)
    made = corrupted(block(kspace()), k.Motion(every=99, positions=((3 * pixel[0], -5 * pixel[1], 0),)), 1)
    np.testing.assert_allclose(image_of(made), np.roll(image_of(kspace()), (-5, 3), (1, 2)), atol=1e-5)


def test_each_shot_has_its_position_and_the_first_is_where_it_was():
    given = k.Motion(every=4, positions=((0, 0, 0), (10, 0, 0), (0, 7, 0)))
    made = corrupted(block(kspace()), given, 1)
    np.testing.assert_allclose(made[:4], kspace()[:4], atol=1e-6)
    x = np.exp(-2j * np.pi * 10 / EXTENT[0] * (np.arange(NX) - NX // 2))
    np.testing.assert_allclose(made[4:8], kspace()[4:8] * x, atol=1e-5)
    y = np.exp(-2j * np.pi * 7 / EXTENT[1] * (np.arange(8, NY) - NY // 2))[:, None, None]
    np.testing.assert_allclose(made[8:], kspace()[8:] * y, atol=1e-5)
    drawn = corrupted(block(kspace()), k.Motion(every=4, distance=3), 1)
    np.testing.assert_allclose(drawn[:4], kspace()[:4], atol=1e-6)


def test_a_phase_between_odd_and_even_lines_is_a_ghost_half_a_field_of_view_away():
    image, phase = image_of(kspace()), 0.7
    made = image_of(corrupted(block(kspace()), k.Ghost(phase=phase), 1))
    expected = np.cos(phase / 2) * image + 1j * np.sin(phase / 2) * np.roll(image, NY // 2, axis=1)
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_accelerated_scans_count_odd_and_even_among_the_lines_that_are_acquired():
    lines = np.stack([np.arange(-NY, NY, 2), np.zeros(NY, np.int64)], axis=1)
    made = corrupted(block(kspace(), steps=lines, acceleration=2), k.Ghost(phase=0.7), 1)
    np.testing.assert_array_equal(made, corrupted(block(kspace()), k.Ghost(phase=0.7), 1))


def test_a_delay_of_whole_samples_shifts_odd_lines_against_even_ones():
    made = corrupted(block(kspace()), k.Ghost(delay=2), 1)
    even = np.arange(NY) % 2 == 0  # NY // 2 is even: so are line numbers
    np.testing.assert_allclose(made[even], np.roll(kspace()[even], 1, axis=2), atol=1e-5)
    np.testing.assert_allclose(made[~even], np.roll(kspace()[~even], -1, axis=2), atol=1e-5)


def test_clipping_cuts_real_and_imaginary_parts_at_the_stated_size_and_nothing_else():
    made = corrupted(block(kspace()), k.Clipping(size=0.4), 1)
    for part in (np.real, np.imag):
        np.testing.assert_array_equal(part(made), np.clip(part(kspace()), np.float32(-0.4), np.float32(0.4)))
    noise = corrupted(block(kspace()), k.Clipping(size=2, unit="scan_noise"), 1)
    assert np.abs(noise.view(np.float32)).max() == np.float32(1.0)
    assert corrupted(block(kspace()), k.Clipping(size=1e9), 1).tobytes() == kspace().tobytes()


def test_no_amount_gives_the_very_samples():
    samples = kspace()
    for kind in (k.Spikes(share=0, size=1), k.Ghost(), k.GainDrift(change=0), k.Motion(every=1)):
        assert corrupted(block(samples), kind, 1) is samples
