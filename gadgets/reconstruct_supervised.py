"""Images by a trained network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..engine.errors import Cancelled, ConfigurationError, DataError
from ..engine.gadget import Context, Gadget, Signature
from ..engine.logs import get_logger
from ..engine.messages import MetaValue
from ..engine.records import CalibratedKSpace, Reconstruction
from ..models.model_card import ModelError
from ..models.model_store import shared_store
from ._iterative import finite_measurements, signature_of
from ._measurements import reconstruction_of
from ._scan_figures import beyond_training, scan_figures

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from ..models.measurements import Measurements
    from ..models.runtimes.batching import Call
    from ..models.runtimes.loaded_model import LoadedModel


@dataclass(frozen=True)
class _Work:
    """An image that is being reconstructed."""

    shape: tuple[int, ...]
    """([z,] y, x) of the image."""
    slices: Measurements
    call: Call


@dataclass(kw_only=True)
class ReconstructSupervised(Gadget[CalibratedKSpace, Reconstruction | CalibratedKSpace]):
    """Reconstruct images by a network that was trained on pairs of undersampled scans and their truth.

    Volumes are reconstructed slice by slice, which needs their second phase encoding sampled in full. A scan beyond
    what the model was trained for is reconstructed all the same, and its images say in what it is beyond. Networks can
    invent what was not measured: the model's card says what is known of it.
    """

    heavy: ClassVar[bool] = True

    model: str = "default-supervised"
    """Name of a model, or NAME@VERSION to have that version or none; ``echotrain models list`` shows them."""
    runtime: Literal["torch", "compiled", "onnx"] = "torch"
    """What computes the network: PyTorch, PyTorch compiled, or ONNX Runtime, whose first use of a model takes
    seconds."""
    magnitude: bool = True
    """True for a float32 magnitude, False for the complex image."""
    keep_kspace: bool = False
    """Pass the k-space on, for another reconstruction of it further down the chain."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _loaded: Any = field(init=False)  # a LoadedModel: chains read annotations when the program runs, without torch
    _flags: Any = field(init=False)  # a FlagModel, or None
    _context: Context = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a model that is not there when the chain is built."""
        try:
            shared_store().card(self.model)
        except ModelError as error:
            raise ConfigurationError(str(error)) from error

    def types(self) -> Signature:
        """K-space passes only where ``keep_kspace`` lets it."""
        return signature_of(keep_kspace=self.keep_kspace)

    def start(self, context: Context) -> None:
        """Load the model, which all sessions share."""
        from ..models.flags.flag_model import known_flags

        self._context = context
        try:
            self._loaded = shared_store().load(self.model, device=self.device, runtime=self.runtime)
            card = self._loaded.card
            self._flags = known_flags(shared_store().folder(card.name), card.sha256)
        except ModelError as error:
            raise ConfigurationError(str(error)) from error
        self.at_once = self._loaded.batcher.most
        get_logger().info("model ready", model=self._loaded.card.label, provider=self._loaded.provider)

    def receive(self, message: CalibratedKSpace) -> Iterable[Reconstruction | CalibratedKSpace]:
        """Reconstruct one image or volume."""
        return self.receive_many((message,))

    def receive_many(self, messages: Sequence[CalibratedKSpace]) -> Iterable[Reconstruction | CalibratedKSpace]:
        """Reconstruct several, together with what other sessions ask for."""
        works = [self._begin(message) for message in messages]
        try:
            for message, work in zip(messages, works, strict=True):
                if isinstance(work, DataError):  # only now: the images before it are good
                    raise work
                yield self._image(message, work)
                if self.keep_kspace:
                    yield message
        finally:
            for work in works:
                if isinstance(work, _Work):
                    self._loaded.batcher.cancel(work.call)

    def _begin(self, message: CalibratedKSpace) -> _Work | DataError:
        """Line up a message's slices; return what is wrong with it instead of raising that."""
        from ..models.partitions import as_slices

        try:
            volume = finite_measurements(message, self._loaded.device)
            slices = as_slices(volume)
            return _Work(tuple(volume.maps.shape[2:]), slices, self._loaded.submit(slices))
        except DataError as error:
            return error
        except (ValueError, MemoryError) as error:
            return _refusal(message, error)

    def _image(self, message: CalibratedKSpace, work: _Work) -> Reconstruction:
        loaded: LoadedModel = self._loaded
        try:
            image = loaded.batcher.result(work.call, self._context.cancelled)
        except CancelledError:
            raise Cancelled("the session ended while its images were being reconstructed") from None
        except (ValueError, MemoryError) as error:
            raise _refusal(message, error) from error
        meta = self._labels(work.slices)
        step = f"reconstruct_supervised: {loaded.card.label} on {loaded.provider}"
        if meta["EchotrainOutOfRange"]:
            step += f", out of range: {meta['EchotrainOutOfRange']}"
        return reconstruction_of(
            message,
            image.reshape(work.shape),
            method=f"supervised({loaded.card.label})",
            step=step,
            magnitude=self.magnitude,
            meta=meta,
        )

    def _labels(self, slices: Measurements) -> Mapping[str, MetaValue]:
        card = self._loaded.card
        figures = scan_figures(slices)
        reasons = beyond_training(card.trained, slices, figures, self._flags)
        return {
            "EchotrainModel": card.label,
            "EchotrainModelHash": card.sha256[:16],
            "EchotrainModelRuntime": self._loaded.provider,
            "EchotrainOutOfRange": "; ".join(reasons),
            **figures,
        }


def _refusal(message: CalibratedKSpace, error: Exception) -> DataError:
    return DataError(f"slice {message.kspace.key.slice}: {error}")
