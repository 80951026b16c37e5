"""Images of radial, spiral and other scans: coil images by gridding, or one image by SENSE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget, Signature
from ..engine.provenance import scan_labels
from ..engine.records import CoilImages, Reconstruction, TrajectoryKSpace
from ..models.fourier import resized
from ._calibration import Calibration, Estimator
from ._device import device_of
from ._gridding import Gridding
from .reconstruct_fourier import reconstruction_grid

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from torch import Tensor


@dataclass(kw_only=True)
class ReconstructNonuniform(Gadget[TrajectoryKSpace, CoilImages | Reconstruction]):
    """Reconstruct k-space along trajectories by gridding or by SENSE.

    Samples are weighted by one over their density, found by iteration (Pipe 1999); those beyond what the reconstruction
    matrix resolves are left out. ``gridding`` makes coil images, which keep the streaks of undersampled scans; of
    prewhitened data they are in SNR units. ``sense`` makes the one image that fits the samples of all coils
    (Pruessmann 2001), with coil maps of the gridded centre of k-space (ESPIRiT, Uecker 2014), which must be fully
    sampled.
    """

    heavy: ClassVar[bool] = True

    method: Literal["gridding", "sense"] = "gridding"
    """``gridding``: one image a coil, for combine_coils. ``sense``: one image, already combined."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 20
    """``sense``: conjugate gradient steps."""
    regularisation: Annotated[float, Field(ge=0, le=1)] = 0.01
    """``sense``: Tikhonov's lambda, over the eigenvalues that fully sampled k-space has, about: more means less noise
    and more streaks."""
    calibration_width: Annotated[int, Field(ge=6, le=96)] = 24
    """``sense``: most points of the centre of k-space along each axis to make coil maps of."""
    magnitude: bool = True
    """``sense``: True for a float32 magnitude, False for the complex image."""
    density_iterations: Annotated[int, Field(ge=1, le=200)] = 20
    """Steps of the density compensation."""
    width: Annotated[int, Field(ge=3, le=8)] = 6
    """Points of the interpolation kernel along each axis: 4 is right to about 1e-3, 6 to 1e-5."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _last: Gridding | None = field(init=False, default=None)

    def types(self) -> Signature:
        """Coil images, or one image, as the method has it."""
        return Signature((TrajectoryKSpace,), (CoilImages if self.method == "gridding" else Reconstruction,))

    def start(self, context: Context) -> None:
        """Load the numerics: the first image would wait for them."""
        from ..models.classical import nonuniform_sense  # noqa: F401
        from ..models.operators import density_compensation  # noqa: F401

        device_of(self.device)

    def receive(self, message: TrajectoryKSpace) -> Iterable[CoilImages | Reconstruction]:
        """Reconstruct one image or volume."""
        if not np.isfinite(message.data).all():
            raise DataError(
                f"slice {message.key.slice}: k-space holds values that are not finite, expected finite samples; "
                "check_readouts, earlier in the chain, finds the readouts"
            )
        gridding = self._gridding(message)
        images = gridding.images(message.data)
        if self.method == "gridding":
            return (self._coil_images(message, gridding, images.cpu().numpy()),)
        return (self._unfolded(message, gridding, images),)

    def _coil_images(self, message: TrajectoryKSpace, gridding: Gridding, images: NDArray[np.complex64]) -> CoilImages:
        step = f"reconstruct_nonuniform: gridding, density compensated in {self.density_iterations} steps"
        step += gridding.words
        if message.noise.prewhitened:
            images /= np.float32(gridding.noise)
            step += ", scaled to SNR units"
        if images.ndim == 3:
            images = images[:, np.newaxis]
        return CoilImages(message, images, "gridding", (*message.history, step))

    def _unfolded(self, message: TrajectoryKSpace, gridding: Gridding, images: Tensor) -> Reconstruction:
        from ..models.classical.nonuniform_sense import NonuniformSense

        sense = NonuniformSense(iterations=self.iterations, regularisation=self.regularisation)
        maps, how = self._maps(message, gridding, images)
        image = sense(images[None], gridding.toeplitz, maps[None]).cpu().numpy()
        axes = range(1, image.ndim)
        data: NDArray[Any] = resized(image, message.encoding.recon.matrix[::-1][-len(axes) :], tuple(axes))
        step = f"{self.iterations} conjugate gradient steps, lambda {self.regularisation:g}"
        step += f", density compensated in {self.density_iterations} steps{gridding.words}"
        return Reconstruction(
            key=message.key,
            data=(np.abs(data) if self.magnitude else data).reshape(1, -1, *data.shape[-2:]),
            header=message.header,
            encoding=message.encoding,
            method="sense",
            quantity="magnitude" if self.magnitude else "complex",
            unit="k-space noise" if message.noise.prewhitened else "a.u.",
            variant=message.variant,
            history=(*message.history, f"reconstruct_nonuniform: {how}", f"reconstruct_nonuniform: {step}"),
            meta={**scan_labels(message), "EchotrainSensitivities": how},
        )

    def _maps(self, message: TrajectoryKSpace, gridding: Gridding, images: Tensor) -> tuple[Tensor, str]:
        """Make coil maps of the image's own centre of k-space, and say how."""
        import torch

        from ..models.coils.gridded_calibration import gridded_calibration

        points, weights = gridding.points, gridding.weights
        try:
            (region,) = gridded_calibration(images[None], points, weights, width=self.calibration_width)
        except ValueError as error:
            raise DataError(f'slice {message.key.slice} has no maps: {error}; or set method = "gridding"') from error
        flat = (1,) * (4 - region.ndim)
        grid, edges = (*flat, *images.shape[1:]), (*flat, *region.shape[1:])
        complete = [edge == n for edge, n in zip(edges, grid, strict=True)]
        calibration = Calibration(
            region.reshape(-1, *edges).cpu().numpy(),
            (complete[0], complete[1], complete[2]),
            "the gridded centre of k-space",
            message.key,
        )
        estimator = Estimator("espirit", self.calibration_width, 6, 0.03, 0.8, self.device)
        maps = estimator.maps(calibration, grid)
        return torch.from_numpy(maps.values).to(images.device).reshape(images.shape), maps.how

    def _gridding(self, message: TrajectoryKSpace) -> Gridding:
        """Prepare a trajectory, or take what the one before needed."""
        if self._last is None or not self._last.is_for(message):
            encoding, dims = message.encoding, message.trajectory.shape[2]
            # what lies outside of the image is part of what the coils saw, and must be there to be fitted
            whole = encoding.recon.matrix[::-1] if self.method == "gridding" else reconstruction_grid(encoding)
            self._last = Gridding.of(
                message,
                whole[-dims:],
                iterations=self.density_iterations,
                width=self.width,
                device=device_of(self.device),
            )
        return self._last
