"""Mean and variance of images that come one after the other."""

from __future__ import annotations

import torch
from torch import Tensor


class RunningMoments:
    """Mean and variance of real or complex images, pixel by pixel, in the memory of two images however many come.

    B. P. Welford, Technometrics 4, 419 (1962); merging: T. F. Chan, G. H. Golub, R. J. LeVeque, The American
    Statistician 37, 242 (1983).
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = torch.zeros(())

    def add(self, image: Tensor) -> None:
        """Take one more image.

        Parameters
        ----------
        image
            (...) float or complex, like all before it.

        Raises
        ------
        ValueError
            It has another shape or type than those before it.
        """
        if self._count:
            self._check(image)
        else:
            self._mean = torch.zeros_like(image)
            self._squares = torch.zeros_like(image, dtype=image.real.dtype)
        self._count += 1
        before = image - self._mean
        self._mean = self._mean + before / self._count
        self._squares = self._squares + (before.conj() * (image - self._mean)).real

    @property
    def count(self) -> int:
        """Images so far."""
        return self._count

    @property
    def mean(self) -> Tensor:
        """Mean, of the images' shape and type.

        Raises
        ------
        ValueError
            No image has come.
        """
        if not self._count:
            raise ValueError("no image has come, expected at least 1")
        return self._mean

    @property
    def squares(self) -> Tensor:
        """Sum of |image - mean|^2, real."""
        return self._squares

    @property
    def variance(self) -> Tensor:
        """Unbiased variance, real: of complex images E|x - mean|^2, which is that of both parts together.

        Raises
        ------
        ValueError
            Fewer than two images have come: one has no spread.
        """
        if self._count < 2:
            raise ValueError(f"got {self._count} image, which has no spread; expected at least 2: draw more samples")
        return self._squares / (self._count - 1)

    @property
    def deviation(self) -> Tensor:
        """Standard deviation, the root of ``variance``.

        Raises
        ------
        ValueError
            As ``variance``.
        """
        return self.variance.sqrt()

    def merge(self, other: RunningMoments) -> None:
        """Take all the images that another has taken, as if they had come here.

        Raises
        ------
        ValueError
            They have another shape or type than those before them.
        """
        if not other.count:
            return
        if not self._count:
            self._count, self._mean, self._squares = other.count, other.mean, other.squares
            return
        self._check(other.mean)
        apart = other.mean - self._mean
        before, self._count = self._count, self._count + other.count
        share = other.count / self._count
        self._mean = self._mean + apart * share
        self._squares = self._squares + other.squares + apart.abs().square() * (before * share)

    def _check(self, image: Tensor) -> None:
        if image.shape != self._mean.shape or image.dtype != self._mean.dtype:
            raise ValueError(
                f"got an image {tuple(image.shape)} {image.dtype} after images {tuple(self._mean.shape)} "
                f"{self._mean.dtype}, expected the same"
            )
