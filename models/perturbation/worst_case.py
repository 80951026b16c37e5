"""Worst-case perturbations: the small change of k-space that changes the reconstructed image most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements
from .ascent import METHODS, Method, Place, Step
from .attacked import Attacked, Reconstruct
from .ball import Ball, Norm, ball_about
from .control import perturbed, random_control

__all__ = ["Attack", "perturbed", "random_control", "worst_case"]


@dataclass(frozen=True)
class Attack:
    """The worst perturbation that was found, and what it does."""

    delta: Tensor
    """(batch, coils, [kz,] ky, kx) complex64, to be added to k-space; zero where nothing was sampled."""
    gain: Tensor
    """(batch,) norm(f(y + delta) - f(y)) / norm(f(y)), of the whole image; 0 where the image is zero."""
    curve: Tensor
    """(iterations, batch) the ``Objective`` of the best perturbation after each step; it never falls."""
    begun: Tensor
    """(batch,) the ``Objective`` at the start: where that is random, of random noise of the same norm."""
    change: Tensor
    """(batch, ..., [z,] y, x) complex, f(y + delta) - f(y)."""


def worst_case(
    reconstruct: Reconstruct,
    measurements: Measurements,
    *,
    epsilon: float,
    iterations: int,
    generator: torch.Generator,
    norm: Norm = "l2",
    method: Method = "pgd",
    region: Tensor | None = None,
    target: Tensor | None = None,
    start: Tensor | None = None,
    together: int | None = None,
) -> Attack:
    """Search the worst perturbation of each slice, and return the best that was met.

    T. Han et al., MICCAI 2024, Algorithm 1, with a step of an optimiser, the norm relative to the data, delta on
    sampled entries alone, and the best delta instead of the last. The coil maps are held fixed: what a perturbation of
    calibration lines does to maps that are estimated from them is no part of it. For a linear reconstruction B the
    optimum is epsilon norm(y) times the largest singular value of B on sampled entries. It takes iterations + 3
    reconstructions, and as many gradients as iterations.

    Parameters
    ----------
    reconstruct
        What is attacked (white box), or its surrogate (black box: add ``delta`` to what another method gets).
    measurements
        Slices or volumes; each item of the batch has its own budget and is searched by itself.
    epsilon
        Budget, relative to what was sampled, see ``ball_about``; 0 gives a delta of 0.
    iterations
        Steps, at least 1.
    generator
        Draws the start; on a CPU the same for every device.
    norm, method
        See ``Ball`` and ``METHODS``; ``adam`` is the paper's.
    region, target
        See ``Objective``.
    start
        (batch, coils, [kz,] ky, kx) complex where to start, projected: e.g. what half the epsilon found, times two.
        None: random.
    together
        Items that are reconstructed together, which bounds the memory; None: all.

    Raises
    ------
    ValueError
        As ``ball_about``; or ``reconstruct`` computes without gradients.
    """
    ball = ball_about(measurements, epsilon, norm)
    with torch.inference_mode(mode=False), torch.enable_grad():
        attacked = Attacked(reconstruct, measurements, region=region, target=target, together=together)
        first = ball.random(generator) if start is None else ball.project(start.to(measurements.kspace))
        best, curve = climb(attacked.evaluate, ball, first, METHODS[method](ball), iterations)
        change, gain = attacked.change(best)
        return Attack(best, gain, curve[1:], curve[0], change)


def climb(
    evaluate: Callable[[Tensor, bool], tuple[Tensor, Tensor]],
    ball: Ball,
    first: Tensor,
    step: Step,
    iterations: int,
) -> tuple[Tensor, Tensor]:
    """Take steps, and keep the best.

    Parameters
    ----------
    evaluate
        From a perturbation, and whether its gradient is wanted, to its value, (batch,), and gradient.
    ball, first, step, iterations
        Where, from where, how, and how often.

    Returns
    -------
    best
        The perturbation of the largest value, item by item.
    curve
        (iterations + 1, batch) its value at the start and after each step.
    """
    here = best = Place(first, *evaluate(first, True))
    curve = [best.value]
    for left in reversed(range(iterations)):
        delta = step(here, best)
        here = Place(delta, *evaluate(delta, left > 0))
        better = here.value > best.value
        of_item = better.view(ball.radius.shape)
        best = Place(
            torch.where(of_item, here.delta, best.delta),
            torch.where(better, here.value, best.value),
            torch.where(of_item, here.gradient, best.gradient),
        )
        curve.append(best.value)
    return best.delta, torch.stack(curve)
