"""What a worst-case perturbation is to do to the image: change it, change a region of it, or show a structure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .ball import item_norm


@dataclass(frozen=True)
class Objective:
    """How well an image serves the attack, for each item of a batch: more is worse for who reads the image.

    Without a target it is norm(w (f(y + delta) - f(y))) / norm(f(y)): the loss of Algorithm 1 of T. Han et al., MICCAI
    2024, an L2 distance to the clean *reconstruction*; no ground truth is needed. With a target d, the wanted change,
    it is 1 - norm(w (f(y + delta) - f(y) - d)) / norm(w d): 0 if nothing changes, 1 if exactly d does.
    """

    clean: Tensor
    """f(y), (batch, ...) complex; several samples of a slice stand on axes between."""
    region: Tensor | None = None
    """Weights w, broadcastable to (batch, [z,] y, x), real or bool; None: 1 everywhere."""
    target: Tensor | None = None
    """Wanted change d, broadcastable to (batch, [z,] y, x) complex."""

    def __call__(self, image: Tensor) -> Tensor:
        """Return how well images f(y + delta) serve, (batch,) real; differentiable."""
        if self.target is None:
            return _ratio(self._weighted(image - self.clean), self.clean)
        wanted = self.target.expand(self.clean.shape)
        return 1 - _ratio(self._weighted(image - self.clean - wanted), self._weighted(wanted))

    def _weighted(self, image: Tensor) -> Tensor:
        return image if self.region is None else image * self.region


def _ratio(change: Tensor, reference: Tensor) -> Tensor:
    size = item_norm(reference).flatten()
    squares = torch.view_as_real(change / torch.where(size > 0, size, 1).view(-1, *(1,) * (change.ndim - 1))).square()
    total = squares.flatten(1).sum(dim=1)
    changed = total > 0
    return torch.where(changed, torch.where(changed, total, 1).sqrt(), 0)  # a gradient of 0, not NaN, at no change
