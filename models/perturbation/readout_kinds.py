"""Kinds of perturbations of readouts, as plain data.

Amounts are amplitudes. Where a size has a ``unit``, ``absolute`` is that of the samples, ``scan_noise`` the standard
deviation of the scan's own complex noise (root mean square over coils), ``readout`` the root mean square of the very
readout over coils and samples. With an amount of 0 the samples stay as they are, bit by bit.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Amount, Share, Specification

Unit = Literal["absolute", "scan_noise", "readout"]
Role = Literal["imaging", "calibration", "noise", "other"]
Covariance = tuple[tuple[tuple[float, float], ...], ...]
"""(coils, coils) of (real, imaginary)."""
_MOST_COILS = 128


class ReadoutSpecification(Specification):
    """Base of what is done to readouts."""

    readouts: Annotated[tuple[Role, ...], Field(min_length=1)] = ("imaging", "calibration")
    """Which are perturbed: lines of images, calibration lines, noise measurements, others (navigators, phase correction
    ...). Only these are counted where something depends on the number of a readout."""


class Noise(ReadoutSpecification):
    """Noise added to the samples."""

    kind: Literal["noise"] = "noise"
    level: Amount
    """Standard deviation of the complex noise in ``unit``; with ``snr``, the ratio."""
    unit: Literal["absolute", "scan_noise", "snr"] = "absolute"
    """``scan_noise``: multiples of the scan's own noise; the sum has sqrt(1 + level^2) of it. ``snr``: the norm of an
    image's sampled k-space over that of the noise, which is known once k-space is gathered: 1 / snr is what a
    worst-case perturbation calls epsilon."""
    distribution: Literal["gaussian", "laplace", "impulsive"] = "gaussian"
    """Of real and imaginary part, alike in variance. ``impulsive``: Gaussian, ``impulse_share`` of the samples with
    ``impulse_ratio`` times the standard deviation of the others."""
    impulse_share: Share = 0.01
    impulse_ratio: Annotated[float, Field(ge=1)] = 30.0
    spectrum: Literal["white", "pink", "ar1"] = "white"
    """Along the readout, around which it is periodic: power as 1/f, or first-order autoregressive."""
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """``ar1``: between neighbouring samples."""
    coils: Literal["independent", "scan", "given"] = "independent"
    """Covariance between coils: none, the scan's own, or ``covariance``."""
    covariance: Annotated[Covariance, Field(max_length=_MOST_COILS)] | None = None
    """``given``: Hermitian, positive semidefinite, (coils, coils) of [real, imaginary]; its scale does not count."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.level == 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.unit == "snr" and self.level == 0:
            raise ValueError("an snr of 0 has no signal; expected one above 0")
        if (self.coils == "given") != (self.covariance is not None):
            raise ValueError('coils = "given" and covariance belong together')
        if self.covariance is not None and any(len(row) != len(self.covariance) for row in self.covariance):
            raise ValueError("covariance must be a square table of [real, imaginary]")
        return self


class Spikes(ReadoutSpecification):
    """Single samples, in all coils with a phase of each coil's own."""

    kind: Literal["spikes"] = "spikes"
    share: Share
    """Of the readouts that get one."""
    size: Amount
    unit: Unit = "readout"

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.share == 0 or self.size == 0


class Interference(ReadoutSpecification):
    """A tone from outside: in the image a line across the readout direction."""

    kind: Literal["interference"] = "interference"
    frequency: Annotated[float, Field(ge=-0.5, le=0.5)]
    """In cycles per sample: where along the field of view, 0 its middle."""
    size: Amount
    """Amplitude in the coil that receives it best; others have a part and a phase of their own."""
    unit: Unit = "scan_noise"
    phase: Literal["random", "constant"] = "random"
    """From readout to readout: ``random`` gives a line, ``constant`` a point."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.size == 0


class Dropped(ReadoutSpecification):
    """Readouts that never arrive, their flags with them."""

    kind: Literal["dropped"] = "dropped"
    share: Share

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.share == 0


class Repeated(ReadoutSpecification):
    """Readouts that arrive twice."""

    kind: Literal["repeated"] = "repeated"
    share: Share

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.share == 0


class Reordered(ReadoutSpecification):
    """Neighbouring lines that are taken for each other (their encoding counters are exchanged). Cartesian only."""

    kind: Literal["reordered"] = "reordered"
    share: Share
    """Of the pairs of neighbouring lines."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.share == 0


class Truncated(ReadoutSpecification):
    """Readouts that end early; the rest is zero."""

    kind: Literal["truncated"] = "truncated"
    share: Share
    """Of the readouts."""
    kept: Share = 0.5
    """Of their samples, in the order of acquisition."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.share == 0 or self.kept == 1


class CoilDropout(ReadoutSpecification):
    """Coils that go silent."""

    kind: Literal["coil_dropout"] = "coil_dropout"
    coils: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=_MOST_COILS)] | None = None
    """Numbers from 0; None draws ``number`` of them."""
    number: Annotated[int, Field(ge=0)] = 1
    begin: Annotated[int, Field(ge=0)] = 0
    """Number of the first readout without them."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.coils == () or (self.coils is None and self.number == 0)


class GainDrift(ReadoutSpecification):
    """Receiver gain that changes steadily."""

    kind: Literal["gain_drift"] = "gain_drift"
    change: Annotated[float, Field(gt=-1)]
    """Relative, after ``period`` readouts; exponential, so that gain stays positive."""
    period: Annotated[int, Field(ge=1)] = 256
    coils: Literal["alike", "independent"] = "alike"
    """``independent``: each coil has a part of it between -1 and 1."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.change == 0


class PhaseDrift(ReadoutSpecification):
    """Receiver phase that drifts, as the field does."""

    kind: Literal["phase_drift"] = "phase_drift"
    change: float = 0.0
    """Radians, after ``period`` readouts."""
    period: Annotated[int, Field(ge=1)] = 256
    jitter: Amount = 0.0
    """Standard deviation in radians of what each readout has on top."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.change == 0 and self.jitter == 0


class Motion(ReadoutSpecification):
    """Translations between shots, as phase ramps. Cartesian only; rotation is not made of single readouts."""

    kind: Literal["motion"] = "motion"
    every: Annotated[int, Field(ge=1)]
    """Readouts of one position."""
    distance: Amount = 0.0
    """Standard deviation of the positions in mm along readout and phase encoding [and partition in 3-D]; the first is
    0."""
    positions: Annotated[tuple[tuple[float, float, float], ...], Field(max_length=4096)] | None = None
    """(x, y, z) in mm, one after another, the last of them for all that follow; None draws them."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.distance == 0 if self.positions is None else not any(map(any, self.positions))


class Ghost(ReadoutSpecification):
    """Odd and even lines that differ, as in EPI: a ghost half a field of view away. Cartesian only."""

    kind: Literal["ghost"] = "ghost"
    phase: float = 0.0
    """Radians between odd and even lines."""
    delay: float = 0.0
    """Samples between odd and even lines."""

    @property
    def nothing(self) -> bool:
        """No amount."""
        return self.phase == 0 and self.delay == 0


class Clipping(ReadoutSpecification):
    """A converter that saturates: real and imaginary parts beyond ``size`` are cut off there."""

    kind: Literal["clipping"] = "clipping"
    size: Annotated[float, Field(gt=0)]
    unit: Unit = "absolute"
