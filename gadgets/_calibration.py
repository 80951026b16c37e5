"""The calibration region of k-space, and the maps that are made of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.records import Key, KSpace
from ._device import device_of
from ._measurements import acquired, calibration_is_of_image, on_grid
from .reconstruct_fourier import reconstruction_grid

_LEAST = {"espirit": 6, "walsh": 4}  # lines: fewer do not span the signal, or have no resolution


class Calibration(NamedTuple):
    """What the maps of a slice are made from: small, however large the k-space that it was cut from."""

    region: NDArray[np.complex64]
    """(coils, cz, cy, cx) complex64: the fully sampled centre of k-space."""
    complete: tuple[bool, bool, bool]
    """Whether it is all of k-space, along z, y and x."""
    source: str
    key: Key
    """The image that it came with."""

    @property
    def size(self) -> str:
        """Of the region, readable."""
        return " x ".join(str(n) for n in self.region.shape[1:] if n > 1 or self.region.shape[1] > 1)


class Maps(NamedTuple):
    """Sensitivity maps, and what is to be said of them."""

    values: NDArray[np.complex64]
    """(coils, z, y, x) complex64."""
    how: str
    """How they were made, in words."""


class Estimator(NamedTuple):
    """How maps are made; the fields are those of the gadget."""

    method: Literal["espirit", "walsh"]
    width: int
    kernel: int
    threshold: float
    crop: float
    device: str

    def calibration(self, kspace: KSpace) -> Calibration:
        """Cut out the calibration region: of calibration lines where there are any, else of the imaging lines.

        Raises
        ------
        ValueError
            It is too small.
        """
        import torch  # starts slowly: not for chains that never come here

        from ..models.coils.calibration import calibration_kspace

        data, lines = acquired(kspace)
        source = "the imaging lines"
        if kspace.calibration is not None and kspace.calibration_sampled is not None:
            source = f"{kspace.encoding.calibration_mode or 'separate'} calibration lines"
            if not calibration_is_of_image(kspace):
                data, lines = kspace.calibration, kspace.calibration_sampled
        # a reconstruction of lower resolution than was encoded has a smaller grid
        grid = [min(n, m) for n, m in zip(data.shape[1:], reconstruction_grid(kspace.encoding), strict=True)]
        data, mask = on_grid(data, lines, kspace.sampled_columns, grid)
        if grid[0] == 1:
            data, mask = data[:, 0], mask[0]
        whole, sampled = torch.from_numpy(data)[None], torch.from_numpy(mask)[None, None]
        region = calibration_kspace(whole, sampled, width=self.width, least=_LEAST[self.method])[0].numpy().copy()
        region = region.reshape(len(region), *(1,) * (4 - region.ndim), *region.shape[1:])
        complete = [n == m for n, m in zip(region.shape[1:], grid, strict=True)]
        return Calibration(region, (complete[0], complete[1], complete[2]), source, kspace.key)

    def _kernel(self, calibration: Calibration) -> int:
        """Largest edge of ESPIRiT's patches: smaller ones find enough places in few lines."""
        from ..models.coils.espirit import espirit_kernel

        edges = zip(calibration.region.shape[1:], calibration.complete, strict=True)
        return min([self.kernel, *(espirit_kernel(edge) for edge, complete in edges if not complete)])

    def maps(self, calibration: Calibration, grid: tuple[int, int, int]) -> Maps:
        """Make maps on a grid (z, y, x).

        Raises
        ------
        ValueError
            The region is not finite.
        ConfigurationError
            There is no such device.
        """
        import torch

        from ..models.coils.covering_maps import covering_maps
        from ..models.coils.walsh import walsh_maps_from_calibration

        region = torch.from_numpy(calibration.region)[None].to(device_of(self.device))
        flat = region.shape[2] == 1
        region, shape = (region[:, :, 0], grid[1:]) if flat else (region, grid)
        how = f"{self.method} from {calibration.source}, {calibration.size}"
        if self.method == "espirit":
            most = self._kernel(calibration)
            maps, kernel = covering_maps(region, shape, kernel=most, threshold=self.threshold, crop=self.crop)
            how += f", kernel {kernel}, threshold {self.threshold:g}"
        else:
            maps = walsh_maps_from_calibration(region, shape, crop=self.crop)
        found = maps[0].cpu().numpy()
        values = np.repeat(found[:, None], grid[0], axis=1) if flat else found
        return Maps(values, f"{how}, crop {self.crop:g}")
