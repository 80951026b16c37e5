"""Prewhitening: coils decorrelated, noise of unit standard deviation in every real and imaginary part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import DataError
from ..engine.gadget import Context, Gadget
from ..engine.messages import NoiseState, Preparation, Readouts, Text
from ..engine.mrd_layout import AcquisitionFlag
from ..engine.noise_store import NoiseMeasurement
from ..models.noise import dependent_coils, noise_scale, outer_sum, whitened, whitening_matrix

_NOISE = np.uint64(AcquisitionFlag.IS_NOISE_MEASUREMENT.bit)


@dataclass
class Gathering:
    """Noise readouts may still come."""

    total: NDArray[np.complex128] | None = None
    """(coils, coils) sum of n n^H so far."""
    samples: int = 0
    dwell_us: float = 0.0

    def add(self, message: Readouts) -> None:
        """Add noise readouts, one after another, so that block edges leave no trace in the rounding."""
        for product in outer_sum(message.samples):
            if self.total is None:
                self.total = np.zeros_like(product)
            if self.total.shape != product.shape:
                raise DataError(f"a noise readout has {len(product)} coils, expected {len(self.total)} as before")
            self.total += product
        self.samples += len(message) * message.samples.shape[2]
        self.dwell_us = float(message.headers["sample_time_us"][-1])

    def measurement(self) -> NoiseMeasurement | None:
        """Return the covariance, or None if no noise came."""
        if self.total is None:
            return None
        return NoiseMeasurement(self.total / max(self.samples - 1, 1), self.samples, self.dwell_us)


@dataclass(frozen=True)
class Loaded:
    """Noise of an earlier measurement is at hand; noise readouts of this scan would replace it."""

    noise: NoiseMeasurement
    measurement_id: str


@dataclass(frozen=True)
class Prewhitening:
    """Readouts are whitened."""

    noise: NoiseMeasurement
    matrix: NDArray[np.complex128]
    prepared: NoiseState


@dataclass(frozen=True)
class Ignoring:
    """There is no noise to go by: readouts pass unchanged."""

    reason: str


State = Gathering | Prewhitening | Ignoring


@dataclass(kw_only=True)
class NoiseAdjust(Gadget[Readouts, Readouts | Text]):
    """Prewhiten with the noise readouts of this scan, or of the measurement that it depends on.

    Noise readouts end here; their covariance is kept for scans that name this measurement as their noise dependency.
    Without any noise readouts the samples pass unchanged, and images say so.
    """

    policy: Literal["error", "ignore"] = "error"
    """What to do when noise was measured or promised but cannot be used (an unknown dependency, too few samples, a coil
    without noise): refuse the scan, or go on without prewhitening and warn."""

    _context: Context = field(init=False)
    _states: dict[str, State] = field(init=False, default_factory=dict)
    """By variant of the scan: a perturbed copy has noise readouts of its own."""
    _loaded: Loaded | None = field(init=False, default=None)
    _late: int = field(init=False, default=0)

    def start(self, context: Context) -> None:
        """Look for the noise that this scan depends on."""
        self._context = context
        wanted = context.header.measurement_dependencies.get("noise")
        kept = context.noise_store.find(wanted) if wanted else None
        if wanted and kept:
            self._loaded = Loaded(kept, wanted)

    def receive(self, message: Readouts) -> Iterable[Readouts | Text]:
        """Gather noise readouts, whiten the others."""
        if len(message) == 0:
            return
        is_noise = (message.headers["flags"] & _NOISE) != 0
        if not is_noise.any():
            yield from self._imaging(message)
        elif is_noise.all():
            self._noise(message)
        else:
            edges = np.flatnonzero(np.diff(is_noise)) + 1
            for first, last in zip([0, *edges], [*edges, len(message)], strict=True):
                yield from self.receive(message[int(first) : int(last)])

    def finish(self) -> Iterator[Text]:
        """Keep the noise of a scan that held nothing else, and tell of noise that came too late to be used."""
        for variant, state in self._states.items():
            if isinstance(state, Gathering):
                self._keep(state.measurement(), variant)
        if self._late:
            yield Text(f"WRN noise_adjust: {self._late} noise readouts came after imaging had begun and were not used")

    def _noise(self, message: Readouts) -> None:
        state = self._states.setdefault(message.prepared.variant, Gathering())
        if isinstance(state, Gathering):
            state.add(message)
        else:
            self._late += len(message)

    def _imaging(self, message: Readouts) -> Iterator[Readouts | Text]:
        variant = message.prepared.variant
        state = self._states.get(variant)
        if state is None or isinstance(state, Gathering):
            self._states[variant] = state = self._decide(state or self._loaded or Gathering(), variant)
            if isinstance(state, Ignoring) and state.reason:
                yield Text(f"WRN noise_adjust: not prewhitening: {state.reason}")
        if isinstance(state, Ignoring):
            step = f"noise_adjust: not prewhitened ({state.reason or 'no noise readouts'})"
            yield replace(message, prepared=_with(message.prepared, NoiseState(), step))
        elif isinstance(state, Prewhitening):
            yield self._whiten(message, state)

    def _decide(self, state: Gathering | Loaded, variant: str) -> Prewhitening | Ignoring:
        """Choose, at the first imaging readout, what the whole scan gets."""
        if isinstance(state, Loaded):
            return self._usable(state.noise, f"measurement {state.measurement_id}")
        noise = state.measurement()
        if noise is not None:
            self._keep(noise, variant)
            return self._usable(noise, "this scan")
        wanted = self._context.header.measurement_dependencies.get("noise")
        if wanted:
            return self._unusable(f"the noise of measurement {wanted!r} is not known here; send that measurement first")
        return Ignoring("")

    def _usable(self, noise: NoiseMeasurement, source: str) -> Prewhitening | Ignoring:
        coils = len(noise.covariance)
        if noise.samples < 2 * coils:
            return self._unusable(f"{noise.samples} noise samples for {coils} coils, expected at least {2 * coils}")
        if not np.isfinite(noise.covariance).all():
            return self._unusable("the noise covariance is not finite")
        lacking = dependent_coils(noise.covariance)
        if lacking:
            silent = np.flatnonzero(np.real(np.diagonal(noise.covariance)) <= 0).tolist()
            which = f"; coils without any noise: {silent}" if silent else ""
            return self._unusable(f"the noise covariance has rank {coils - lacking} for {coils} coils{which}")
        return Prewhitening(noise, whitening_matrix(noise.covariance), NoiseState(prewhitened=True, source=source))

    def _unusable(self, reason: str) -> Ignoring:
        if self.policy == "error":
            raise DataError(f'{reason} (noise_adjust.policy = "ignore" would go on without prewhitening)')
        return Ignoring(reason)

    def _keep(self, noise: NoiseMeasurement | None, variant: str) -> None:
        own = self._context.header.measurement_id
        if noise is not None and own and variant == "acquired":  # other scans get no noise that was perturbed
            self._context.noise_store.keep(own, noise)

    def _whiten(self, message: Readouts, state: Prewhitening) -> Readouts:
        coils = message.samples.shape[1]
        if coils != len(state.matrix):
            raise DataError(f"readouts have {coils} coils, expected {len(state.matrix)} as the noise readouts have")
        bandwidth = self._context.header.relative_receiver_noise_bandwidth
        dwells = message.headers["sample_time_us"]
        parts = []
        edges = np.flatnonzero(np.diff(dwells)) + 1  # one part, unless the dwell time changes inside the block
        for first, last in zip([0, *edges], [*edges, len(message)], strict=True):
            scale = noise_scale(
                dwell_us=float(dwells[first]),
                noise_dwell_us=state.noise.dwell_time_us,
                relative_bandwidth=1.0 if bandwidth is None else bandwidth,
            )
            parts.append(whitened(message.samples[first:last], (state.matrix * scale).astype(np.complex64)))
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts)
        step = f"noise_adjust: prewhitened with {state.noise.samples} noise samples of {state.prepared.source}"
        return replace(message, samples=samples, prepared=_with(message.prepared, state.prepared, step))


def _with(prepared: Preparation, noise: NoiseState, step: str) -> Preparation:
    return replace(prepared, noise=noise, history=(*prepared.history, step))
