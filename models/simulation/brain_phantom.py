"""A head in axial slices: scalp, skull, folded cortex, white matter, ventricles, deep grey matter and lesions.

Everything is a function of position, so that any grid and any slice can be asked for, and neighbouring slices differ
as a head does. It is no atlas: shapes are simple and the folds are random, but edges, textures and contrasts are like
those that a reconstruction has to keep. Relaxation times at 3 T are rounded from G. J. Stanisz et al., Magn. Reson.
Med. 54, 507 (2005) and J. P. Wansapura et al., J. Magn. Reson. Imaging 9, 531 (1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .phantom_grid import Points, RandomField


class Tissue(IntEnum):
    """Index of a tissue in the fractions that ``Head.fractions`` gives."""

    SCALP = 0
    SKULL = 1
    MARROW = 2
    FLUID = 3
    GREY = 4
    WHITE = 5
    DEEP_GREY = 6
    LESION = 7
    MUSCLE = 8


PROPERTIES = MappingProxyType(
    {
        Tissue.SCALP: (0.40, 370.0, 110.0),
        Tissue.SKULL: (0.08, 500.0, 5.0),
        Tissue.MARROW: (0.35, 400.0, 60.0),
        Tissue.FLUID: (1.00, 4000.0, 1500.0),
        Tissue.GREY: (0.82, 1330.0, 92.0),
        Tissue.WHITE: (0.70, 840.0, 72.0),
        Tissue.DEEP_GREY: (0.78, 1150.0, 80.0),
        Tissue.LESION: (0.86, 1450.0, 160.0),
        Tissue.MUSCLE: (0.72, 1400.0, 36.0),
    }
)
"""Proton density (water is 1), T1 and T2 in ms."""

WEIGHTINGS = MappingProxyType(
    {
        "t1": (2000.0, 4.0, 800.0),
        "t2": (4000.0, 95.0, None),
        "flair": (9000.0, 110.0, 2450.0),
        "pd": (4000.0, 12.0, None),
    }
)
"""Repetition time, echo time and inversion time (None: no inversion) in ms, of a spin echo."""


def tissue_signals(weighting: str, extra_echo_ms: float = 0.0) -> NDArray[np.float64]:
    """Return the spin-echo signal of every tissue, scaled so that the brightest at the first echo is 1.

    Parameters
    ----------
    weighting
        A key of ``WEIGHTINGS``.
    extra_echo_ms
        Time from the first echo to this one.

    Raises
    ------
    ValueError
        An unknown weighting; the text names those known.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting is {weighting!r}, expected one of {', '.join(WEIGHTINGS)}")
    tr, te, ti = WEIGHTINGS[weighting]
    density, t1, t2 = np.array([PROPERTIES[t] for t in Tissue]).T
    recovery = 1 - np.exp(-tr / t1) if ti is None else np.abs(1 - 2 * np.exp(-ti / t1) + np.exp(-tr / t1))
    first = density * recovery * np.exp(-te / t2)
    return np.asarray(first * np.exp(-extra_echo_ms / t2) / first.max())


