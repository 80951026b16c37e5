"""Images by compressed sensing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from ..engine.gadget import Context, Gadget, Signature
from ..engine.records import CalibratedKSpace, Reconstruction
from ._device import device_of
from ._iterative import reconstructed, signature_of

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from ..models.measurements import Reconstructor


@dataclass(kw_only=True)
class ReconstructCompressedSensing(Gadget[CalibratedKSpace, Reconstruction | CalibratedKSpace]):
    """Reconstruct randomly undersampled images or volumes as the simplest ones that fit the data (Lustig 2007).

    K-space without signal gives an image of zeros; k-space that is not finite ends the session.
    """

    heavy: ClassVar[bool] = True

    regulariser: Literal["wavelet", "tv"] = "wavelet"
    """What simple means. ``wavelet``: few wavelet coefficients, slice by slice. ``tv``: a small total variation, flat
    regions with sharp edges, along all directions of a volume."""
    weight: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of the regulariser, over the root mean square of the zero-filled image's brighter half: more means smoother.
    None: 0.005 for ``wavelet``, 0.004 for ``tv``."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 60
    """Of FISTA."""
    wavelet: Literal["haar", "db2", "db3", "db4", "sym4", "coif1"] = "db2"
    """For ``wavelet``: longer ones suit smoother images; ``haar`` is the fastest, and blocky where data are few."""
    magnitude: bool = True
    """True for a float32 magnitude, False for the complex image."""
    keep_kspace: bool = False
    """Pass the k-space on, for another reconstruction of it further down the chain."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _seed: int = field(init=False)

    def types(self) -> Signature:
        """K-space passes only where ``keep_kspace`` lets it."""
        return signature_of(keep_kspace=self.keep_kspace)

    def start(self, context: Context) -> None:
        """Load the numerics: the first image would wait for them."""
        self._seed = context.seed
        device_of(self.device)
        self._method()

    def receive(self, message: CalibratedKSpace) -> Iterable[Reconstruction | CalibratedKSpace]:
        """Reconstruct one image or volume."""
        reconstruct, words = self._method()
        yield reconstructed(
            message,
            reconstruct,
            device=device_of(self.device),
            method=f"cs-{self.regulariser}",
            step=f"reconstruct_compressed_sensing: {self.iterations} iterations of FISTA, {words}",
            magnitude=self.magnitude,
        )
        if self.keep_kspace:
            yield message

    def _method(self) -> tuple[Reconstructor, str]:
        if self.regulariser == "tv":
            from ..models.classical.total_variation import TotalVariation

            weight = TotalVariation.weight if self.weight is None else self.weight
            return TotalVariation(weight=weight, iterations=self.iterations), f"total variation, weight {weight:g}"
        from ..models.classical.wavelet_l1 import WaveletL1

        weight = WaveletL1.weight if self.weight is None else self.weight
        words = f"L1 norm of {self.wavelet} wavelets, weight {weight:g}, seed {self._seed}"
        return WaveletL1(weight=weight, iterations=self.iterations, wavelet=self.wavelet, seed=self._seed), words
