"""Universal perturbations: one for many slices."""

from __future__ import annotations

import torch
from torch import Tensor

from ..measurements import Measurements
from .ascent import METHODS, Method
from .attacked import Attacked, Reconstruct
from .ball import Ball, Norm, ball_about, item_norm
from .worst_case import Attack, climb


def universal(
    reconstruct: Reconstruct,
    measurements: Measurements,
    *,
    epsilon: float,
    iterations: int,
    generator: torch.Generator,
    norm: Norm = "l2",
    method: Method = "pgd",
    region: Tensor | None = None,
    together: int | None = None,
) -> Attack:
    """Search one pattern of k-space that changes many slices most, in their mean.

    S.-M. Moosavi-Dezfooli et al., CVPR 2017. Scans differ in scale and reconstructions do not care, so what slices
    share is delta / norm(y): each is perturbed by the pattern times the norm of its own data. On slices that it was not
    made for it is used in the same way.

    Parameters
    ----------
    measurements
        Slices of one matrix, one number of coils and one mask.
    reconstruct, epsilon, iterations, generator, norm, method, region, together
        As for ``worst_case``.

    Returns
    -------
        A delta and a gain for each slice; the curve, (iterations, 1), is the mean over slices.

    Raises
    ------
    ValueError
        As ``worst_case``; or the slices were not sampled alike.
    """
    mask = measurements.mask
    if not (mask == mask[:1]).all():
        raise ValueError("the slices were not sampled alike, and one perturbation for all needs one mask")
    unit = item_norm(measurements.kspace * mask)
    radius = ball_about(measurements, epsilon, norm).radius / torch.where(unit > 0, unit, 1)
    ball = Ball(norm, radius.amax(dim=0, keepdim=True), mask[:1].expand(1, *measurements.kspace.shape[1:]))
    with torch.inference_mode(mode=False), torch.enable_grad():
        attacked = Attacked(reconstruct, measurements, region=region, together=together)

        def evaluate(pattern: Tensor, gradient: bool) -> tuple[Tensor, Tensor]:
            values, gradients = attacked.evaluate(pattern * unit, gradient)
            return values.mean(dim=0, keepdim=True), (gradients * unit).mean(dim=0, keepdim=True)

        best, curve = climb(evaluate, ball, ball.random(generator), METHODS[method](ball), iterations)
        delta = best * unit
        change, gain = attacked.change(delta)
        return Attack(delta, gain, curve[1:], curve[0], change)
