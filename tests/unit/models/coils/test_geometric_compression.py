import numpy as np
import pytest

from echotrain.models.coil_compression import compressed, compression_matrix
from echotrain.models.coils.geometric_compression import geometric_compression_matrices, geometrically_compressed
from echotrain.models.fourier import centred_fft, centred_ifft


def complex_normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def turning_sources(coils, shape, sources=2, seed=0):
    """K-space (coils, kz, ky, kx) of a few sources that every position along x mixes into the coils differently."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, shape[2])[:, None, None]
    mixing = complex_normal(rng, coils, sources) + x * complex_normal(rng, coils, sources) * 2
    mixing += x**2 * complex_normal(rng, coils, sources) * 2
    images = np.einsum("xcs,szyx->czyx", mixing, complex_normal(rng, sources, *shape))
    return centred_fft(images.astype(np.complex64), (1, 2, 3))


@pytest.mark.parametrize("shape", [(1, 12, 16), (3, 8, 15)])
def test_as_many_virtual_coils_as_a_position_has_sources_lose_nothing(shape):
    kspace = turning_sources(6, shape)
    matrices, kept = geometric_compression_matrices(kspace, coils=2, energy=1)
    assert matrices.shape == (shape[2], 2, 6)
    assert kept > 0.999
    virtual = geometrically_compressed(kspace, matrices)
    assert virtual.dtype == np.complex64
    power = [(np.abs(centred_ifft(k, (1, 2, 3))) ** 2).sum(axis=0) for k in (kspace, virtual)]
    np.testing.assert_allclose(power[1], power[0], rtol=1e-3, atol=1e-4 * power[0].max())
    _, globally = compression_matrix(kspace, coils=2, energy=1)
    assert globally < 0.9


def test_energy_decides_the_number_where_none_is_given_and_never_asks_for_more_than_there_are():
    kspace = turning_sources(5, (1, 12, 16))
    matrices, kept = geometric_compression_matrices(kspace, coils=None, energy=0.99)
    assert (matrices.shape[1], kept > 0.99) == (2, True)
    assert geometric_compression_matrices(kspace, coils=9, energy=1)[0].shape[1] == 5


def test_rows_are_orthonormal_so_that_white_noise_stays_white():
    matrices, _ = geometric_compression_matrices(turning_sources(5, (1, 12, 16)), coils=3, energy=1)
    np.testing.assert_allclose(matrices @ matrices.conj().swapaxes(1, 2), np.tile(np.eye(3), (16, 1, 1)), atol=1e-5)


def test_virtual_coils_change_smoothly_along_the_readout():
    kspace = turning_sources(6, (1, 24, 64))
    matrices, _ = geometric_compression_matrices(kspace, coils=2, energy=1)
    steps = np.linalg.norm(np.diff(matrices, axis=0), axis=(1, 2))
    assert steps.max() < 0.2  # two unrelated sets of two unit vectors are 2 apart


def test_all_coils_kept_and_one_mixing_are_the_plain_compression():
    rng = np.random.default_rng(1)
    kspace = centred_fft(np.tensordot(complex_normal(rng, 4, 1), complex_normal(rng, 1, 1, 8, 8), 1), (1, 2, 3))
    kspace = kspace.astype(np.complex64)
    ours = geometrically_compressed(kspace, geometric_compression_matrices(kspace, coils=1, energy=1)[0])
    plain = compressed(kspace, compression_matrix(kspace, coils=1, energy=1)[0])
    factor = np.vdot(plain, ours) / np.vdot(plain, plain)
    assert abs(abs(factor) - 1) < 1e-5
    np.testing.assert_allclose(ours, factor * plain, atol=1e-4)


def test_positions_without_signal_take_what_the_others_have():
    images = centred_ifft(turning_sources(4, (1, 8, 16)), (3,))
    images[..., :5] = 0
    matrices, kept = geometric_compression_matrices(centred_fft(images, (3,)), coils=2, energy=1)
    assert np.isfinite(matrices).all()
    assert kept > 0.99
    silent, kept = geometric_compression_matrices(np.zeros((3, 1, 4, 4), np.complex64), coils=None, energy=0.9)
    assert (silent.shape, kept) == ((4, 1, 3), 1.0)
