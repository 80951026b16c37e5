"""A random contrast: other sequences, other field strengths and other coils show the same anatomy in other greys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .random_coils import spline_matrix

_LATTICE = 4  # points an axis of the bias field: longer waves than coil maps have
_BIAS = 0.15  # SD of its logarithm
_GAMMA = 0.3  # SD of the logarithm of the exponent


def random_contrast(magnitude: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change the greys of a magnitude image: the same in tissues that were the same, but for a smooth bias field.

    The exponent of a power law is drawn, so zero stays zero and one stays one; then a bias field, as transmit fields
    and a publisher's correction of receive fields leave one.

    Parameters
    ----------
    magnitude
        (y, x) real, at least 0, about 1 at its brightest.
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        (y, x) float32, at least 0.
    """
    exponent = np.exp(rng.normal(scale=_GAMMA))
    rows, columns = (spline_matrix(_LATTICE, n) for n in magnitude.shape)
    bias = rows @ rng.normal(scale=_BIAS, size=(_LATTICE, _LATTICE)).astype(np.float32) @ columns.T
    return np.asarray(np.power(magnitude, exponent) * np.exp(bias), np.float32)
