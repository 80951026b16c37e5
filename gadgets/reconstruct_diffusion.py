"""Images by a diffusion prior: samples of what a scan may show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..engine.errors import Cancelled, ConfigurationError, DataError
from ..engine.gadget import Context, Gadget, Signature
from ..engine.logs import get_logger
from ..engine.messages import MetaValue, Progress
from ..engine.records import CalibratedKSpace, Reconstruction
from ..models.defaults import own_name
from ..models.model_card import ModelError
from ..models.model_store import shared_store
from ._iterative import finite_measurements, signature_of
from ._measurements import reconstruction_of
from ._remarks import remarked
from ._scan_figures import beyond_training, scan_figures

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from ..models.measurements import Measurements, Reconstructor
    from ..models.runtimes.loaded_model import LoadedModel
    from ..models.runtimes.loaded_prior import LoadedPrior
    from ..models.samplers.diffusion_reconstruction import Samples


@dataclass(kw_only=True)
class ReconstructDiffusion(Gadget[CalibratedKSpace, Reconstruction | CalibratedKSpace]):
    """Draw images from the posterior of a diffusion prior, given what was measured.

    Each sample is one image that fits the scan and that the prior takes for plausible; details that the scan does not
    hold are invented, in each sample others. Several samples show which: ``estimate_uncertainty``, further down the
    chain, makes mean and maps of them. Slices are reconstructed one by one, volumes slice by slice, which needs their
    second phase encoding sampled in full.

    The samplers ``volume-dds`` and ``mbir`` take a volume as one: one intensity, one noise level, and total variation
    from slice to slice holds together what was drawn for each by itself. Any sampling will do. Slices of 2-D scans come
    one by one and are not gathered, for there are gaps between them: those samplers take each for a volume of one
    slice, with nothing to hold together, and the image says so.

    Samples depend on the engine's seed and the image's place in the scan alone.
    """

    heavy: ClassVar[bool] = True

    prior: str = "default-prior"
    """Name of a prior, or NAME@VERSION to have that version or none; ``echotrain models list`` shows them."""
    sampler: str = "dds"
    """One of ``models.samplers.build.SAMPLERS``, or for volumes of its ``VOLUME_SAMPLERS``."""
    settings: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Settings of the sampler, e.g. ``{ eta = 0.85 }``; what is left out is default."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Steps of the sampler; None for as many as it has by default."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 1
    """Images of each slice. One is sent as ``magnitude`` says; several are complex, and numbered."""
    start_from: str | None = None
    """What a sampler whose setting ``hot`` is true begins at, instead of the CG-SENSE image: that of another classical
    method (``tv``, ``l1-wavelet``, ``zero-filled``) or of a supervised model, by name. What such an image has wrong
    beyond the first noise level, all samples have wrong alike."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds that one image may take, all its samples together: so many fewer steps are taken, and the image says
    so. None: all steps, however long it takes."""
    runtime: Literal["auto", "torch", "compiled", "bfloat16", "onnx"] = "auto"
    """What computes the prior: ``auto`` for the fastest here (PyTorch in bfloat16 where the processor has instructions
    for it, else ONNX Runtime, whose first use of a prior takes seconds; PyTorch for samplers that differentiate the
    prior or adapt it), or one of them. The images' metadata say which it was."""
    magnitude: bool = True
    """Of a single sample: True for a float32 magnitude, False for the complex image."""
    keep_kspace: bool = False
    """Pass the k-space on, for another reconstruction of it further down the chain."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _loaded: Any = field(init=False)  # a LoadedPrior: chains read annotations when the program runs, without torch
    _sampler: Any = field(init=False)
    _begin_at: Any = field(init=False)  # a Reconstructor
    _flags: Any = field(init=False, default=None)  # a FlagModel of the model to begin at, if it has one
    _context: Context = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a prior or a sampler that is not there when the chain is built."""
        try:
            card = shared_store().card(self.prior)
        except ModelError as error:
            raise ConfigurationError(str(error)) from error
        if card.kind != "prior":
            known = ", ".join(shared_store().names("prior")) or "none"
            raise ConfigurationError(f"{card.label} is no prior but {card.kind}. Known priors: {known}")
        if self.start_from is not None:
            self.start_from = own_name(self.start_from)  # by which images, and calibrations, know it

    def types(self) -> Signature:
        """K-space passes only where ``keep_kspace`` lets it."""
        return signature_of(keep_kspace=self.keep_kspace)

    def start(self, context: Context) -> None:
        """Make the sampler, and load the prior, which all sessions share."""
        from ..models.flags.flag_model import known_flags
        from ..models.runtimes.loaded_model import LoadedModel
        from ..models.samplers.build import DIFFERENTIATING, build_sampler, check_levels

        self._context = context
        steps = {} if self.steps is None else {"steps": self.steps}
        try:
            self._sampler = build_sampler(self.sampler, {**self.settings, **steps})
            self._loaded = self._load(self.device)
            check_levels(self._sampler, self._loaded)
            self._begin_at = self._start(self.device)
            if isinstance(self._begin_at, LoadedModel):
                card = self._begin_at.card
                self._flags = known_flags(shared_store().folder(card.name), card.sha256)
        except (ValueError, ModelError) as error:
            raise ConfigurationError(f"reconstruct_diffusion: {error}") from error
        if self.sampler in DIFFERENTIATING and self.runtime in {"onnx", "bfloat16"}:
            raise ConfigurationError(
                f"reconstruct_diffusion: the sampler {self.sampler} differentiates the prior, which runtime = "
                f'"{self.runtime}" cannot or not well enough; expected "auto" or "torch"'
            )
        get_logger().info("prior ready", prior=self._loaded.card.label, provider=self._loaded.provider)

    def receive(self, message: CalibratedKSpace) -> Iterable[Reconstruction | CalibratedKSpace]:
        """Draw the samples of one image or volume."""
        import torch

        from ..models.runtimes.loaded_model import LoadedModel

        loaded, begin_at = self._loaded, self._begin_at
        try:
            volume = finite_measurements(message, loaded.device)
            try:
                drawn = self._drawn(volume, message, loaded, begin_at)
            except torch.OutOfMemoryError:  # not even one sample at a time: slowly is better than not at all
                loaded = self._load("cpu")
                begin_at = self._start("cpu")
                get_logger().warning("out of GPU memory, sampling on the CPU", prior=loaded.card.label)
                volume = volume.to(loaded.device)
                drawn = self._drawn(volume, message, loaded, begin_at)
        except CancelledError:
            raise Cancelled("the session ended while its images were being sampled") from None
        except DataError:
            raise
        except (ValueError, MemoryError) as error:
            raise DataError(f"slice {message.kspace.key.slice}: {error}") from error
        models = [loaded, *([begin_at] if isinstance(begin_at, LoadedModel) else [])]
        yield from self._images(message, drawn, volume, models)
        if self.keep_kspace:
            yield message

    def _load(self, device: str) -> LoadedPrior:
        from ..models.samplers.build import DIFFERENTIATING

        differentiable = self.runtime == "auto" and self.sampler in DIFFERENTIATING
        return shared_store().load_prior(self.prior, device=device, runtime="torch" if differentiable else self.runtime)

    def _drawn(
        self, volume: Measurements, message: CalibratedKSpace, loaded: LoadedPrior, begin_at: Reconstructor | None
    ) -> list[Samples]:
        from ..models.partitions import as_slices, as_stacks
        from ..models.runtimes.memory import check_memory
        from ..models.samplers.diffusion_reconstruction import sample, sample_bytes, sample_seeds

        key = message.kspace.key
        parts = [as_stacks(volume)] if self._of_volumes else as_slices(volume).split()
        if loaded.device.type == "cpu":  # a GPU says by itself when its memory is short
            check_memory(parts[0], sample_bytes(parts[0], self.samples, loaded.pixel_bytes), loaded.card.label)
        drawn = []
        for number, one in enumerate(parts):
            drawn.append(
                sample(
                    one,
                    loaded,
                    self._sampler,
                    seeds=sample_seeds(self._context.seed, (*key, number), self.samples),
                    start=begin_at,
                    seconds=None if self.deadline is None else self.deadline / len(parts),
                    progress=lambda done, of, number=number: self._tell(number * of + done, len(parts) * of, key.slice),  # type: ignore[misc]
                    cancelled=self._context.cancelled,
                )
            )
        return drawn

    def _start(self, device: str) -> Reconstructor | None:
        """Return what reconstructs the image that the sampler begins at; None for the CG-SENSE that it has anyway."""
        from ..models.samplers.starts import start_of

        if self.start_from is None:
            return None
        return start_of(self._sampler, self.start_from, shared_store(), device=device)

    @property
    def _of_volumes(self) -> bool:
        from ..models.samplers.build import VOLUME_SAMPLERS

        return self.sampler in VOLUME_SAMPLERS

    def _tell(self, done: int, total: int, place: int) -> None:
        self._context.notify(Progress("reconstruct_diffusion", done, total, f"slice {place}"))

    def _images(
        self,
        message: CalibratedKSpace,
        drawn: list[Samples],
        volume: Measurements,
        models: Sequence[LoadedPrior | LoadedModel],
    ) -> Iterable[Reconstruction]:
        import torch

        prior = models[0]
        card, steps = prior.card, min(part.steps for part in drawn)
        begun = "" if self.start_from is None else f" from {self.start_from}"
        meta = self._labels(drawn, volume, models)
        history = f"reconstruct_diffusion: {self.sampler}{begun}, {meta['EchotrainSteps']} steps, by {card.label} on "
        history += prior.provider
        if meta["EchotrainOutOfRange"]:
            history += f", out of range: {meta['EchotrainOutOfRange']}"
        stacked = torch.stack([part.images for part in drawn], dim=1)  # (samples, slices, y, x)
        for n in range(self.samples):
            image = reconstruction_of(
                message,
                stacked[n].reshape(volume.maps.shape[2:]),
                method=f"diffusion({card.label}, {self.sampler}{begun}, {steps} steps)",
                step=history,
                magnitude=self.magnitude and self.samples == 1,
                meta=meta,
            )
            yield image if self.samples == 1 else replace(image, sample=(n + 1, self.samples))

    def _labels(
        self, drawn: list[Samples], volume: Measurements, models: Sequence[LoadedPrior | LoadedModel]
    ) -> Mapping[str, MetaValue]:
        from ..models.samplers.build import ensemble_label

        first = drawn[0]
        low, high = models[0].card.trained.matrix
        sides = [side for side in volume.maps.shape[-2:] if not low / 1.1 <= side <= high * 1.1]
        reasons = [f"matrix {side}, trained for {low} to {high}" for side in dict.fromkeys(sides)]
        figures = scan_figures(volume, noise=first.posed.noise)
        for model in models[1:]:
            reasons += [
                f"{model.card.label}: {reason}"
                for reason in beyond_training(model.card.trained, volume, figures, self._flags)
            ]
        requested, steps = first.requested, min(part.steps for part in drawn)
        expired = ", the deadline ended it: best estimate so far" if any(part.expired for part in drawn) else ""
        meta: Mapping[str, MetaValue] = {
            "EchotrainModel": _one_or_all(model.card.label for model in models),
            "EchotrainModelHash": _one_or_all(model.card.sha256[:16] for model in models),
            "EchotrainModelRuntime": _one_or_all(model.provider for model in models),
            "EchotrainSampler": self.sampler,
            "EchotrainSamplerMethod": ensemble_label(self.sampler, self._sampler, self.samples, self.start_from),
            **({} if self.start_from is None else {"EchotrainSamplerStart": self.start_from}),
            "EchotrainSteps": f"{steps} of {requested}{expired}",
            "EchotrainOutOfRange": "; ".join(reasons),
            **figures,
        }
        if not self._of_volumes:
            return meta
        coupled = volume.kspace.ndim == 5
        held = f"total variation between {volume.kspace.shape[2]} slices" if coupled else "none, of a single slice"
        meta = {**meta, "EchotrainSliceCoupling": held}
        return (
            meta if coupled else remarked(meta, f"{self.sampler} holds the slices of volumes together: this came alone")
        )


def _one_or_all(values: Iterable[str]) -> MetaValue:
    several = tuple(values)
    return several[0] if len(several) == 1 else several
