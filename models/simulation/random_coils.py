"""Coil sensitivities drawn at random: how many coils, how near, how they are turned, is different in every scan."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ..noise import whitening_matrix
from .phantom_grid import pixel_centres
from .simulated_coils import coil_array, noise_covariance, sensitivities

_LATTICE = 24  # points an axis at which the fields are computed: they are smooth, and a spline does the rest


def random_sensitivities(
    coils: int, shape: tuple[int, int], rng: np.random.Generator, distance: float, correlation: float
) -> NDArray[np.complex64]:
    """Draw an array of loops about a slice, and return its sensitivities after prewhitening.

    The array is turned about z by any angle, and the slice lies up to .3 above or below its middle. Noise of the
    array's covariance, whitened with its inverse factor, is white: whoever adds noise to what these sensitivities see
    adds white noise.

    Parameters
    ----------
    coils
        Number of loops.
    shape
        Pixels (y, x) of the slice, whose field of view is -1 to 1.
    rng
        Source of randomness.
    distance
        Radius of the cylinder on which the loops lie, in half fields of view.
    correlation
        Share of the noise that the coils have in common, 0 to 1.

    Returns
    -------
    ndarray
        (coils, y, x) complex64: sensitivity over the standard deviation of the whitened noise, root sum of squares
        about 1.
    """
    array = coil_array(coils, rng, distance=distance)
    angle = 2 * np.pi * rng.random()
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    array = replace(array, centres=array.centres @ turn.T, normals=array.normals @ turn.T)
    along = np.linspace(-1, 1, _LATTICE)
    seen = sensitivities(array, (along[None, :], along[:, None], np.full((1, 1), rng.uniform(-0.3, 0.3))))
    whitened = np.tensordot(whitening_matrix(noise_covariance(array, correlation)), seen, axes=1).astype(np.complex64)
    rows, columns = (spline_matrix(_LATTICE, n) for n in shape)
    return np.asarray(rows @ whitened @ columns.T)


@lru_cache(maxsize=64)
def spline_matrix(lattice: int, n: int) -> NDArray[np.float32]:
    """Return the matrix (n, lattice) of cubic spline interpolation, from equispaced points over [-1, 1] to n pixels."""
    spline = CubicSpline(np.linspace(-1, 1, lattice), np.eye(lattice))
    return np.asarray(spline(pixel_centres(n)), np.float32)
