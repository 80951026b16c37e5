"""What an array of coils is like: how fast its maps change, how many coils it is worth, how it amplifies noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..coils.g_factor import sense_g_factor


@dataclass(frozen=True)
class CoilStatistics:
    """Of one slice."""

    turn: float
    """Root mean square angle between the vectors of sensitivities of neighbouring pixels, rad a field of view: what a
    phase or a scale common to all coils does not change."""
    slope: float
    """The same of the vectors of moduli: without what phases contribute."""
    effective: float
    """Participation ratio of the eigenvalues of the coils' covariance over the body, (sum l)^2 / sum l^2: 1 if all
    coils see the same, their number if each sees a part of its own as bright as the others'."""
    g_median: float
    """Median g-factor of SENSE at every fourth line, over the body; infinite where coils cannot unfold half of it."""
    g_high: float
    """Its 95th percentile."""


def coil_statistics(maps: Tensor, body: Tensor) -> CoilStatistics:
    """Return the statistics of maps.

    Parameters
    ----------
    maps
        (coils, y, x) complex64; over coils their squares sum to 1, or 0 outside; y divisible by 4.
    body
        (y, x) bool: pixels that count.

    Raises
    ------
    ValueError
        y is not divisible by 4.
    """
    vectors = maps.to(torch.complex128)
    seen = vectors[:, body]
    eigenvalues = torch.linalg.eigvalsh(seen @ seen.mH)
    g = sense_g_factor(maps[None], (4,))[0][body & (maps.abs().sum(dim=0) > 0)].sort().values
    return CoilStatistics(
        turn=_turn(vectors, body),
        slope=_turn(vectors.abs().to(torch.complex128), body),
        effective=float(eigenvalues.sum() ** 2 / eigenvalues.square().sum()),
        g_median=float(g[len(g) // 2]),
        g_high=float(g[int(0.95 * (len(g) - 1))]),
    )


def _turn(vectors: Tensor, body: Tensor) -> float:
    inside = body & (vectors.abs().square().sum(dim=0) > 0)
    squared = []
    for axis in (0, 1):
        n = body.shape[axis]
        here, next_ = vectors.narrow(axis + 1, 0, n - 1), vectors.narrow(axis + 1, 1, n - 1)
        both = inside.narrow(axis, 0, n - 1) & inside.narrow(axis, 1, n - 1)
        cosine = (here.conj() * next_).sum(dim=0).abs() / (here.norm(dim=0) * next_.norm(dim=0)).clamp(min=1e-12)
        squared.append((n * cosine.clamp(max=1).arccos()[both]).square())
    return float(torch.cat(squared).mean().sqrt())
