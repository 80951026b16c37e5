import numpy as np
import pytest

from echotrain.models.perturbation.noise import level_of, with_noise
from echotrain.models.perturbation.readout_kinds import Noise

SAMPLES = np.zeros((300, 3, 256), np.complex64)
NUMBERS = np.arange(300)
MIXED = np.array([[2, 0.6j, 0], [-0.6j, 1, 0.3], [0, 0.3, 0.5]])
GIVEN = tuple(tuple((float(c.real), float(c.imag)) for c in row) for row in MIXED)


def covariance(samples):
    flat = np.moveaxis(samples, 1, 0).reshape(samples.shape[1], -1).astype(np.complex128)
    return flat @ flat.conj().T / flat.shape[1]


def close(found, expected, count=SAMPLES[:, 0].size, tolerance=5):
    """Within five standard errors of a sample covariance of circular Gaussian noise."""
    power = np.real(np.diagonal(expected))
    assert (np.abs(found - expected) < tolerance * np.sqrt(np.outer(power, power) / count)).all()


@pytest.mark.parametrize("distribution", ["gaussian", "laplace", "impulsive"])
@pytest.mark.parametrize("spectrum", ["white", "pink", "ar1"])
def test_the_level_is_the_standard_deviation_of_the_complex_noise(distribution, spectrum):
    noise = Noise(level=3, distribution=distribution, spectrum=spectrum, impulse_share=0.1, impulse_ratio=4)
    added = with_noise(SAMPLES, NUMBERS, noise, seed=1)
    # fewer independent samples where the spectrum is coloured, larger fourth moments where the tails are heavy
    close(covariance(added), 9 * np.eye(3), tolerance=25)
    assert abs((added**2).mean()) < 0.5, "circular: real and imaginary part alike and uncorrelated"


def test_noise_of_a_given_covariance_has_it_up_to_its_scale():
    added = with_noise(SAMPLES, NUMBERS, Noise(level=2, coils="given", covariance=GIVEN), seed=1)
    close(covariance(added), MIXED * (4 / (np.trace(MIXED).real / 3)))


def test_multiples_of_the_scan_noise_go_coil_by_coil_and_with_their_covariance_if_asked():
    alone = with_noise(SAMPLES, NUMBERS, Noise(level=2, unit="scan_noise"), seed=1, scan=MIXED)
    close(covariance(alone), 4 * np.diag(np.diagonal(MIXED)))
    like = with_noise(SAMPLES, NUMBERS, Noise(level=2, unit="scan_noise", coils="scan"), seed=1, scan=MIXED)
    close(covariance(like), 4 * MIXED)


def test_coils_without_variance_stay_silent():
    singular = np.diag([1.0, 0, 4]).astype(complex)
    added = with_noise(SAMPLES, NUMBERS, Noise(level=1, unit="scan_noise", coils="scan"), seed=1, scan=singular)
    assert not added[:, 1].any()


def test_an_snr_is_the_norm_of_the_signal_over_that_of_the_noise():
    noise = Noise(level=20, unit="snr")
    signal = np.full(SAMPLES.shape, 3 + 4j, np.complex64)
    level = level_of(noise, float(np.sum(np.abs(signal) ** 2)), signal.size)
    added = with_noise(signal, NUMBERS, noise, seed=1, level=level) - signal
    assert np.linalg.norm(signal) / np.linalg.norm(added) == pytest.approx(20, rel=5 / np.sqrt(signal.size))


def test_pink_noise_falls_with_frequency_and_ar1_correlates_neighbours_as_stated():
    pink = with_noise(SAMPLES, NUMBERS, Noise(level=1, spectrum="pink"), seed=1)
    power = (np.abs(np.fft.fft(pink, axis=2)) ** 2).mean(axis=(0, 1))
    assert power[2] / power[32] == pytest.approx(16, rel=0.25)
    ar1 = with_noise(SAMPLES, NUMBERS, Noise(level=1, spectrum="ar1", correlation=0.8), seed=1)
    for lag in (1, 2, 5):
        assert np.mean(ar1[..., lag:] * ar1[..., :-lag].conj()).real == pytest.approx(0.8**lag, abs=0.03)


def test_impulses_are_as_many_and_as_strong_as_stated():
    noise = Noise(level=1, distribution="impulsive", impulse_share=0.01, impulse_ratio=100)
    magnitude = np.abs(with_noise(SAMPLES, NUMBERS, noise, seed=1))
    weak = 1 / np.sqrt(0.99 + 0.01 * 100**2)
    hit = magnitude > 6 * weak
    expected = 0.01 * np.exp(-((6 / 100) ** 2))
    assert hit.mean() == pytest.approx(expected, abs=5 * np.sqrt(expected / hit.size))
    assert np.median(magnitude[~hit]) == pytest.approx(weak * np.sqrt(np.log(2)), rel=0.02)


@pytest.mark.parametrize(
    "noise",
    [
        Noise(level=1),
        Noise(level=1, spectrum="pink"),
        Noise(level=1, coils="given", covariance=GIVEN),
        Noise(level=1, distribution="impulsive"),
    ],
    ids=lambda n: n.label,
)
def test_noise_is_a_function_of_seed_and_number_alone(noise):
    samples = np.random.default_rng(0).standard_normal((300, 3, 64, 2)).astype(np.float32).view(np.complex64)[..., 0]
    whole = with_noise(samples, NUMBERS, noise, seed=1)
    parts = [with_noise(samples[a:b], NUMBERS[a:b], noise, seed=1) for a, b in ((0, 1), (1, 258), (258, 300))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    packed = np.frombuffer(b"\0\0" + samples.tobytes(), np.complex64, offset=2, count=samples.size)
    assert with_noise(packed.reshape(samples.shape), NUMBERS, noise, seed=1).tobytes() == whole.tobytes()
    assert (with_noise(samples, NUMBERS, noise, seed=2) != whole).all()


def test_a_level_of_zero_adds_nothing_at_all():
    assert with_noise(SAMPLES, NUMBERS, Noise(level=0), seed=1) is SAMPLES


@pytest.mark.parametrize(
    ("noise", "told"),
    [
        (Noise(level=1, unit="scan_noise"), "not known"),
        (Noise(level=1, coils="given", covariance=(((1, 0),),)), "of 1 coils, the readouts have 3"),
        (Noise(level=1, coils="given", covariance=(((0, 0),) * 3,) * 3), "no positive variance"),
        (
            Noise(
                level=1, coils="given", covariance=(((1, 0), (3, 0), (0, 0)), ((3, 0), (1, 0), (0, 0)), ((0, 0),) * 3)
            ),
            "not positive semidefinite",
        ),
    ],
)
def test_noise_that_cannot_be_made_says_why(noise, told):
    with pytest.raises(ValueError, match=told):
        with_noise(SAMPLES, NUMBERS, noise, seed=1)
