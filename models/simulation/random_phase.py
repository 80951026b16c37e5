"""A random image phase: what field inhomogeneity, off-resonance, radio-frequency fields and tissue leave behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .phantom_grid import slice_points, smooth_phase
from .random_coils import spline_matrix

_LATTICE = 6  # points an axis: the shortest wavelength is some 2/5 of the field of view
_OCTAVES = ((12, 0.10), (24, 0.06), (48, 0.04))  # points an axis, SD in rad: vessels, veins, what is left of eddies
_NODES = 6  # of the curve from magnitude to phase
_CURVE = 0.25  # rad, SD at the nodes: susceptibility and chemical shift differ between tissues
_POLES = 1.5  # mean number of places where air meets tissue
_POLE = 1.2  # rad, SD of the phase about such a place
_FAT = 0.8  # rad, SD of the phase of the scalp's fat
_SKIN = 0.05  # of the brightest pixel: less is air


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


def tissue_phase(magnitude: NDArray[np.floating], rng: np.random.Generator, strength: float) -> NDArray[np.complex64]:
    """Draw exp(i phi) with what anatomy adds to a smooth phase, and smooth fields lack.

    Four parts: a random curve of the magnitude, as tissues differ in susceptibility and chemical shift; texture of
    shorter and shorter waves; the dipole fields of places where air meets tissue; and an offset of the scalp's fat, in
    half of the images. Local phase of real brains is some ten times rougher than that of ``random_phase`` alone
    (docs/studies/weights.md has the distributions).

    Parameters
    ----------
    magnitude
        (y, x) real, at least 0, about 1 at its brightest.
    rng
        Source of randomness.
    strength
        Scale of phi: 0 for none, 1 for about that of a spoiled gradient echo at 3 T.

    Returns
    -------
    ndarray
        (y, x) complex64, modulus 1.
    """
    shape = magnitude.shape
    soft = ndimage.gaussian_filter(magnitude.astype(np.float32), 0.7)
    phi = np.interp(soft, np.linspace(0, 1, _NODES), rng.normal(scale=_CURVE, size=_NODES)).astype(np.float32)
    for points, deviation in _OCTAVES:
        rows, columns = (spline_matrix(points, n) for n in shape)
        phi += rows @ rng.normal(scale=deviation, size=(points, points)).astype(np.float32) @ columns.T
    x, y, _ = slice_points(shape)
    for _ in range(rng.poisson(_POLES)):
        at, radius, turn = rng.uniform(-0.7, 0.7, size=2), rng.uniform(0.03, 0.12), rng.uniform(0, np.pi)
        across, along = x - at[0], y - at[1]
        distance = across**2 + along**2
        lobes = np.cos(2 * turn) * (across**2 - along**2) + np.sin(2 * turn) * 2 * across * along
        # cos(2 angle) / r^2 outside; the factor 4 makes it 1 at the edge of the cavity
        phi += rng.normal(scale=_POLE) * 4 * radius**2 * lobes / (distance + radius**2) ** 2
    thickness, offset = rng.uniform(2, 8), rng.normal(scale=_FAT)
    if rng.random() < 0.5:
        inside = ndimage.binary_fill_holes(soft > _SKIN * soft.max())
        scalp = inside & (ndimage.distance_transform_edt(inside) < thickness) & (soft > 0.3 * soft.max())
        phi += offset * ndimage.gaussian_filter(scalp.astype(np.float32), 0.7)
    return np.exp(1j * strength * phi).astype(np.complex64)
