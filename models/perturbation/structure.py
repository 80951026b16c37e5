"""A structure that is not in the data: an ellipse or ellipsoid with a soft edge, to be added to an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .counter_random import key_of, uniform
from .specification import Structure

_BODY = 0.15
"""Of the 99th percentile of the magnitude: what is above counts as body."""


class Inserted(NamedTuple):
    """What was made of a specification in one image."""

    image: NDArray[np.complex64]
    """(z, y, x) complex64: what to add."""
    center: tuple[float, float, float]
    """(x, y, z) in mm from the centre of the field of view, which lies at voxel n // 2 of each axis."""
    amplitude: float
    """Of its plateau, signed: contrast times the mean magnitude inside it."""


def inserted(
    image: NDArray[np.complex64],
    voxel: tuple[float, float, float],
    structure: Structure,
    *,
    seed: int,
    purpose: str = "structure",
) -> Inserted:
    """Make a structure for an image.

    Its phase is that of the signal inside it, so that it adds to the magnitude. In volumes its diameter along z is the
    mean of the others. Drawn positions are voxels around which all of it lies within the body, each as likely.

    Parameters
    ----------
    image
        (z, y, x) complex: the image, or an estimate of it.
    voxel
        (z, y, x) in mm.
    structure
        What to make.
    seed, purpose
        Of the position, where it is drawn.

    Raises
    ------
    ValueError
        It lies outside the field of view, or nowhere in the body is room for it.
    """
    across = (structure.diameter * 2)[:2]
    diameters = np.array([sum(across) / 2, across[1], across[0]])  # z, y, x
    axes = [(np.arange(n) - n // 2) * size for n, size in zip(image.shape, voxel, strict=True)]
    if structure.position is not None:
        center = np.array([0.0, structure.position[1], structure.position[0]])
    else:
        row = uniform(key_of(seed, purpose), np.zeros(1, np.int64))[0, 0]
        places = _places(np.abs(image), voxel, diameters / 2 + structure.edge / 2)
        chosen = places[int(row * len(places))]
        center = np.array([axis[i] for axis, i in zip(axes, chosen, strict=True)])
    inside = _inside(axes, center, diameters / 2, structure.edge)
    total = float(inside.sum())
    if total == 0:
        raise ValueError(f"a structure at {center[2]:g}, {center[1]:g} mm lies outside the field of view")
    level = float((inside * np.abs(image)).sum()) / total
    signal = complex((inside * image).sum())
    direction = signal / abs(signal) if signal else 1.0
    amplitude = structure.contrast * level
    return Inserted(
        image=(amplitude * direction * inside).astype(np.complex64),
        center=(float(center[2]), float(center[1]), float(center[0])),
        amplitude=amplitude,
    )


def _inside(
    axes: list[NDArray[np.float64]], center: NDArray[np.float64], radii: NDArray[np.float64], edge: float
) -> NDArray[np.float64]:
    """(z, y, x) from 1 inside to 0 outside, half at the radii, linear over the edge."""
    flat = len(axes[0]) == 1
    squares = [((axis - at) / radius) ** 2 for axis, at, radius in zip(axes, center, radii, strict=True)]
    if flat:
        squares[0] = np.zeros(1)
    distance = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
    outside = (distance - 1) * float(radii[1:].mean())  # mm beyond the edge's middle: exact for a disc
    if edge == 0:
        return (outside <= 0).astype(np.float64)
    return np.clip(0.5 - outside / edge, 0, 1)


def _places(
    magnitude: NDArray[np.float32], voxel: tuple[float, float, float], radii: NDArray[np.float64]
) -> NDArray[np.intp]:
    """(N, 3) voxels (z, y, x) around which an ellipsoid lies within the body."""
    from scipy import ndimage  # only chains that draw a place need it

    body = magnitude > _BODY * np.percentile(magnitude, 99)
    body = ndimage.binary_fill_holes(body) if magnitude.shape[0] > 1 else ndimage.binary_fill_holes(body[0])[None]
    flat = magnitude.shape[0] == 1
    # beyond the field of view is outside: distances count from there, too
    padded = np.pad(body, [(0 if flat else 1,) * 2, (1, 1), (1, 1)])
    spacing = [size / radius for size, radius in zip(voxel, radii, strict=True)]
    depth = ndimage.distance_transform_edt(padded[0] if flat else padded, spacing[1:] if flat else spacing)
    depth = depth[1:-1, 1:-1][None] if flat else depth[1:-1, 1:-1, 1:-1]
    places = np.argwhere(depth > 1)
    if not len(places):
        raise ValueError("nowhere in the body is room for a structure of that size")
    return places
