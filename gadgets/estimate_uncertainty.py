"""How far images can be trusted, from several of one slice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..engine.errors import ConfigurationError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Text
from ..engine.records import Reconstruction
from ..models.defaults import own_name
from ..models.model_card import ModelError
from ..models.model_store import shared_store
from ..models.uncertainty.classical_members import CLASSICAL
from ._image_keys import described
from ._interval_scale import IntervalScale, interval_scale
from ._remarks import remarked

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from ._ensemble_images import EnsembleImages

Output = Literal["mean", "standard_deviation", "interval_width", "sample"]
_NO_SPREAD = "no uncertainty: one image has no spread"
_WAITING = 4
"""Images of which not all have come, at most: those of one image come together."""


class _Place(NamedTuple):
    """Where an image belongs."""

    group: tuple[str, ...]
    """What the images of one ensemble have in common."""
    name: str
    """Which of them it is."""
    wanted: tuple[str, ...]
    """Names of all."""


@dataclass(kw_only=True)
class EstimateUncertainty(Gadget[Reconstruction, Reconstruction | Text]):
    """Gather the complex images of an ensemble and give their mean, their spread, and intervals for the magnitude.

    An ensemble is either several samples that one method drew (``reconstruct_diffusion`` with ``samples`` above 1), or
    the images of several ``members``: networks, one network trained from several seeds, classical methods. Of samples
    of a posterior the spread is the uncertainty that the prior and the scan leave, if the sampler is right; that of
    members is how far they disagree. Errors that all have in common show in neither. The width of the intervals is
    calibrated, where ``echotrain calibrate`` was run for this ensemble and the scan is one like those that it
    simulated: it then keeps a promise on the average over pixels and images, for no single pixel. Else it is that of 90
    % of Gaussian samples, and each map says that, and why, that it is not calibrated.

    What is no image of the ensemble passes by. An ensemble of which some images do not come is given as it is, and
    says so.
    """

    members: tuple[str, ...] = ()
    """Names of models, and ``sense``, ``cs-tv`` and ``cs-wavelet`` for ``reconstruct_sense`` and
    ``reconstruct_compressed_sensing``: whose images make the ensemble, at least two, each reconstructed earlier in the
    chain with ``magnitude = false``. None: samples that one method drew."""
    outputs: Annotated[tuple[Output, ...], Field(min_length=1)] = (
        "mean",
        "standard_deviation",
        "interval_width",
        "sample",
    )
    """Images to give, in this order: magnitude of the mean complex image, standard deviation of the magnitudes, width
    of the 90 % interval of the magnitude, magnitude of the first sample (or member)."""

    _context: Context = field(init=False)
    # of EnsembleImages, oldest first: chains read annotations when the program runs, without torch
    _waiting: dict[tuple[str, ...], Any] = field(init=False, default_factory=dict)
    _warned: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Refuse members that are no ensemble, or are not there, when the chain is built."""
        self.members = tuple(own_name(name) for name in self.members)
        if len(self.members) == 1 or len(set(self.members)) < len(self.members):
            raise ConfigurationError(
                f"estimate_uncertainty: members are {', '.join(self.members)}; expected two or more that differ, or "
                "none for samples that one method drew"
            )
        try:
            for name in self.members:
                if name not in CLASSICAL and name != (known := shared_store().card(name).name):
                    raise ConfigurationError(f"estimate_uncertainty: got the member {name!r}, expected {known!r}")
        except ModelError as error:
            raise ConfigurationError(
                f"estimate_uncertainty: {error}; classical members: {', '.join(CLASSICAL)}"
            ) from error

    def start(self, context: Context) -> None:
        """Load the numerics: the first image would wait for them."""
        from . import _ensemble_images  # noqa: F401

        self._context = context

    def receive(self, message: Reconstruction) -> Iterator[Reconstruction | Text]:
        """Take an image of an ensemble; pass on any other."""
        place = self._place(message)
        if place is None:
            yield message
        elif len(place.wanted) == 1:
            yield from self._alone(message)
        else:
            yield from self._gathered(place, message)

    def finish(self) -> Iterator[Reconstruction | Text]:
        """Give what has come of ensembles that are not complete."""
        for group in list(self._waiting):
            yield from self._given(group)

    def _place(self, message: Reconstruction) -> _Place | None:
        """Say where an image belongs; None for one of no ensemble."""
        key = (message.variant, repr(message.key))
        if not self.members:
            if message.sample is None and "EchotrainSamplerMethod" not in message.meta:
                return None
            number, samples = message.sample or (1, 1)
            return _Place((*key, message.method), f"sample {number}", tuple(f"sample {n + 1}" for n in range(samples)))
        label = message.meta.get("EchotrainModel", "")  # of a prior with the model that it started from, the first
        name = (label if isinstance(label, str) else label[0]).partition("@")[0]
        if not name and "EchotrainMethodSettings" in message.meta:
            name = message.method
        if name not in self.members:
            return None
        if message.quantity != "complex":
            raise ConfigurationError(
                f"estimate_uncertainty: member {name} gives {message.quantity} images, expected complex ones; set "
                "magnitude = false where it reconstructs"
            )
        if message.sample is not None:
            raise ConfigurationError(
                f"estimate_uncertainty: member {name} gives {message.sample[1]} samples, expected one image of each "
                "member; set samples = 1, or leave members out for an ensemble of its samples"
            )
        return _Place(key, name, self.members)

    def _alone(self, message: Reconstruction) -> Iterator[Reconstruction | Text]:
        """Give a single sample as an image without maps."""
        if not self._warned:
            self._warned = True
            yield Text(f"WRN estimate_uncertainty: {_NO_SPREAD}; what draws samples draws more with samples = 8, say")
        image = _magnitude(message) if message.quantity == "complex" else message
        yield replace(image, meta=remarked(image.meta, _NO_SPREAD))

    def _gathered(self, place: _Place, message: Reconstruction) -> Iterator[Reconstruction | Text]:
        from ._ensemble_images import EnsembleImages

        if place.group in self._waiting and place.name in self._waiting[place.group].came:
            yield from self._given(place.group)  # the image came anew
        if place.group not in self._waiting:
            self._waiting[place.group] = EnsembleImages(place.wanted, self._context.seed)
        self._waiting[place.group].add(place.name, message)
        if self._waiting[place.group].complete:
            yield from self._given(place.group)
        elif len(self._waiting) > _WAITING:
            yield from self._given(next(iter(self._waiting)))

    def _given(self, group: tuple[str, ...]) -> Iterator[Reconstruction | Text]:
        """Give an ensemble's images, and forget it."""
        images: EnsembleImages = self._waiting.pop(group)
        remarks: list[str] = []
        if images.missing:
            what = f"{images.share} images of the ensemble, without {', '.join(images.missing)}"
            remarks = [f"INCOMPLETE: {what}", *([_NO_SPREAD] if len(images.came) == 1 else [])]
            yield Text(f"WRN estimate_uncertainty: {described(images.first.key)} is incomplete: {what}")
        for output in self.outputs:
            if len(images.came) > 1 or output in {"mean", "sample"}:
                image = self._output(output, images)
                yield replace(image, meta=remarked(image.meta, *remarks))

    def _output(self, output: Output, images: EnsembleImages) -> Reconstruction:
        first = images.first
        method = f"ensemble({', '.join(self.members)})" if self.members else first.method
        step = f"estimate_uncertainty: {output} of {images.share}"
        meta = images.meta
        match output:
            case "sample":
                method = first.method if self.members else f"{method}+sample"
                return replace(_magnitude(first), method=method, history=(*first.history, step))
            case "mean":
                method, quantity, data = f"{method}+mean", "magnitude", images.mean
            case "standard_deviation":
                quantity, data = output, images.deviation
            case "interval_width":
                scale = self._scale(images)
                floor = float(str(meta.get("EchotrainNoiseFloor", 0)))
                quantity, data = output, images.width(scale.construction, scale.factor, floor)
                step += f": {scale.construction} x {scale.factor:.4g}, {scale.promise}"
                meta = remarked({**meta, **scale.meta}, scale.promise)
            case _:
                assert_never(output)
        return replace(
            first,
            data=data,
            method=method,
            quantity=quantity,
            sample=None,
            history=(*images.history, step),
            meta=meta,
        )

    def _scale(self, images: EnsembleImages) -> IntervalScale:
        """Look up what intervals are to be multiplied by."""
        from ..models.uncertainty.classical_members import classical_label
        from ..models.uncertainty.ensemble import ensemble_method

        meta, faults = images.meta, []
        if self.members:
            labels = {name: classical_label(name, images.settings[name]) for name in CLASSICAL if name in images.came}
            method = ensemble_method(labels.get(name, name) for name in self.members)
        else:
            method = str(meta.get("EchotrainSamplerMethod", "unnamed"))
        if images.missing:
            faults.append(f"{images.share} images of the ensemble")
        steps = re.match(r"(\d+) of (\d+)", str(meta.get("EchotrainSteps", "")))
        if steps is not None and steps[1] != steps[2]:
            faults.append(f"{steps[0]} steps")
        if images.first.variant != "acquired":
            faults.append(f"the scan was perturbed: {images.first.variant}")
        image = replace(images.first, meta=meta)
        return interval_scale(shared_store(), method, images.models, image, settings=images.settings, faults=faults)


def _magnitude(image: Reconstruction) -> Reconstruction:
    """Return a complex image's magnitude, as an image like any other."""
    data: NDArray[np.float32] = np.abs(image.data).astype(np.float32, copy=False)
    return replace(image, data=data, quantity="magnitude", sample=None)
