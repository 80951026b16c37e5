"""What holds stacks of slices together, as a prior of slices does not."""

from __future__ import annotations

import torch
from torch import Tensor

from ..classical.conjugate_gradient import conjugate_gradient
from ..operators.finite_differences import FiniteDifferences
from ..operators.linear_operator import LinearOperator
from ..operators.proximal import soft_threshold


class CoherentSlices:
    """Rounds of ADMM towards the minimum of ||A x - y||^2 / 2 + weight sum |D x|, D the differences along z.

    H. Chung et al., CVPR 2023 (arXiv:2211.10655), eq. 13 to 15: a round is a few conjugate gradients on

        (A^H A + penalty D^H D) x = A^H y + penalty D^H (d - u),

    from the image that is given, and towards it if asked to; then d = shrink(D x + u, weight / penalty); then
    u = u + D x - d. The next call begins with these d and u, whatever image it is given. What neither A nor D sees
    stays as it was given. The first and the last slice are no neighbours: published code lets differences wrap around.

    Parameters
    ----------
    operator
        A: (batch, z, y, x) to measurements.
    zero_filled
        (batch, z, y, x) A^H y.
    weight
        Of the total variation, in the unit of the image.
    penalty
        rho: the larger, the more a round holds slices together, and the less it asks for the measurements.
    iterations
        Conjugate gradients in a round.

    Raises
    ------
    ValueError
        Images are no stacks.
    """

    def __init__(
        self, operator: LinearOperator, zero_filled: Tensor, weight: float, penalty: float, iterations: int
    ) -> None:
        if zero_filled.ndim != 4:
            raise ValueError(
                f"images are {tuple(zero_filled.shape)}, expected stacks of slices, (batch, z, y, x): this sampler is "
                "for volumes; for single slices take another, such as dds"
            )
        self._operator, self._zero_filled = operator, zero_filled
        self._weight, self._penalty, self._iterations = weight, penalty, iterations
        self._differences = FiniteDifferences((-3,))
        self._shrunk = self._dual = torch.zeros_like(self._differences(zero_filled))

    def __call__(self, x: Tensor, prior: float | Tensor = 0.0, start: Tensor | None = None) -> Tensor:
        """Do a round.

        Parameters
        ----------
        x
            (batch, z, y, x) images.
        prior
            At least 0, for all items or (batch, 1, 1, 1): prior ||x^ - x||^2 / 2 is added to what is minimised.
        start
            Where conjugate gradients start; x by default.
        """
        differences = self._differences
        found = conjugate_gradient(
            lambda v: self._operator.normal(v) + self._penalty * differences.normal(v) + prior * v,
            self._zero_filled + self._penalty * differences.adjoint(self._shrunk - self._dual) + prior * x,
            start=x if start is None else start,
            iterations=self._iterations,
        )
        differing = differences(found)
        self._shrunk = soft_threshold(differing + self._dual, self._weight / self._penalty)
        self._dual = self._dual + differing - self._shrunk
        return found
