import numpy as np
import pytest

from echotrain.models.noise import dependent_coils, noise_scale, outer_sum, whitened, whitening_matrix


def complex_noise(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((*shape, 2)).astype(np.float32).view(np.complex64)[..., 0]


def mixing(coils):
    return complex_noise((coils, coils), seed=5).astype(np.complex128) + 2 * np.eye(coils)


def test_the_sum_of_outer_products_is_each_readouts_own():
    samples = complex_noise((4, 3, 50))
    sums = outer_sum(samples)
    for i, readout in enumerate(samples.astype(np.complex128)):
        np.testing.assert_allclose(sums[i], readout @ readout.conj().T, rtol=1e-12)


def test_whitening_turns_the_covariance_into_the_identity():
    root = mixing(5)
    covariance = root @ root.conj().T
    W = whitening_matrix(covariance)
    np.testing.assert_allclose(W @ covariance @ W.conj().T, np.eye(5), atol=1e-12)


def test_scaled_whitening_gives_real_and_imaginary_parts_unit_deviation_at_another_dwell_time():
    coils, noise_dwell, dwell = 4, 5.0, 10.0
    root = mixing(coils)
    measured = np.matmul(root, complex_noise((1, coils, 200_000)))[0]
    covariance = measured @ measured.conj().T / measured.shape[1]
    # twice the dwell time has half the bandwidth and half the noise power
    imaging = np.matmul(root, complex_noise((1, coils, 200_000), seed=9)) * np.sqrt(noise_dwell / dwell)
    scale = noise_scale(dwell_us=dwell, noise_dwell_us=noise_dwell, relative_bandwidth=1.0)
    white = whitened(imaging.astype(np.complex64), (whitening_matrix(covariance) * scale).astype(np.complex64))[0]
    np.testing.assert_allclose(white.real.std(axis=1), 1, atol=0.01)
    np.testing.assert_allclose(white.imag.std(axis=1), 1, atol=0.01)
    correlation = white @ white.conj().T / white.shape[1] / 2
    np.testing.assert_allclose(correlation, np.eye(coils), atol=0.02)


def test_a_dwell_time_that_is_not_given_leaves_only_the_bandwidth():
    assert noise_scale(dwell_us=0, noise_dwell_us=5, relative_bandwidth=0.5) == 1.0
    assert noise_scale(dwell_us=5, noise_dwell_us=0, relative_bandwidth=0.5) == 1.0


def test_coils_without_noise_of_their_own_are_counted_whatever_their_gain():
    root = np.diag([1.0, 1e-6, 1e3]).astype(np.complex128)
    assert dependent_coils(root @ root.conj().T) == 0
    twin = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], np.complex128)
    assert dependent_coils(twin) == 1
    assert dependent_coils(np.diag([1.0, 0.0]).astype(np.complex128)) == 1
    assert dependent_coils(np.zeros((3, 3), np.complex128)) == 3


def test_a_covariance_that_is_not_positive_definite_has_no_whitening_matrix():
    with pytest.raises(np.linalg.LinAlgError):
        whitening_matrix(np.array([[1, 2], [2, 1]], np.complex128))


@pytest.mark.parametrize("coils", [1, 2, 8, 33])
def test_whitened_readouts_are_the_same_to_the_bit_in_any_block_and_at_any_alignment(coils):
    samples = complex_noise((11, coils, 64))
    matrix = complex_noise((coils, coils), seed=2)
    whole = whitened(samples, matrix)
    parts = np.concatenate([whitened(s, matrix) for s in np.split(samples, [1, 3, 8])])
    raw = np.empty(11 * (samples[0].nbytes + 342) + 2, np.uint8)
    strides = (samples[0].nbytes + 342, *samples.strides[1:])
    unaligned = np.ndarray(samples.shape, "<c8", raw, 1, strides)
    unaligned[:] = samples
    assert parts.tobytes() == whole.tobytes()
    assert whitened(unaligned, matrix).tobytes() == whole.tobytes()
    np.testing.assert_allclose(whole, np.einsum("ab,nbs->nas", matrix, samples), rtol=1e-3, atol=1e-4)
