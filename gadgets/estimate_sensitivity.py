"""How sensitive the reconstruction of a scan is to small changes of the scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from ..engine.errors import Cancelled, ConfigurationError, DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import MetaValue
from ..engine.records import CalibratedKSpace, Reconstruction
from ..models.model_store import shared_store
from ._device import device_of
from ._iterative import finite_measurements
from ._measurements import reconstruction_of
from ._perturbation import ACQUIRED
from ._surrogate import WITHOUT_MODEL, known_surrogate

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from torch import Tensor

    from ..models.measurements import Measurements


@dataclass(kw_only=True)
class EstimateSensitivity(Gadget[CalibratedKSpace, CalibratedKSpace | Reconstruction]):
    """Search, in a few steps, a small change of this very scan that changes its image much, and compare with noise.

    The search begins at what the image leaves unexplained of the data. If somebody changed the scan in the worst way,
    it tends to find that change again, and ``flag_artifacts`` looks along it: the change goes with the k-space.

    It stands before the gadget that reconstructs: k-space passes, and carries the figures into the metadata of all
    images that are made of it. ``EchotrainSensitivity`` is the amplification, norm of the image's change over norm of
    the data's, of the worst change that was found, over that of random noise: 1 if the reconstruction has no direction
    to fear. It is a lower bound, as the search is short, and it is that of one reconstruction,
    ``EchotrainSensitivityModel``, with the maps that it was given.
    """

    heavy: ClassVar[bool] = True

    model: str = "default-supervised"
    """The reconstruction that the chain uses: a model or prior by name, ``cg-sense`` or ``zero-filled``."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Norm of the change relative to that of the sampled data."""
    iterations: Annotated[int, Field(ge=1, le=100)] = 3
    """Steps; three take as long as about ten reconstructions."""
    steps: Annotated[int, Field(ge=1, le=100)] = 4
    """Of the sampler (``dds``), where the model is a prior."""
    samples: Annotated[int, Field(ge=1, le=64)] = 2
    """Over which a prior's sensitivity is the mean."""
    map: bool = True
    """Send a map, too: how much each pixel changed by the worst change, over the root mean square by which the samples
    of k-space did; noise gives the like of sqrt(R) times a g-factor map there."""
    only_acquired: bool = False
    """Pass copies that an earlier gadget perturbed as they are."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _name: str = field(init=False)
    _hash: str = field(init=False)
    # Reconstruct: chains read annotations when the program runs, without torch
    _reconstruct: Callable[[Any], Any] = field(init=False)
    _context: Context = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a model that is not there when the chain is built."""
        try:
            known = known_surrogate(self.model)
        except ValueError as error:
            raise ConfigurationError(f"estimate_sensitivity: {error}") from error
        self._name, self._hash = known.name, known.digest

    def start(self, context: Context) -> None:
        """Load the model."""
        from ..models.perturbation.white_box import white_box

        self._context = context
        device_of(self.device)
        self._reconstruct = white_box(
            self._name, shared_store(), device=self.device, steps=self.steps, samples=self.samples, seed=context.seed
        )

    def receive(self, message: CalibratedKSpace) -> Iterator[CalibratedKSpace | Reconstruction]:
        """Estimate the sensitivity of one image or volume."""
        if self.only_acquired and message.kspace.variant != ACQUIRED:
            yield message
            return
        import torch

        from ..models.partitions import as_slices
        from ..models.perturbation.sensitivity import search_text, sensitivity
        from ..models.samplers.diffusion_reconstruction import sample_seeds

        volume = finite_measurements(message, device_of(self.device))
        (seed,) = sample_seeds(self._context.seed, message.kspace.key, 1)
        try:
            found = sensitivity(
                self._asked,
                volume if self._name in WITHOUT_MODEL else as_slices(volume),
                epsilon=self.epsilon,
                iterations=self.iterations,
                generator=torch.Generator().manual_seed(seed),
                together=1,
            )
        except (ValueError, MemoryError) as error:
            raise DataError(f"slice {message.kspace.key.slice}: estimate_sensitivity: {error}") from error
        # of the slices of a volume, the most sensitive
        worst = int(found.ratio.argmax())
        meta: dict[str, MetaValue] = {
            "EchotrainSensitivity": repr(float(found.ratio[worst])),
            "EchotrainSensitivityWorst": repr(float(found.worst[worst])),
            "EchotrainSensitivityRandom": repr(float(found.random[worst])),
            "EchotrainSensitivityModel": self._name,
            "EchotrainSensitivityHash": self._hash,
            "EchotrainSensitivitySearch": search_text(self.epsilon, self.iterations),
        }
        step = (
            f"estimate_sensitivity: {self._name} amplifies the worst change found {found.ratio[worst]:.3g} times as "
            f"much as noise, {meta['EchotrainSensitivitySearch']}"
        )
        kspace = replace(message.kspace, meta={**message.kspace.meta, **meta}, history=(*message.kspace.history, step))
        history, change = (*message.history, step), None if self._name in WITHOUT_MODEL else found.delta.cpu().numpy()
        noted = replace(message, kspace=kspace, history=history, worst_change=change)
        if self.map:  # before k-space, as all images that are made of it
            image = reconstruction_of(noted, found.map, method=self._name, step="estimate_sensitivity: map")
            yield replace(image, quantity="sensitivity", unit="change of k-space samples")
        yield noted

    def _asked(self, measurements: Measurements) -> Tensor:
        """Reconstruct, unless the session is over."""
        if self._context.cancelled():
            raise Cancelled("the session ended while the sensitivity of its images was being estimated")
        image: Tensor = self._reconstruct(measurements)
        return image
