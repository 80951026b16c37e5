"""Quantiles of images that come one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class RunningQuantiles:
    """Quantiles of real images, pixel by pixel, in the memory of so many images at most.

    Up to ``capacity`` images all are kept and the quantiles are those of all. Beyond, a random choice of that many is
    kept, each image as likely as any other (reservoir sampling, algorithm R: J. S. Vitter, ACM Trans. Math. Softw. 11,
    37 (1985)). The error is then that of ``capacity`` independent samples: what is reported as the quantile p is one of
    p + (1 - 2 p) / (capacity + 1) give or take sqrt(p (1 - p) / capacity), .92 +- .04 instead of .95 for 32.

    Parameters
    ----------
    generator
        Chooses what is kept; on the CPU. Whole images are chosen: all pixels of one come and go together.
    capacity
        Images to keep.

    Raises
    ------
    ValueError
        The capacity is below 2.
    """

    def __init__(self, generator: torch.Generator, capacity: int = 32) -> None:
        if capacity < 2:
            raise ValueError(f"capacity is {capacity}, expected at least 2")
        self._generator, self._capacity = generator, capacity
        self._kept: list[Tensor] = []
        self._count = 0

    def add(self, image: Tensor) -> None:
        """Take one more image.

        Parameters
        ----------
        image
            (...) real, like all before it.

        Raises
        ------
        ValueError
            It is complex, or has another shape than those before it.
        """
        if image.is_complex() or (self._kept and image.shape != self._kept[0].shape):
            raise ValueError(
                f"got an image {tuple(image.shape)} {image.dtype}, expected real ones of one shape"
                + (f", {tuple(self._kept[0].shape)}" if self._kept else "")
            )
        self._count += 1
        if len(self._kept) < self._capacity:
            self._kept.append(image)
            return
        place = int(torch.randint(self._count, (), generator=self._generator))
        if place < self._capacity:
            self._kept[place] = image

    @property
    def count(self) -> int:
        """Images so far."""
        return self._count

    def quantiles(self, levels: Sequence[float]) -> Tensor:
        """Return quantiles, interpolated linearly between neighbours as ``torch.quantile`` does.

        Parameters
        ----------
        levels
            Probabilities, each in [0, 1].

        Returns
        -------
            (levels, ...) of the images' type.

        Raises
        ------
        ValueError
            Fewer than two images have come, or a level is no probability.
        """
        if len(self._kept) < 2:
            raise ValueError(f"got {self._count} image, which has no spread; expected at least 2: draw more samples")
        if not all(0 <= level <= 1 for level in levels):
            raise ValueError(f"levels are {list(levels)}, expected each in [0, 1]")
        ordered = torch.stack(self._kept).sort(dim=0).values  # torch.quantile refuses more than 16 million numbers
        last = len(self._kept) - 1
        found = []
        for level in levels:
            below = min(int(level * last), last - 1)
            found.append(torch.lerp(ordered[below], ordered[below + 1], level * last - below))
        return torch.stack(found)
