"""Noise covariance between coils and the matrix that whitens it.

Source: Pruessmann et al., Magn Reson Med 46:638 (2001); Kellman and McVeigh, Magn Reson Med 54:1439 (2005), for the
scaling to SNR units.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def outer_sum(samples: NDArray[np.complex64]) -> NDArray[np.complex128]:
    """Sum of n n^H over the samples of every readout.

    Parameters
    ----------
    samples
        (N, coils, samples) complex64.

    Returns
    -------
        (N, coils, coils) complex128, one matrix a readout, each independent of the others.
    """
    wide = np.array(samples, np.complex128)
    products: NDArray[np.complex128] = np.matmul(wide, wide.conj().swapaxes(1, 2))
    return products


def dependent_coils(covariance: NDArray[np.complex128]) -> int:
    """Number of coils, or combinations of coils, without noise of their own: the rank that the covariance lacks.

    Parameters
    ----------
    covariance
        (coils, coils) Hermitian.
    """
    power = np.real(np.diagonal(covariance))
    silent = power <= 0
    if silent.any():
        covariance, power = covariance[np.ix_(~silent, ~silent)], power[~silent]
    if not power.size:
        return int(silent.sum())
    scale = 1 / np.sqrt(power)
    eigenvalues = np.linalg.eigvalsh(covariance * scale[:, None] * scale)  # correlations: the coils' gains do not count
    floor = len(power) * np.finfo(np.float32).eps  # the samples came in single precision
    return int(silent.sum()) + int((eigenvalues < floor).sum())


def whitening_matrix(covariance: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return W with W C W^H = 1: the inverse of the Cholesky factor.

    Parameters
    ----------
    covariance
        (coils, coils) C, Hermitian positive definite: E[n n^H].

    Raises
    ------
    numpy.linalg.LinAlgError
        C is not positive definite.
    """
    factor = np.linalg.cholesky(covariance)
    inverse: NDArray[np.complex128] = np.linalg.inv(factor).astype(np.complex128, copy=False)
    return inverse


def noise_scale(*, dwell_us: float, noise_dwell_us: float, relative_bandwidth: float) -> float:
    """Return the factor after whitening that gives real and imaginary parts a standard deviation of one.

    Noise power goes with the bandwidth, 1 / dwell time, so noise measured at another dwell time is rescaled by their
    ratio. The factor 2 turns a unit variance of the complex sample into one of each part.

    Parameters
    ----------
    dwell_us, noise_dwell_us
        Dwell times of the imaging and of the noise readouts in microseconds; the ratio is taken as 1 where either is no
        positive finite number (not given).
    relative_bandwidth
        Noise bandwidth of the receiver relative to 1 / dwell time.
    """
    given = 0 < dwell_us < math.inf and 0 < noise_dwell_us < math.inf
    ratio = dwell_us / noise_dwell_us if given else 1.0
    return math.sqrt(2.0 * ratio * relative_bandwidth)


def whitened(samples: NDArray[np.complex64], matrix: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Apply a whitening matrix to every readout.

    Parameters
    ----------
    samples
        (N, coils, samples) complex64, any strides or alignment.
    matrix
        (coils, coils) complex64.

    Returns
    -------
        (N, coils, samples) complex64. One product of the same shape a readout: bit-identical for any N.
    """
    # NumPy hands only aligned, contiguous matrices to BLAS; others would go through other arithmetic
    straight: NDArray[np.complex64] = np.require(samples, np.complex64, ["C", "A"])
    product: NDArray[np.complex64] = np.matmul(matrix, straight)
    return product
