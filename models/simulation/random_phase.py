"""A random image phase: what field inhomogeneity, off-resonance and radio-frequency fields leave on an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .phantom_grid import slice_points, smooth_phase
from .random_coils import spline_matrix

_LATTICE = 6  # points an axis: the shortest wavelength is some 2/5 of the field of view


def random_phase(
    shape: tuple[int, int], rng: np.random.Generator, *, ramp: float = 1.0, field: float = 0.6
) -> NDArray[np.complex64]:
    """Draw exp(i phi): a constant, ramps and parabolas as off-resonance makes them, and a smooth random field.

    Parameters
    ----------
    shape
        Pixels (y, x), whose field of view is -1 to 1.
    rng
        Source of randomness.
    ramp
        Standard deviation of the coefficients of x, y, x^2, y^2 and xy, rad.
    field
        Standard deviation of the random field at its lattice points, rad.

    Returns
    -------
    ndarray
        (y, x) complex64, modulus 1.
    """
    coefficients = rng.normal(scale=ramp, size=10)
    coefficients[0] = rng.uniform(-np.pi, np.pi)
    rows, columns = (spline_matrix(_LATTICE, n) for n in shape)
    bumps = rows @ rng.normal(scale=field, size=(_LATTICE, _LATTICE)).astype(np.float32) @ columns.T
    return np.asarray(smooth_phase(slice_points(shape), coefficients) * np.exp(1j * bumps), np.complex64)
