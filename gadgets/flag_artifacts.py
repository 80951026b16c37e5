"""Flags on images that may show what is not there, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..engine.errors import ConfigurationError
from ..engine.gadget import Context, Gadget, Signature
from ..engine.logs import get_logger
from ..engine.messages import Text
from ..engine.records import CalibratedKSpace, Reconstruction
from ..models.flags.flag import Flag
from ..models.flags.kinds import FlagKind
from ..models.model_card import ModelError
from ..models.model_store import shared_store
from ._flag_metadata import flagged, not_assessed
from ._image_keys import described

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from ..models.flags.flag_model import FlagModel
    from ..models.flags.report import FlagReport

_WAITING = 4
"""Slices whose k-space has not come, at most: it comes right after the images that were made of it."""
_Group = tuple[str, str]
"""Variant and key of a slice."""


@dataclass(kw_only=True)
class FlagArtifacts(Gadget[CalibratedKSpace | Reconstruction, CalibratedKSpace | Reconstruction | Text]):
    """Look for artifacts in an image that no truth is known of, and say how probable each kind is, and why.

    It compares k-space with the judged image, that with the conventional image, lines and samples with one another, and
    the scan with those of the training. Probabilities are calibrated on simulated scans (``echotrain calibrate flags``)
    for one model and a range of acquisitions; beyond those, flags say that they are not calibrated and are a notice at
    most. A structure that is in the data, because the coils saw it or somebody put it there, is no contradiction: no
    flag is raised by it.

    Worst cases are looked for where ``estimate_sensitivity`` stands before what reconstructs, with the judged model;
    elsewhere the reasons say that they were not. By another search than the flags were trained with (``iterations`` and
    ``epsilon``), no flag is calibrated.

    The judged and the conventional image come complex (``magnitude = false``), and the k-space after them
    (``keep_kspace = true`` where the last of them is reconstructed). All images of the slice get the flags; magnitudes
    go on.
    """

    heavy: ClassVar[bool] = True

    judged: str = "default-supervised"
    """Model whose images are judged."""
    conventional: str = "sense"
    """Method whose images they are compared with."""
    thresholds: dict[FlagKind, Flag] = field(default_factory=dict)
    """Flags of your own, in place of those of the same kinds; see ``echotrain gadgets``, and the file flags-*.toml
    beside the weights of the judged model."""
    region_map: bool = True
    """Send a map, too: how probable it is that each region of 16 x 16 pixels shows what k-space does not."""
    keep_kspace: bool = False
    """Pass the k-space on, for another gadget further down the chain."""

    _model: Any = field(init=False)  # a FlagModel, or None where all flags are thresholds
    _waiting: dict[_Group, list[Reconstruction]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a model without flags when the chain is built."""
        from ..models.flags.flag_model import flag_file, load_flags

        try:
            self.judged = shared_store().card(self.judged).name
            file = flag_file(shared_store().folder(self.judged), self.conventional)
            self._model = None if self.thresholds and not file.is_file() else load_flags(file)
        except ModelError as error:
            raise ConfigurationError(f"flag_artifacts: {error}") from error

    def types(self) -> Signature:
        """K-space passes only where ``keep_kspace`` lets it."""
        made = (Reconstruction, Text)
        return Signature((CalibratedKSpace, Reconstruction), (CalibratedKSpace, *made) if self.keep_kspace else made)

    def start(self, context: Context) -> None:
        """Load the numerics: the first image would wait for them."""
        from ..models.flags import assess  # noqa: F401

    def receive(self, message: CalibratedKSpace | Reconstruction) -> Iterator[CalibratedKSpace | Reconstruction | Text]:
        """Keep images until their k-space comes; then judge them."""
        if isinstance(message, Reconstruction):
            self._waiting.setdefault((message.variant, repr(message.key)), []).append(message)
            if len(self._waiting) > _WAITING:
                yield from self._unjudged(next(iter(self._waiting)), "its k-space did not come")
            return
        group = (message.kspace.variant, repr(message.kspace.key))
        if group in self._waiting:
            yield from self._judged(group, message)
        if self.keep_kspace:
            yield message

    def finish(self) -> Iterator[CalibratedKSpace | Reconstruction | Text]:
        """Send what no k-space came of."""
        for group in list(self._waiting):
            yield from self._unjudged(group, "its k-space did not come")

    def _unjudged(self, group: _Group, why: str) -> Iterator[Reconstruction | Text]:
        images = self._waiting.pop(group)
        yield Text(f"WRN flag_artifacts: {described(images[0].key)} was not looked at: {why}")
        yield from (not_assessed(_magnitude(image), why) for image in images)

    def _judged(self, group: _Group, message: CalibratedKSpace) -> Iterator[Reconstruction | Text]:
        from ..models.flags.assess import assess, worst_report
        from ..models.flags.regions import region_map
        from ._flag_evidence import evidence_of

        images = self._waiting[group]
        try:
            evidence, judged = evidence_of(message, images, self.judged, self.conventional)
        except ValueError as error:
            yield from self._unjudged(group, str(error))
            return
        del self._waiting[group]
        model: FlagModel | None = self._model
        searched = any(one.worst_change is not None for one in evidence)
        outside = _outside(model, judged, searched=searched)
        flags = {**(model.flags if model is not None else {}), **self.thresholds}
        names = (self.judged, "CG-SENSE" if self.conventional == "sense" else self.conventional)
        try:
            report = worst_report([assess(one, flags, model, names=names, outside=outside) for one in evidence])
        except ValueError as error:
            raise ConfigurationError(f"flag_artifacts: {error}") from error
        self._log(judged, report)
        yield from (flagged(_magnitude(image), report, judged=judged.method) for image in images)
        if self.region_map and model is not None:
            maps = [region_map(one, model.regions.intercept, model.regions.weights) for one in evidence]
            data = np.stack(maps).reshape(judged.data.shape)
            step = "flag_artifacts: probability that a region shows what k-space does not"
            image = replace(judged, data=data, quantity="flags", unit="probability", history=(*judged.history, step))
            yield flagged(image, report, judged=judged.method)

    def _log(self, image: Reconstruction, report: FlagReport) -> None:
        if report.raised:
            get_logger().warning(
                "flags", image=described(image.key), flags=[str(f) for f in report.raised], reasons=report.reasons
            )


def _outside(model: FlagModel | None, judged: Reconstruction, *, searched: bool) -> tuple[str, ...]:
    """Say why the flags' probabilities do not hold for an image."""
    if model is None:
        return ("all flags are thresholds that were set by hand",)
    meta = judged.meta
    name, digest = (str(meta.get(entry, "")) for entry in ("EchotrainModel", "EchotrainModelHash"))
    if "EchotrainAcceleration" not in meta or "EchotrainCoils" not in meta:
        return ("what reconstructed the image does not say of what acceleration and coils",)
    snr = meta.get("EchotrainSnr")
    return model.outside(
        weights={name.partition("@")[0]: digest},
        acceleration=float(str(meta["EchotrainAcceleration"])),
        matrix=(judged.data.shape[-2], judged.data.shape[-1]),
        coils=int(str(meta["EchotrainCoils"])),
        snr=None if snr is None else float(str(snr)),
        search=str(meta.get("EchotrainSensitivitySearch", "")) if searched else "",
    )


def _magnitude(image: Reconstruction) -> Reconstruction:
    """Return a complex image's magnitude, as an image like any other; other images as they are."""
    if image.quantity != "complex":
        return image
    return replace(image, data=np.abs(image.data).astype(np.float32, copy=False), quantity="magnitude")
