"""SENSE by conjugate gradients for k-space along trajectories."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..operators.linear_operator import LinearOperator
from ..operators.sensitivities import SensitivityOperator
from .conjugate_gradient import conjugate_gradient
from .zero_filled import brightness


@dataclass(frozen=True, kw_only=True)
class NonuniformSense:
    """Minimise ||W^1/2 (F S x - y)||^2 + regularisation ||x||^2 for any trajectory F, slices or volumes.

    K. P. Pruessmann et al., Magn. Reson. Med. 46, 638 (2001): conjugate gradients from zero, with the density
    compensation W in the normal equations. Where k-space is undersampled W is about one, so that samples count alike;
    where they lie close together, as in the middle of spokes, they count less. That costs a little noise, and saves
    most of the iterations.
    """

    iterations: int = 20
    """Conjugate gradient steps."""
    regularisation: float = 0.01
    """Relative to the eigenvalues of the normal equations of fully sampled k-space: about 1, as maps are normalised and
    W is an area of k-space. More means less noise and more of the gridded image's streaks; 0 is least squares,
    regularised by few iterations alone."""

    def __call__(self, gridded: Tensor, toeplitz: LinearOperator, maps: Tensor) -> Tensor:
        """Reconstruct a batch of images of one trajectory.

        Parameters
        ----------
        gridded
            F^H W y, (batch, coils, [z,] y, x) complex64, any unit.
        toeplitz
            F^H W F, of the same F and W.
        maps
            (batch or 1, coils, [z,] y, x) complex64 sensitivities; over coils their squares sum to 1 or to 0.

        Returns
        -------
            (batch, [z,] y, x) complex64 in the unit of k-space (orthonormal transforms).
        """
        coils = SensitivityOperator(maps)
        model = coils.H @ toeplitz @ coils
        rhs = coils.adjoint(gridded)
        unit = brightness(rhs)
        return unit * conjugate_gradient(
            lambda x: torch.add(model(x), x, alpha=self.regularisation),
            rhs / unit,
            iterations=self.iterations,
        )
