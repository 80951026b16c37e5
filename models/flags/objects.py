"""Objects that are no heads: what flags learn the word strange by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def random_objects(count: int, side: int, *, seed: int) -> NDArray[np.uint8]:
    """Draw pictures of one to twelve ellipses or boxes, some smooth, some with a texture, some with a grid.

    Returns
    -------
        (count, side, side) uint8; picture n depends on the seed and n alone.
    """
    return np.stack([_object(side, np.random.default_rng([seed, n])) for n in range(count)])


def _object(side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    picture = np.zeros((side, side))
    for number in range(int(rng.integers(1, 13))):
        centre = rng.uniform(-0.5, 0.5, 2) if number else rng.uniform(-0.1, 0.1, 2)
        size = rng.uniform(0.05, 0.35, 2) if number else rng.uniform(0.35, 0.8, 2)
        turn = rng.uniform(0, np.pi)
        u = np.cos(turn) * (x - centre[0]) + np.sin(turn) * (y - centre[1])
        v = np.cos(turn) * (y - centre[1]) - np.sin(turn) * (x - centre[0])
        power = 2.0 if rng.uniform() < 0.6 else 20.0
        inside = np.abs(u / size[0]) ** power + np.abs(v / size[1]) ** power <= 1
        picture[inside] = rng.uniform(0.1, 1.0)
    body = picture > 0
    if rng.uniform() < 0.4:
        texture = ndimage.gaussian_filter(rng.standard_normal((side, side)), rng.uniform(1, 8))
        picture *= np.clip(1 + 0.4 * texture / texture.std(), 0, None)
    if rng.uniform() < 0.3:
        pitch = int(rng.integers(8, 32))
        picture[(np.arange(side) % pitch < 2)[:, None] & body] *= rng.uniform(0, 0.5)
    smooth = ndimage.gaussian_filter(picture, rng.uniform(0.5, 2))
    return np.asarray((255 * smooth / max(smooth.max(), 1e-9)).round(), np.uint8)
