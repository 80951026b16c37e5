"""Images by iterative SENSE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from ..engine.gadget import Context, Gadget, Signature
from ..engine.records import CalibratedKSpace, Reconstruction
from ._device import device_of
from ._iterative import reconstructed, signature_of


@dataclass(kw_only=True)
class ReconstructSense(Gadget[CalibratedKSpace, Reconstruction | CalibratedKSpace]):
    """Unfold images or volumes by SENSE with conjugate gradients (Pruessmann 2001), whatever lines were sampled.

    K-space without signal gives an image of zeros; k-space that is not finite ends the session.
    """

    heavy: ClassVar[bool] = True

    iterations: Annotated[int, Field(ge=1, le=1000)] = 30
    """Conjugate gradient steps, at most."""
    regularisation: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Tikhonov's lambda, over the largest eigenvalue that fully sampled k-space has: more means less noise and more
    aliasing."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Stop once the residual's norm is this part of the zero-filled image's; 0 takes all iterations."""
    magnitude: bool = True
    """True for a float32 magnitude, False for the complex image."""
    keep_kspace: bool = False
    """Pass the k-space on, for another reconstruction of it further down the chain."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    def types(self) -> Signature:
        """K-space passes only where ``keep_kspace`` lets it."""
        return signature_of(keep_kspace=self.keep_kspace)

    def start(self, context: Context) -> None:
        """Load the numerics: the first image would wait for them."""
        from ..models.classical import cg_sense  # noqa: F401

        device_of(self.device)

    def receive(self, message: CalibratedKSpace) -> Iterable[Reconstruction | CalibratedKSpace]:
        """Reconstruct one image or volume."""
        from ..models.classical.cg_sense import CGSense

        yield reconstructed(
            message,
            CGSense(iterations=self.iterations, regularisation=self.regularisation, tolerance=self.tolerance),
            device=device_of(self.device),
            method="sense",
            step=f"reconstruct_sense: {self.iterations} conjugate gradient steps, lambda {self.regularisation:g}",
            magnitude=self.magnitude,
        )
        if self.keep_kspace:
            yield message
