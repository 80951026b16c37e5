"""Where in an image it is wrong: air, dark, grey and bright tissue, and edges."""

from __future__ import annotations

import torch
from torch import Tensor

from ..uncertainty.body import body_mask
from .metrics import fitted_magnitude

REGIONS = ("air", "dark", "grey", "bright", "edges")
_EDGES = 0.85  # quantile of the gradient within the body: what is steeper is an edge


def region_errors(image: Tensor, reference: Tensor) -> Tensor:
    """Compare magnitudes after one least-squares scale, region by region.

    Air is what is outside the body; dark, grey and bright tissue are thirds of the body's pixels by the reference's
    magnitude; edges are the 15 % of the body where the reference is steepest, whatever their magnitude.

    Parameters
    ----------
    image, reference
        (batch, y, x) complex or real, on the CPU.

    Returns
    -------
        (batch, regions) float64: root mean square of the error in each of ``REGIONS``, over that of the reference in
        the body; NaN where a slice has no such pixel.
    """
    r = reference.abs().double()
    squared = (fitted_magnitude(image, reference) - r).square()
    return torch.stack(
        [
            torch.stack([e[region].mean() for region in _regions(one, body)]).sqrt() / one[body].square().mean().sqrt()
            for e, one, body in zip(squared, r, body_mask(r), strict=True)
        ]
    )


def _regions(reference: Tensor, body: Tensor) -> list[Tensor]:
    thirds = torch.quantile(reference[body], torch.tensor([1 / 3, 2 / 3], dtype=reference.dtype))
    third = torch.bucketize(reference, thirds)
    steepness = torch.hypot(*torch.gradient(reference))
    edges = body & (steepness > torch.quantile(steepness[body], _EDGES))
    return [~body, *(body & (third == number) for number in range(3)), edges]
