import numpy as np
import pytest

from echotrain.models.coil_compression import compressed, compression_matrix


def data(coils=6, rank=2):
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((coils, rank)) + 1j * rng.standard_normal((coils, rank))
    sources = rng.standard_normal((rank, 1, 8, 9)) + 1j * rng.standard_normal((rank, 1, 8, 9))
    return np.tensordot(mix, sources, (1, 0)).astype(np.complex64)


def test_data_of_rank_two_fit_into_two_coils_without_loss():
    kspace = data()
    matrix, kept = compression_matrix(kspace, coils=2, energy=0.5)
    few = compressed(kspace, matrix)
    assert few.shape == (2, 1, 8, 9)
    assert few.dtype == np.complex64
    assert kept == pytest.approx(1)
    np.testing.assert_allclose((np.abs(few) ** 2).sum(0), (np.abs(kspace) ** 2).sum(0), rtol=1e-4)


def test_rows_are_orthonormal_so_that_white_noise_stays_white():
    matrix, _ = compression_matrix(data(rank=6), coils=4, energy=0.5)
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(4), atol=1e-6)


def test_as_many_coils_are_taken_as_the_energy_asks_for():
    kspace = np.zeros((4, 1, 2, 2), np.complex64)
    kspace[:, 0, 0, 0], kspace[1, 0, 0, 1], kspace[2, 0, 1, 0] = (3, 0, 0, 0), 2, 1  # energies 9, 4, 1 of 14
    for energy, count in ((0.6, 1), (0.9, 2), (0.95, 3), (1.0, 3)):
        matrix, kept = compression_matrix(kspace, coils=None, energy=energy)
        assert len(matrix) == count
        assert kept >= energy - 1e-9


def test_more_coils_than_there_are_and_empty_data_are_harmless():
    assert compression_matrix(data(3), coils=8, energy=1)[0].shape == (3, 3)
    matrix, kept = compression_matrix(np.zeros((3, 1, 2, 2), np.complex64), coils=None, energy=0.9)
    assert kept == 1
    assert len(matrix) >= 1