@dataclass(frozen=True)
class Head:
    """One head; its folds, texture and lesions are drawn once.

    Attributes
    ----------
    folds, branches
        Fields that bend the sulci.
    texture, bias
        Fields that modulate intensity finely, and slowly over the head.
    waves
        (waves, 3) float64: angular order, phase and change of phase with z of what spaces the sulci unevenly.
    lesions
        (lesions, 4) float64: centre (x, y, z) and radius.
    """

    folds: RandomField
    branches: RandomField
    texture: RandomField
    bias: RandomField
    waves: NDArray[np.float64]
    lesions: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, lesions: int = 4) -> Head:
        """Draw a head; ``lesions`` is the number of white-matter lesions."""
        waves = np.stack([np.arange(1.0, 6), rng.uniform(0, 2 * np.pi, 5), rng.normal(scale=4, size=5)], 1)
        side = rng.choice([-1.0, 1.0], lesions)
        places = [side * rng.uniform(0.2, 0.36, lesions), rng.uniform(-0.35, 0.4, lesions)]
        spots = np.stack([*places, rng.uniform(-0.2, 0.2, lesions), rng.uniform(0.035, 0.07, lesions)], 1)
        return cls(
            folds=RandomField.draw(rng, 0.13),
            branches=RandomField.draw(rng, 0.07),
            texture=RandomField.draw(rng, 0.02),
            bias=RandomField.draw(rng, 0.6),
            waves=waves,
            lesions=spots,
        )

    def image(self, points: Points, signals: NDArray[np.float64], pixel: float) -> NDArray[np.float64]:
        """Return the magnitude of the head's signal.

        Parameters
        ----------
        points
            Where.
        signals
            (tissues,) or (contrasts, tissues) as ``tissue_signals`` gives them.
        pixel
            Size of a pixel, normalised; edges are as soft as a pixel (partial volume).

        Returns
        -------
        ndarray
            Broadcast shape of the points, with contrasts before it if there are, float64, about 0 to 1.
        """
        clean = np.tensordot(signals, self.fractions(points, pixel), axes=1)
        return np.asarray(clean * (1 + 0.02 * self.texture(points)) * (1 + 0.04 * self.bias(points)))

    def fractions(self, points: Points, pixel: float) -> NDArray[np.float64]:
        """Return each tissue's share of each point, (tissues, ...) float64; the rest of it is air."""
        x, y, z = np.broadcast_arrays(*points)
        share = np.zeros((len(Tissue), *x.shape))
        wobble = 0.008 * self.folds(points)
        outer = _depth(x, y, z, (0.74, 0.92, 0.95))

        def lay(tissue: Tissue, distance: NDArray[np.float64]) -> None:
            """Put a tissue over what is there, where the distance to its edge is positive."""
            cover = np.clip(distance / pixel + 0.5, 0, 1)
            share[:] *= 1 - cover
            share[tissue] += cover

        lay(Tissue.SCALP, outer)
        temporal = 0.045 - np.hypot(np.abs(x) - 0.68, (y + 0.12) / 3.4)
        lay(Tissue.MUSCLE, np.minimum(temporal, outer - 0.012))
        lay(Tissue.SKULL, outer - 0.05 - 0.4 * wobble)
        lay(Tissue.MARROW, np.minimum(outer - 0.066 - 0.4 * wobble, 0.088 + 0.6 * wobble - outer))
        lay(Tissue.FLUID, outer - 0.102)
        depth = outer - 0.122 - 0.5 * wobble
        sulcus = self._sulcus_distance(x, y, z)
        reach = 0.17 * (1 + 0.17 * self.bias((3 * x, 3 * y, 3 * z)))
        white = _white_distance(x, y, depth, sulcus, reach)
        lay(Tissue.GREY, depth)
        lay(Tissue.WHITE, white)
        lay(Tissue.FLUID, np.minimum(0.014 * (1 - depth / reach) - sulcus, depth + 0.02))
        fissure = np.minimum(0.008 - np.abs(x + 0.3 * wobble), np.abs(y + 0.04) - 0.3)
        lay(Tissue.FLUID, np.minimum(fissure, depth + 0.02))
        for cx, cy, cz, radius in self.lesions:
            spot = np.sqrt((x - cx) ** 2 + ((y - cy) / 1.3) ** 2 + (z - cz) ** 2)
            lay(Tissue.LESION, np.minimum(radius + wobble - spot, white))
        for tissue, structures in _STRUCTURES:
            for centre, axes, degrees in structures:
                for side in (-1, 1):
                    lay(tissue, _ellipsoid_distance((side * x, y, z), centre, axes, degrees) + 0.4 * wobble)
        return share

    def _sulcus_distance(
        self, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Distance, roughly, to the middle of the nearest sulcus: zeros of one angular wave, bent at random."""
        angle, radius = np.arctan2(x, y), np.hypot(x / 0.8, y)
        phase = _SULCI / 2 * angle + 0.8 * self.folds((x, y, z)) + 0.33 * self.branches((x, y, z))
        for order, start, twist in self.waves:
            phase += 0.5 * np.sin(order * angle + start + twist * z)
        return np.asarray(np.abs(np.sin(phase)) * np.clip(radius, 0.2, None) / (0.6 * _SULCI))


_SULCI = 20
"""How many sulci a slice cuts."""

_STRUCTURES = (
    # (centre (x, y, z), semi-axes, degrees about z); each is laid on both sides of the midplane, in this order
    (Tissue.DEEP_GREY, (((0.25, -0.06, 0.0), (0.055, 0.19, 0.22), 12.0),)),  # putamen
    (Tissue.DEEP_GREY, (((0.095, 0.09, 0.02), (0.075, 0.13, 0.16), 25.0),)),  # thalamus
    (Tissue.DEEP_GREY, (((0.135, -0.2, 0.06), (0.05, 0.10, 0.20), 15.0),)),  # caudate
    (
        Tissue.FLUID,
        (
            ((0.065, -0.19, 0.10), (0.036, 0.16, 0.22), -18.0),  # frontal horns
            ((0.15, 0.25, 0.08), (0.042, 0.17, 0.24), 20.0),  # occipital horns
            ((0.0, 0.06, -0.06), (0.013, 0.10, 0.13), 0.0),  # third ventricle
        ),
    ),
)


def _white_distance(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    depth: NDArray[np.float64],
    sulcus: NDArray[np.float64],
    reach: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Distance to the edge of the white matter: within the cortex, beside sulci and fissure, which fade inwards."""
    ribbon = 0.032
    beside = sulcus - ribbon + 1.2 * np.clip(depth - 0.85 * reach, 0, None)
    fissure = np.abs(x) - 0.042 + 0.8 * np.clip(0.34 - np.abs(y + 0.04), 0, None)
    return np.asarray(np.minimum(np.minimum(depth - ribbon, beside), fissure))


def _ellipsoid_distance(
    points: Points, centre: tuple[float, float, float], axes: tuple[float, float, float], degrees: float
) -> NDArray[np.float64]:
    """Distance, roughly, below the surface of an ellipsoid that is turned about z."""
    x, y, z = (p - c for p, c in zip(points, centre, strict=True))
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    a, b, c = axes
    rho = np.sqrt(((x * cosine + y * sine) / a) ** 2 + ((y * cosine - x * sine) / b) ** 2 + (z / c) ** 2)
    return np.asarray((1 - rho) * np.sqrt(a * b))


def _depth(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], axes: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Distance, roughly, below the surface of an egg that is narrower in front (y < 0)."""
    a, b, c = axes
    wide = a * (1 + 0.09 * y - 0.05 * y * y)
    rho = np.sqrt((x / wide) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    return np.asarray((1 - rho) * np.sqrt(a * b))
