"""Receive coils around an object: sensitivities by Biot-Savart, noise covariance from the conductive load.

Coils are circular loops on a cylinder about z. The magnetic field and the vector potential of a loop are known in
closed form (complete elliptic integrals: W. R. Smythe, Static and Dynamic Electricity, 3rd ed., 7.10; J. C. Simpson et
al., NASA 20010038494). By reciprocity the receive sensitivity is B_x - i B_y of unit current (D. I. Hoult, Concepts
Magn. Reson. 12, 173 (2000)), and the noise correlation of two loops is the overlap of their electric fields in the load
(P. B. Roemer et al., Magn. Reson. Med. 16, 192 (1990)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .phantom_grid import Points, pixel_centres

_WIRE = 0.03  # radius of the conductor: keeps the field finite at the wire; normalised length
_LOAD_AXES = (0.72, 0.9, 0.8)  # semi-axes of the conductive load, about a head; normalised lengths
_LOAD_POINTS = 20  # per axis: the fields are smooth inside the load


@dataclass(frozen=True)
class CoilArray:
    """Loops around the object, normalised coordinates (x to the left, y to the back, z to the head).

    Attributes
    ----------
    centres, normals
        (coils, 3) float64; the normals are unit vectors.
    radii
        (coils,) float64.
    gains
        (coils,) complex128 of the receive chains: loop currents are not seen at the same phase.
    """

    centres: NDArray[np.float64]
    normals: NDArray[np.float64]
    radii: NDArray[np.float64]
    gains: NDArray[np.complex128]

    def __len__(self) -> int:
        return len(self.radii)


def coil_array(coils: int, rng: np.random.Generator, *, distance: float = 1.5, rows: int | None = None) -> CoilArray:
    """Place loops on a cylinder, in rows along z, turned against each other from row to row.

    Parameters
    ----------
    coils
        Number of loops.
    rng
        Draws a few percent of scatter in place and size, the phase of each receive chain and its gain.
    distance
        Radius of the cylinder (x; 1.08 times that along y, as heads are longer).
    rows
        Rows of loops; by default one for up to 8 coils, then one for each 8.

    Raises
    ------
    ValueError
        Fewer than one coil, or more rows than coils.
    """
    rows = max(1, round(coils / 8)) if rows is None else rows
    if coils < 1 or not 1 <= rows <= coils:
        raise ValueError(f"{coils} coils in {rows} rows; expected at least one coil in every row")
    angles, heights, radii = [], [], []
    for row in range(rows):
        members = coils // rows + (row < coils % rows)
        angles += [2 * np.pi * (m + 0.5 * (row % 2)) / members for m in range(members)]
        heights += [0.6 * (row - (rows - 1) / 2)] * members
        # neighbours overlap by some 15 %, where their mutual inductance vanishes; a lone coil still faces the object
        radii += [min(0.8, 1.15 * distance * np.sin(np.pi / max(members, 4)))] * members
    phi = np.array(angles) + rng.normal(scale=0.03, size=coils)
    normals = np.stack([-np.cos(phi), -np.sin(phi), np.zeros(coils)], axis=1)
    centres = np.stack([distance * np.cos(phi), 1.08 * distance * np.sin(phi), np.array(heights)], axis=1)
    size = np.array(radii) * (1 + rng.normal(scale=0.03, size=coils))
    gains = (1 + rng.normal(scale=0.05, size=coils)) * np.exp(2j * np.pi * rng.random(coils))
    return CoilArray(centres, normals, size, gains)


def sensitivities(array: CoilArray, points: Points) -> NDArray[np.complex64]:
    """Return the complex receive sensitivities, scaled so that their root sum of squares is 1 at the isocentre.

    Parameters
    ----------
    array
        The coils.
    points
        Where.

    Returns
    -------
    ndarray
        (coils, *broadcast shape of the points) complex64.
    """
    origin = np.zeros(1)
    middle = np.array([_received(array, c, (origin, origin, origin))[0] for c in range(len(array))])
    scale = 1 / np.sqrt(np.sum(np.abs(middle) ** 2))
    shape = np.broadcast_shapes(*(p.shape for p in points))
    maps = np.empty((len(array), *shape), np.complex64)
    for coil in range(len(array)):
        maps[coil] = scale * _received(array, coil, points)
    return maps


def noise_covariance(array: CoilArray, correlation: float = 1.0) -> NDArray[np.complex128]:
    """Return the covariance of the noise between coils, with mean variance 1.

    Parameters
    ----------
    array
        The coils.
    correlation
        Share of the noise that comes from the load and so is correlated, 0 to 1; the rest is each coil's own.

    Returns
    -------
    ndarray
        (coils, coils) complex128, Hermitian and positive definite: E[n n^H] for complex noise n.

    Raises
    ------
    ValueError
        The correlation is not from 0 to 1.
    """
    if not 0 <= correlation <= 1:
        raise ValueError(f"coil correlation is {correlation}, expected 0 to 1")
    axis = pixel_centres(_LOAD_POINTS)
    x, y, z = (g.ravel() for g in np.meshgrid(*(axis * a for a in _LOAD_AXES), indexing="ij"))
    inside = sum((p / a) ** 2 for p, a in zip((x, y, z), _LOAD_AXES, strict=True)) <= 1
    load = (x[inside], y[inside], z[inside])
    electric = np.stack([vector_potential(array, c, load) for c in range(len(array))]).reshape(len(array), -1)
    overlap = electric @ electric.T
    overlap /= np.trace(overlap) / len(array)
    # 2 % of the load's noise stays each coil's own even at full correlation: conductors are no superconductors
    share = 0.98 * correlation
    own = (1 - share) * np.diag(np.diag(overlap)) + share * overlap
    covariance = array.gains[:, None] * own * array.gains.conj()[None, :]
    return np.asarray(covariance / (np.trace(covariance).real / len(array)))


def correlated_noise(
    covariance: NDArray[np.complex128], shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.complex64]:
    """Draw complex normal noise of a covariance.

    Parameters
    ----------
    covariance
        (coils, coils): E[n n^H] of the result; half of each variance is in the real part, half in the imaginary part.
    shape
        (readouts, samples). The same numbers come however the readouts are divided among calls.
    rng
        Source of the deviates.

    Returns
    -------
    ndarray
        (readouts, coils, samples) complex64.
    """
    factor = np.linalg.cholesky(covariance / 2).astype(np.complex64)
    white = rng.standard_normal((shape[0], len(covariance), shape[1], 2), dtype=np.float32).view(np.complex64)[..., 0]
    return factor @ white


def magnetic_field(array: CoilArray, coil: int, points: Points) -> NDArray[np.float64]:
    """Return B of unit current in one loop, (3, ...) float64, in units of mu0 / 2 pi."""
    normal, radial, rho, height = _local(array, coil, points)
    a = array.radii[coil]
    outer, inner = (a + rho) ** 2 + height**2, (a - rho) ** 2 + height**2
    inner = np.maximum(inner, _WIRE**2)
    k, e = _elliptic(a, rho, outer)
    along = (k + e * (a * a - rho * rho - height * height) / inner) / np.sqrt(outer)
    with np.errstate(invalid="ignore", divide="ignore"):
        across = height / rho * (e * (a * a + rho * rho + height * height) / inner - k) / np.sqrt(outer)
    across = np.where(rho < 1e-6, 0.0, across)
    return np.asarray(along * normal + across * radial)


def vector_potential(array: CoilArray, coil: int, points: Points) -> NDArray[np.float64]:
    """Return A of unit current in one loop, (3, ...) float64, in units of mu0 / 2 pi; E is proportional to it."""
    normal, radial, rho, height = _local(array, coil, points)
    a = array.radii[coil]
    outer = (a + rho) ** 2 + height**2
    k, e = _elliptic(a, rho, outer)
    m = 4 * a * rho / outer
    with np.errstate(invalid="ignore", divide="ignore"):
        around = np.sqrt(outer) / rho * ((1 - m / 2) * k - e)
    around = np.where(rho < 1e-6, 0.0, around)
    return np.asarray(around * np.cross(normal, radial, axis=0))


def _received(array: CoilArray, coil: int, points: Points) -> NDArray[np.complex128]:
    field = magnetic_field(array, coil, points)
    return np.asarray(array.gains[coil] * (field[0] - 1j * field[1]))


def _local(array: CoilArray, coil: int, points: Points) -> tuple[NDArray[np.float64], ...]:
    """Return the loop's normal and radial unit vectors (3, ...), distance from its axis and height above its plane."""
    offset = np.stack(np.broadcast_arrays(*points)) - array.centres[coil].reshape(3, *[1] * max(p.ndim for p in points))
    normal = array.normals[coil].reshape(3, *[1] * (offset.ndim - 1))
    height = np.sum(offset * normal, axis=0)
    outward = offset - height * normal
    rho = np.sqrt(np.sum(outward**2, axis=0))
    radial = outward / np.maximum(rho, 1e-12)
    return np.broadcast_to(normal, offset.shape), radial, rho, height


def _elliptic(
    a: float, rho: NDArray[np.float64], outer: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    m = np.minimum(4 * a * rho / outer, 1 - (_WIRE / (2 * a)) ** 2)
    return special.ellipk(m), special.ellipe(m)
