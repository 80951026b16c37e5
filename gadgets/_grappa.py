"""GRAPPA between messages: where the calibration lines are, and what is kept of them for later repetitions."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.records import KSpace
from ..models.classical.sampling_lattice import SamplingLattice, find_lattice
from ..models.coils.calibration_region import calibration_region
from ._device import device_of
from ._measurements import acquired

if TYPE_CHECKING:  # torch starts slowly: only scans that need it pay for it
    from torch import Tensor

    from ..models.classical.grappa_weights import GrappaKernel, GrappaWeights

Place = tuple[int, int, str]
"""Encoding space, slice and variant: whose images share weights."""

_SLICE = (64, 64, 512)
_VOLUME = (24, 24, 96)
"""Largest calibration region (kz, ky, kx) that weights are learnt from: more hardly makes them better, but slower."""


class Learnt(NamedTuple):
    """Weights of a slice."""

    weights: GrappaWeights
    size: str
    """Of the calibration region, readable."""
    repetition: int
    """The image that it came with."""


class Filled(NamedTuple):
    """K-space after GRAPPA."""

    data: NDArray[np.complex64]
    """(coils, kz, ky, kx) complex64."""
    covered: NDArray[np.bool_]
    """(kz, ky) bool: lines that hold data now."""
    words: str
    """What was done."""


@dataclass
class GrappaFiller:
    """Fills k-space in, with weights of its own calibration lines or of an earlier image of its slice."""

    kernel: tuple[int, int, int]
    """Acquired lines along kz and ky, samples along kx."""
    regularisation: float
    device: str
    limit: int
    """Bytes of weights to keep; those used longest ago are forgotten."""
    _learnt: OrderedDict[Place, Learnt] = field(init=False, default_factory=OrderedDict)

    def __call__(self, kspace: KSpace) -> Filled:
        """Fill in one k-space.

        Raises
        ------
        ValueError
            The sampling is irregular, there are too few calibration lines here and before, or as ``grappa_weights``
            says.
        """
        data, lines = acquired(kspace)
        lattice = lattice_of(lines.tobytes(), lines.shape)
        if lattice is None:
            raise ValueError(
                f"{int(lines.sum())} of {lines.size} lines came, not as a regular lattice, which GRAPPA needs: SENSE "
                "or compressed sensing take any lines"
            )
        if lattice.factor == 1:
            return Filled(data, lines, "nothing is missing between lines")
        from ..models.classical.grappa import grappa_filled

        learnt = self._weights(kspace, data, lines, lattice)
        if learnt.weights.coils != len(data):
            raise ValueError(f"k-space has {len(data)} coils, expected {learnt.weights.coils} as in its calibration")
        filled = grappa_filled(self._tensor(data), lines, lattice, learnt.weights, kspace.sampled_columns)
        blocks = f"{self.kernel[1]} x {self.kernel[2]}" if lines.shape[0] == 1 else " x ".join(map(str, self.kernel))
        words = f"{factor_of(lattice, lines.shape)}, kernel {blocks}, lambda {self.regularisation:g}"
        words += f", {learnt.size} calibration lines"
        if learnt.repetition != kspace.key.repetition:
            words += f" of repetition {learnt.repetition}"
        return Filled(filled.cpu().numpy().reshape(data.shape), lines | lattice.covered(lines), words)

    def _weights(
        self, kspace: KSpace, data: NDArray[np.complex64], lines: NDArray[np.bool_], lattice: SamplingLattice
    ) -> Learnt:
        from ..models.classical.grappa_weights import grappa_weights

        place = (kspace.key.encoding_space, kspace.key.slice, kspace.variant)
        region, size = _region(kspace, data, lines)
        try:
            weights = grappa_weights(self._tensor(region), lattice, self._kernel())
        except ValueError:
            kept = self._learnt.get(place)
            if kept is None or not kept.weights.fit(lattice):
                raise
            self._learnt.move_to_end(place)
            return kept
        self._learnt[place] = Learnt(weights, size, kspace.key.repetition)
        self._learnt.move_to_end(place)
        while len(self._learnt) > 1 and sum(one.weights.nbytes for one in self._learnt.values()) > self.limit:
            self._learnt.popitem(last=False)
        return self._learnt[place]

    def _kernel(self) -> GrappaKernel:
        from ..models.classical.grappa_weights import GrappaKernel

        return GrappaKernel(blocks=self.kernel[:2], width=self.kernel[2], regularisation=self.regularisation)

    def _tensor(self, data: NDArray[np.complex64]) -> Tensor:
        """(1, coils, [kz,] ky, kx), 4-D where there is one partition."""
        import torch

        whole = torch.from_numpy(np.array(data, np.complex64, order="C"))[None].to(device_of(self.device))
        return whole[:, :, 0] if data.shape[1] == 1 else whole


def factor_of(lattice: SamplingLattice, shape: tuple[int, int]) -> str:
    """Return the acceleration on a (kz, ky) grid, readable."""
    rz, ry = lattice.acceleration
    if shape[0] == 1:
        return f"R = {ry}"
    return f"R = {ry} x {rz}" + (f", shift {lattice.shift}" if lattice.shift else "")


@lru_cache(maxsize=64)
def lattice_of(lines: bytes, shape: tuple[int, int]) -> SamplingLattice | None:
    """Recognise the undersampling of bool lines (kz, ky); a scan has few patterns and many images."""
    return find_lattice(np.frombuffer(lines, np.bool_).reshape(shape))


def _region(kspace: KSpace, data: NDArray[np.complex64], lines: NDArray[np.bool_]) -> tuple[NDArray[np.complex64], str]:
    """Calibration lines (coils, kz, ky, kx), of a calibration scan or of the image's own centre, and how many."""
    given, where = kspace.calibration, kspace.calibration_sampled
    if given is not None and where is not None and (where & ~lines).any():  # they are not of this very image
        data, lines = given, where
    shape = _SLICE if lines.shape[0] == 1 else _VOLUME
    columns = range(*kspace.sampled_columns.indices(data.shape[-1]))
    sides = [
        _middle(side, most, n)
        for side, most, n in zip(
            (*calibration_region(lines), slice(columns.start, columns.stop)), shape, data.shape[1:], strict=True
        )
    ]
    size = " x ".join(str(side.stop - side.start) for side in (sides[:2] if lines.shape[0] > 1 else sides[1:2]))
    return data[:, *sides], size


def _middle(side: slice, most: int, size: int) -> slice:
    """At most so many of a range, about the middle of the axis."""
    return slice(max(side.start, size // 2 - most // 2), min(side.stop, size // 2 + (most + 1) // 2))
