"""What is attacked: a reconstruction of some slices, with its value for the attack and the gradient of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..measurements import Measurements
from .control import perturbed
from .objective import Objective

Reconstruct = Callable[[Measurements], Tensor]
"""Measurements to (batch, ..., [z,] y, x) complex: always the same for the same measurements, and differentiable in
k-space. Several samples of a slice may stand on axes after the batch: their mean square change counts."""


class Attacked:
    """Evaluates perturbations, a few items of the batch at a time.

    Parameters
    ----------
    reconstruct
        See ``Reconstruct``.
    measurements
        The clean ones.
    region, target
        See ``Objective``; broadcastable to (batch, [z,] y, x).
    together
        Items that are reconstructed together; None: all.
    """

    def __init__(
        self,
        reconstruct: Reconstruct,
        measurements: Measurements,
        *,
        region: Tensor | None = None,
        target: Tensor | None = None,
        together: int | None = None,
    ) -> None:
        self._reconstruct = reconstruct
        self.latest: Tensor
        """(batch, ..., [z,] y, x) complex: f(y + delta) - f(y) where it was evaluated last."""
        shape = (len(measurements), *measurements.maps.shape[2:])
        self._parts: list[tuple[slice, Measurements, Objective]] = []
        at_once = together or len(measurements)
        for first in range(0, len(measurements), at_once):
            items = slice(first, first + at_once)
            part = _items(measurements, items)
            with torch.no_grad():
                clean = reconstruct(part)
            between = (1,) * (clean.ndim - len(shape))
            weights, wanted = (
                None if x is None else x.to(clean.device).expand(shape)[items].reshape(-1, *between, *shape[1:])
                for x in (region, target)
            )
            self._parts.append((items, part, Objective(clean, weights, wanted)))

    def evaluate(self, delta: Tensor, gradient: bool) -> tuple[Tensor, Tensor]:
        """Return the ``Objective`` of perturbed items, (batch,) real, and its gradient: zeros where none is wanted.

        Raises
        ------
        ValueError
            The gradient is wanted, and the reconstruction computes without, or it is not finite.
        """
        values, gradients, changes = [], [], []
        for items, part, objective in self._parts:
            change = delta[items].detach().requires_grad_(gradient)
            with torch.set_grad_enabled(gradient):
                image = self._reconstruct(replace(part, kspace=part.kspace + change))
                value = objective(image)
            values.append(value.detach())
            changes.append(image.detach() - objective.clean)
            gradients.append(self._gradient(value, change, part) if gradient else torch.zeros_like(change))
        self.latest = torch.cat(changes)
        return torch.cat(values), torch.cat(gradients)

    def residual(self) -> Tensor:
        """Return A f(y) - y of the clean items, (batch, coils, [kz,] ky, kx); of several samples, their mean's."""
        residuals = []
        for _, part, objective in self._parts:
            between = tuple(range(1, objective.clean.ndim - part.maps.ndim + 2))
            image = objective.clean.mean(dim=between) if between else objective.clean
            residuals.append(part.operator()(image.to(part.kspace)) - part.kspace * part.mask)
        return torch.cat(residuals)

    def change(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(y + delta) - f(y), complex, and its norm over that of f(y), (batch,) real."""
        changes, gains = [], []
        for items, part, objective in self._parts:
            with torch.no_grad():
                image = self._reconstruct(perturbed(part, delta[items]))
                changes.append(image - objective.clean)
                gains.append(Objective(objective.clean)(image))
        return torch.cat(changes), torch.cat(gains)

    def _gradient(self, value: Tensor, change: Tensor, part: Measurements) -> Tensor:
        if not value.requires_grad:
            card = getattr(self._reconstruct, "card", None)
            label, name = ("the reconstruction", "NAME") if card is None else (card.label, repr(card.name))
            raise ValueError(
                f"{label} computes without gradients, as loaded models, ONNX Runtime and draw() do; white_box({name}) "
                "gives the same with gradients, in PyTorch"
            )
        (gradient,) = torch.autograd.grad(value.sum(), change)
        # a scan that is zero has no budget, and its brightness, that many methods divide by, no derivative
        signal = (part.kspace != 0).flatten(1).any(dim=1).view(-1, *(1,) * (change.ndim - 1))
        gradient = torch.where(signal, gradient, 0)
        if not gradient.isfinite().all():
            raise ValueError(
                "the gradient of the reconstruction is not finite: k-space is not, or the method has kinks where it is "
                "zero, as total variation has; attack a surrogate instead"
            )
        return gradient


def _items(measurements: Measurements, items: slice) -> Measurements:
    """Return some items; copies where tensors were made in inference mode, of which autograd keeps none."""

    def plain(x: Tensor) -> Tensor:
        return x[items].clone() if x.is_inference() else x[items]

    m = measurements
    return replace(m, kspace=plain(m.kspace), mask=plain(m.mask), maps=plain(m.maps))
