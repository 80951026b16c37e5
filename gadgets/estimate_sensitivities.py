"""K-space with the coil sensitivity maps that belong to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..engine.errors import DataError, LimitExceeded
from ..engine.gadget import Context, Gadget, Signature
from ..engine.messages import Text
from ..engine.records import CalibratedKSpace, KSpace
from ._calibration import Calibration, Estimator, Maps
from .reconstruct_fourier import reconstruction_grid

Place = tuple[int, int, str]
"""Encoding space, slice and variant: whose images share maps."""

_CROP = {"espirit": 0.8, "walsh": 0.02}


@dataclass(kw_only=True)
class EstimateSensitivities(Gadget[KSpace, CalibratedKSpace | KSpace | Text]):
    """Estimate coil sensitivity maps, 2-D or 3-D, on the grid of the reconstruction.

    They come from calibration lines where the scan has them, else from the fully sampled centre of the imaging lines.
    One coil has a map of ones; where there is no signal maps are zero.
    """

    heavy: ClassVar[bool] = True

    method: Literal["espirit", "walsh"] = "espirit"
    """``espirit``: from what calibration k-space predicts of itself (Uecker 2014), from six lines on. ``walsh``: from
    low-resolution images of the calibration lines (Walsh 2000), coarser, from four lines on."""
    width: Annotated[int, Field(ge=6, le=96)] = 24
    """Most calibration lines, columns and partitions to use, about the centre of k-space."""
    kernel: Annotated[int, Field(ge=2, le=12)] = 6
    """``espirit``: largest edge of its patches of k-space. Of fewer than 10 lines, and where they would take a fifth of
    the body for background, it takes smaller ones, and the history says so."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.03
    """``espirit``: singular values above this part of the largest are signal."""
    crop: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Where maps are zero: ``espirit`` at eigenvalues up to this (None: 0.8), ``walsh`` at signals up to this part of
    the largest (None: 0.02)."""
    share: bool = True
    """Use the maps of a slice's first image for its later repetitions, contrasts, sets and phases, which then need no
    calibration lines of their own; False makes maps for each."""
    uncalibrated: Literal["error", "pass"] = "error"
    """What k-space without enough calibration lines does: end the session, or pass without maps, with a warning."""
    unaccelerated: Literal["calibrate", "pass"] = "calibrate"
    """What k-space of an encoding without acceleration does: get maps like any other, or pass without."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _estimator: Estimator = field(init=False)
    _limit: int = field(init=False, default=0)
    _calibrations: dict[Place, Calibration] = field(init=False, default_factory=dict)
    _maps: OrderedDict[Place, Maps] = field(init=False, default_factory=OrderedDict)

    def types(self) -> Signature:
        """K-space passes only where the fields let it."""
        passes = "pass" in {self.uncalibrated, self.unaccelerated}
        return Signature((KSpace,), (CalibratedKSpace, KSpace, Text) if passes else (CalibratedKSpace, Text))

    def start(self, context: Context) -> None:
        """Note how maps are made, and how much memory they may take."""
        crop = _CROP[self.method] if self.crop is None else self.crop
        self._estimator = Estimator(self.method, self.width, self.kernel, self.threshold, crop, self.device)
        self._limit = context.kspace_bytes

    def receive(self, message: KSpace) -> Iterable[CalibratedKSpace | KSpace | Text]:
        """Add maps to one k-space."""
        if self.unaccelerated == "pass" and max(message.encoding.acceleration) == 1:
            yield message
            return
        place = (message.key.encoding_space, message.key.slice, message.variant)
        try:
            calibration = self._calibrations.get(place) or self._estimator.calibration(message)
            maps = self._maps_of(place, calibration, message)
        except ValueError as error:
            if self.uncalibrated == "error":
                raise DataError(
                    f'slice {message.key.slice} has no maps: {error}; or set uncalibrated = "pass"'
                ) from error
            yield Text(f"WRN estimate_sensitivities: slice {message.key.slice} passes without maps: {error}")
            yield message
            return
        if len(maps.values) != len(message.data):
            raise DataError(
                f"k-space has {len(message.data)} coils, expected {len(maps.values)} as before in its slice"
            )
        if not maps.values.any():
            yield Text(f"WRN estimate_sensitivities: slice {message.key.slice} has no signal: its maps are zero")
        how = maps.how
        if calibration.key != message.key:
            counters = zip(calibration.key._asdict().items(), message.key, strict=True)
            how += f", of {', '.join(f'{name} {value}' for (name, value), here in counters if value != here)}"
        yield CalibratedKSpace(
            kspace=replace(message, meta={**message.meta, "EchotrainSensitivities": how}),
            sensitivities=maps.values,
            method=self.method,
            history=(*message.history, f"estimate_sensitivities: {how}"),
        )

    def _maps_of(self, place: Place, calibration: Calibration, message: KSpace) -> Maps:
        """Make maps, or take those of the slice.

        Regions are small and kept for the whole scan; maps are kept while there is room, then made again.
        """
        if place in self._maps:
            self._maps.move_to_end(place)
            return self._maps[place]
        maps = self._estimator.maps(calibration, reconstruction_grid(message.encoding))
        if self.share:
            self._calibrations[place] = calibration
            kept = sum(c.region.nbytes for c in self._calibrations.values())
            if kept > self._limit:
                raise LimitExceeded(
                    f"the calibration regions of {len(self._calibrations)} slices take {kept} bytes, at most "
                    f"{self._limit} are allowed"
                )
            self._maps[place] = maps
            while len(self._maps) > 1 and sum(m.values.nbytes for m in self._maps.values()) > self._limit:
                self._maps.popitem(last=False)
        return maps
