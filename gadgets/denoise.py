"""Images without their noise, by a diffusion prior."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..engine.errors import Cancelled, ConfigurationError, DataError
from ..engine.gadget import Context, Gadget
from ..engine.logs import get_logger
from ..engine.messages import MetaValue, Progress, Text
from ..engine.records import Reconstruction
from ..models.model_card import ModelError
from ..models.model_store import shared_store
from ._remarks import remarked
from ._scan_figures import scan_figures

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from torch import Tensor

    from ..models.measurements import Measurements


@dataclass(kw_only=True)
class Denoise(Gadget[Reconstruction, Reconstruction | Text]):
    """Take the noise off complex images, as a diffusion prior knows how images look without.

    For fully sampled scans, whose noise is white and the same everywhere: 1 in the real and in the imaginary part of
    images in SNR units. Without a noise measurement it is estimated from the image, and that is said. An image that was
    not sampled in full passes as it is, and says so, unless ``sigma`` is stated. Magnitudes are refused: their noise is
    no longer Gaussian (Rician, Gudbjartsson and Patz 1995). Maps of other quantities pass by.
    """

    heavy: ClassVar[bool] = True

    prior: str = "default-prior"
    """Name of a prior, or NAME@VERSION to have that version or none; ``echotrain models list`` shows them."""
    method: Literal["one_step", "deterministic", "stochastic"] = "one_step"
    """``one_step``: the mean of all images that the noisy one may be, nearest to the truth on average (Tweedie's
    formula). In many steps one image of them is drawn, sharper and further from the truth: ``deterministic`` (DDIM)
    always the same, ``stochastic`` (DDPM) another with each seed and sample."""
    steps: Annotated[int, Field(ge=2, le=1000)] = 20
    """Steps of the methods that have many."""
    sigma: Annotated[float, Field(gt=0)] | None = None
    """Standard deviation of the noise, in the real part and in the imaginary, in the unit of the images; None: that of
    the scan."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 1
    """Images drawn of each by ``stochastic``; several are complex and numbered, for ``estimate_uncertainty``."""
    magnitude: bool = True
    """Of a single image: True for a float32 magnitude, False for the complex image."""
    keep_original: bool = False
    """Give the noisy image too, before its denoised one: magnitude or complex as ``magnitude`` says."""
    runtime: Literal["auto", "torch", "compiled", "bfloat16", "onnx"] = "auto"
    """What computes the prior: ``auto`` for the fastest here (PyTorch in bfloat16 where the processor has instructions
    for it, else ONNX Runtime, whose first use of a prior takes seconds), or one of them."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _loaded: Any = field(init=False)  # a LoadedPrior: chains read annotations when the program runs, without torch
    _sampler: Any = field(init=False)
    _context: Context = field(init=False)
    _warned: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Refuse a prior that is not there, and samples that would all be one, when the chain is built."""
        try:
            card = shared_store().card(self.prior)
        except ModelError as error:
            raise ConfigurationError(str(error)) from error
        if card.kind != "prior":
            known = ", ".join(shared_store().names("prior")) or "none"
            raise ConfigurationError(f"{card.label} is no prior but {card.kind}. Known priors: {known}")
        if self.samples > 1 and self.method != "stochastic":
            raise ConfigurationError(
                f'denoise: {self.samples} samples by method "{self.method}" would all be the same; expected samples = '
                '1, or method = "stochastic"'
            )

    def start(self, context: Context) -> None:
        """Load the prior, which all sessions share."""
        from ..models.samplers.ddim import Ddim
        from ..models.samplers.tweedie import Tweedie

        self._context = context
        eta = 1.0 if self.method == "stochastic" else 0.0
        self._sampler = Tweedie() if self.method == "one_step" else Ddim(steps=self.steps, eta=eta)
        try:
            self._loaded = shared_store().load_prior(self.prior, device=self.device, runtime=self.runtime)
        except ModelError as error:
            raise ConfigurationError(f"denoise: {error}") from error
        get_logger().info("prior ready", prior=self._loaded.card.label, provider=self._loaded.provider)

    def receive(self, message: Reconstruction) -> Iterator[Reconstruction | Text]:
        """Denoise one image or volume."""
        place = f"slice {message.key.slice}"
        if message.quantity == "magnitude":
            raise ConfigurationError(
                "denoise: got a magnitude image, whose noise is no longer Gaussian; expected complex images: set "
                'magnitude = false where they are made (combine_coils: method = "adaptive" too)'
            )
        if message.quantity != "complex":
            yield message
            return
        if not np.isfinite(message.data).all():
            raise DataError(f"{place}: the image holds values that are not finite")
        fault = None if self.sigma is not None else _not_white(message)
        if self.keep_original and fault is None:
            yield self._shown(message)
        if fault is not None:
            if not self._warned:
                self._warned = True
                yield Text(f"WRN denoise: {place} is not denoised: {fault}; sigma, if it is stated, is taken as it is")
            yield self._shown(replace(message, meta=remarked(message.meta, f"not denoised: {fault}")))
            return
        try:
            yield from self._denoised(message)
        except CancelledError:
            raise Cancelled("the session ended while its images were being denoised") from None
        except (ValueError, MemoryError) as error:
            raise DataError(f"{place}: {error}") from error

    def _denoised(self, message: Reconstruction) -> Iterator[Reconstruction]:
        import torch

        from ..models.image_measurements import image_measurements

        sigma = 1.0 if self.sigma is None and message.unit == "SNR" else self.sigma
        images = torch.from_numpy(message.data[0].astype(np.complex64)).to(self._loaded.device)
        slices = image_measurements(images, None if sigma is None else math.sqrt(2) * sigma)
        data, level = self._drawn(slices, message)
        meta = {**message.meta, **self._labels(slices, level)}
        card = self._loaded.card
        many = "" if self.method == "one_step" else f", {self.steps} steps"
        step = f"denoise: {self.method}{many}, by {card.label} on {self._loaded.provider}, "
        step += f"noise {meta['EchotrainNoiseLevel']}"
        for n, one in enumerate(data):
            image = replace(
                message,
                data=one[None].cpu().numpy(),
                method=f"{message.method}+denoised({card.label}, {self.method}{many})",
                sample=(n + 1, self.samples) if self.samples > 1 else None,
                history=(*message.history, step),
                meta=meta,
            )
            yield image if self.samples > 1 else self._shown(image)

    def _drawn(self, slices: Measurements, message: Reconstruction) -> tuple[Tensor, float]:
        """Return (samples, z, y, x) complex64 images, and the largest noise level in the unit of the prior."""
        import torch

        from ..models.runtimes.memory import check_memory
        from ..models.samplers.diffusion_reconstruction import sample, sample_seeds

        parts, drawn, level = slices.split(), [], 0.0
        check_memory(parts[0], self.samples * self._loaded.pixel_bytes, self._loaded.card.label)
        for number, one in enumerate(parts):
            if not one.kspace.any():  # an empty slice, as at the ends of a volume, has no noise to take off
                drawn.append(one.kspace[:, 0].expand(self.samples, -1, -1))
                continue
            samples = sample(
                one,
                self._loaded,
                self._sampler,
                seeds=sample_seeds(self._context.seed, (*message.key, number), self.samples),
                progress=lambda done, of, number=number: self._tell(number * of + done, len(parts) * of, message),  # type: ignore[misc]
                cancelled=self._context.cancelled,
            )
            drawn.append(samples.images)
            level = max(level, samples.posed.problem.sigma)
        return torch.stack(drawn, dim=1), level

    def _tell(self, done: int, total: int, message: Reconstruction) -> None:
        self._context.notify(Progress("denoise", done, total, f"slice {message.key.slice}"))

    def _labels(self, slices: Measurements, level: float) -> Mapping[str, MetaValue]:
        card, (low, high) = self._loaded.card, self._loaded.sigmas
        smallest, largest = card.trained.matrix
        sides = [side for side in slices.maps.shape[-2:] if not smallest / 1.1 <= side <= largest * 1.1]
        reasons = [f"matrix {side}, trained for {smallest} to {largest}" for side in dict.fromkeys(sides)]
        if level and not low <= level <= high:
            reasons.append(f"noise {level:.3g} of the intensity, trained for {low:g} to {high:g}")
        steps = self._sampler.steps
        return {
            "EchotrainModel": card.label,
            "EchotrainModelHash": card.sha256[:16],
            "EchotrainModelRuntime": self._loaded.provider,
            "EchotrainSampler": self.method,
            "EchotrainSamplerMethod": f"{self.method}-{steps}x{self.samples}",
            "EchotrainSteps": f"{steps} of {steps}",
            "EchotrainOutOfRange": "; ".join(reasons),
            **scan_figures(slices),
            **({} if self.sigma is None else {"EchotrainNoiseLevel": "stated in the chain"}),
        }

    def _shown(self, image: Reconstruction) -> Reconstruction:
        """Return a complex image as ``magnitude`` says."""
        if not self.magnitude:
            return image
        return replace(image, data=np.abs(image.data).astype(np.float32, copy=False), quantity="magnitude")


def _not_white(message: Reconstruction) -> str | None:
    """Say why the noise of an image is not the same everywhere, or not that of its k-space."""
    if message.unit == "SNR":
        return None
    if message.unit != "a.u." or message.meta.get("EchotrainComplete") == "false":
        return "its k-space was not sampled in full, so that its noise is not white"
    if max(message.encoding.acceleration) > 1:
        return "the scan was undersampled, so that its noise is not the same everywhere"
    return None
