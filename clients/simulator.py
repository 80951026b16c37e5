"""A simulated scanner: a protocol in, a scan out, with everything that is true about it.

The object and the coils are sampled on the encoded grid and k-space is their FFT, so that a fully sampled scan without
noise is reconstructed exactly; ``exact_kspace`` takes the closed-form transform of the Shepp-Logan ellipses instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..engine.messages import Header, Readouts, Waveform
from ..models.simulation import sampling_masks
from ..models.simulation.simulated_acquisition import Role, acquisition_order, interleaved
from ..models.simulation.simulated_coils import correlated_noise
from .scan_file import Scan
from .simulator_header import dropped_samples, line_range, simulated_header
from .simulator_protocol import ScanProtocol, scan_protocol
from .simulator_readouts import line_headers, noise_headers, scan_start, waveforms
from .simulator_truth import (
    Truth,
    closed_form,
    make_object,
    make_sensitivities,
    make_trajectory,
    noise_level,
    slice_kspace,
)

__all__ = ["ScanProtocol", "SimulatedScan", "Truth", "scan_protocol", "simulate"]

BLOCK_BYTES = 4 * 1024 * 1024
"""Samples of one block, about, unless ``messages`` is told how many readouts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedScan:
    """A scan that can be sent any number of times."""

    protocol: ScanProtocol
    header: Header
    truth: Truth
    order: NDArray[np.void]
    """(readouts,) of ``ORDER_DTYPE``: all but the noise measurement."""
    _kspace: NDArray[np.complex64] = field(repr=False)
    """(contrasts, slices, coils, kz, ky, kx) without noise; slices is 1 for 3-D. (ky, kx) is (spoke or arm, sample)
    with a trajectory."""
    _noise_seed: np.random.SeedSequence = field(repr=False)

    @property
    def readouts(self) -> int:
        """Readouts of the scan, with the noise measurement's."""
        return len(self.order) + self.protocol.noise_readouts

    @property
    def nbytes(self) -> int:
        """Bytes of all samples."""
        per_line = self.protocol.readout_samples - dropped_samples(self.protocol)
        samples = len(self.order) * per_line + self.protocol.noise_readouts * self.protocol.noise_samples
        return 8 * self.protocol.coils * samples

    @property
    def duration_s(self) -> float:
        """Seconds that a scanner would take."""
        return scan_start(self.protocol) + len(self.order) * self.readout_ms / 1000

    @property
    def readout_ms(self) -> float:
        """Mean time from one line to the next, for ``paced``: excitations share out the repetition time."""
        return self.protocol.excitation_ms / self.protocol.contrasts

    def scan(self) -> Scan:
        """Return it as what ``read_scan`` gives, for whatever takes a scan."""
        return Scan(header=self.header, messages=_Messages(self), source="simulator", readouts=self.readouts)

    def messages(self, block_readouts: int | None = None) -> Iterator[Readouts | Waveform]:
        """Acquire: the noise measurement, then lines in order, and waveforms when they have been recorded.

        Parameters
        ----------
        block_readouts
            Most readouts of one block; by default as many as make some 4 MiB. Samples are the same, bit for bit, for
            every choice and every call.
        """
        rng = np.random.default_rng(self._noise_seed)
        protocol = self.protocol
        headers = line_headers(protocol, self.order)
        times = scan_start(protocol) + self.order["time"]
        curves = waveforms(protocol, self.duration_s) if protocol.waveforms else iter(())
        due = next(curves, None)
        if protocol.noise_readouts:
            yield self._noise(rng)
        width = self._kspace.shape[-1] - dropped_samples(protocol)
        step = block_readouts or max(1, BLOCK_BYTES // (8 * protocol.coils * width))
        start = 0
        while start < len(headers):
            while due is not None and due[0] <= times[start]:
                yield due[1]
                due = next(curves, None)
            stop = min(start + step, len(headers))
            if due is not None:
                stop = min(stop, max(start + 1, int(np.searchsorted(times, due[0]))))
            part = self.order[start:stop]
            trajectory = None if self.truth.trajectory is None else self.truth.trajectory[part["ky"]]
            yield Readouts(headers[start:stop], self._lines(part, rng), trajectory)
            start = stop
        while due is not None:
            yield due[1]
            due = next(curves, None)

    def _noise(self, rng: np.random.Generator) -> Readouts:
        protocol = self.protocol
        dwell = protocol.noise_dwell_us or protocol.dwell_us
        covariance = self.truth.noise_covariance * (protocol.noise_bandwidth * protocol.dwell_us / dwell)
        shape = (protocol.noise_readouts, protocol.noise_samples)
        return Readouts(noise_headers(protocol), self._noise_samples(covariance, shape, rng))

    def _lines(self, order: NDArray[np.void], rng: np.random.Generator) -> NDArray[np.complex64]:
        place = (order["contrast"], order["slice"], slice(None), order["kz"], order["ky"])
        lines = self._kspace[place][..., dropped_samples(self.protocol) :]
        lines += self._noise_samples(self.truth.noise_covariance, (len(order), lines.shape[-1]), rng)
        return lines

    def _noise_samples(
        self, covariance: NDArray[np.complex128], shape: tuple[int, int], rng: np.random.Generator
    ) -> NDArray[np.complex64]:
        if self.truth.noise_std == 0:
            return np.zeros((shape[0], self.protocol.coils, shape[1]), np.complex64)
        return correlated_noise(covariance, shape, rng)


@dataclass(frozen=True)
class _Messages:
    """The messages, acquired anew whenever it is iterated over."""

    scan: SimulatedScan

    def __iter__(self) -> Iterator[Readouts | Waveform]:
        return self.scan.messages()


def simulate(protocol: ScanProtocol) -> SimulatedScan:
    """Put the phantom into the scanner.

    Everything random follows from the protocol's seed. The noiseless k-space of all slices is held in memory.

    Raises
    ------
    ConfigurationError
        The phantom's file cannot be used.
    """
    seeds = np.random.SeedSequence(protocol.seed).spawn(4)
    object_rng, coil_rng, mask_rng = (np.random.default_rng(s) for s in seeds[:3])
    maps, covariance = make_sensitivities(protocol, coil_rng)
    trajectory = make_trajectory(protocol)
    if protocol.exact_kspace:
        exact, images = closed_form(protocol, trajectory)
        channels = maps[0, :, 0, 0]
        kspace = (exact[None, :, None, None] * channels[:, None, None, None]).astype(np.complex64)
        decay = np.exp(-np.arange(protocol.contrasts) * protocol.echo_spacing_ms / 80.0).astype(np.float32)
        kspace = kspace * decay[:, None, None, None, None, None]
        images = images * decay[:, None, None, None]
    else:
        images = make_object(protocol, object_rng)
        slices = 1 if protocol.three_d else protocol.slices
        kspace = np.stack(
            [
                np.stack([slice_kspace(protocol, images, maps, n, contrast, trajectory) for n in range(slices)])
                for contrast in range(protocol.contrasts)
            ]
        )
    level = noise_level(protocol, images, maps)
    order = _order(protocol, mask_rng)
    truth = Truth(
        protocol=protocol,
        images=images,
        sensitivities=maps,
        noise_covariance=2 * level**2 * covariance,
        noise_std=level,
        sampled=_sampled(protocol, order),
        trajectory=None if trajectory is None else trajectory.astype(np.float32),
    )
    return SimulatedScan(
        protocol=protocol,
        header=simulated_header(protocol),
        truth=truth,
        order=order,
        _kspace=kspace,
        _noise_seed=seeds[3],
    )


def _order(protocol: ScanProtocol, rng: np.random.Generator) -> NDArray[np.void]:
    three_d = protocol.three_d
    shape = (protocol.slices if three_d else 1, protocol.lines)
    calibration = np.zeros(shape, bool)
    if protocol.accelerated:
        along_z = sampling_masks.centre_block(shape[0], protocol.calibration)
        calibration = along_z[:, None] & sampling_masks.centre_block(shape[1], protocol.calibration)
    prescan = protocol.calibration_mode == "separate"
    acquired = np.arange(shape[1]) >= line_range(protocol)[0]
    masks = [m & acquired for m in _masks(protocol, shape, calibration, rng)]
    ascending = list(range(1 if three_d else protocol.slices))
    slices = {"interleaved": interleaved(len(ascending)), "ascending": ascending, "descending": ascending[::-1]}
    return acquisition_order(
        masks,
        calibration & acquired,
        prescan=prescan,
        averages=protocol.averages,
        slices=slices[protocol.slice_order],
        contrasts=protocol.contrasts,
        slices_in_turn=protocol.slice_loop == "every_tr",
        tr=protocol.tr_ms / 1000,
        echo_spacing=protocol.echo_spacing_ms / 1000,
    )


def _masks(
    protocol: ScanProtocol, shape: tuple[int, int], calibration: NDArray[np.bool_], rng: np.random.Generator
) -> list[NDArray[np.bool_]]:
    if not protocol.cartesian:
        return [np.ones(shape, bool)] * protocol.repetitions
    if protocol.mask == "equispaced":
        factors = (protocol.acceleration_z, protocol.acceleration)
        moving = protocol.calibration_mode == "interleaved"
        offsets = [step % protocol.acceleration if moving else 0 for step in range(protocol.repetitions)]
        return [sampling_masks.equispaced_2d(shape, factors, protocol.caipi_shift, offset) for offset in offsets]
    centre = np.zeros(shape, bool)
    centre[shape[0] // 2, shape[1] // 2] = True  # without k = 0 there is no image
    always = centre if protocol.calibration_mode == "separate" else centre | calibration
    draw = sampling_masks.random_lines if protocol.mask == "random" else sampling_masks.poisson_disc
    factor = protocol.acceleration * protocol.acceleration_z
    return [draw(shape, factor, rng, always=always)] * protocol.repetitions


def _sampled(protocol: ScanProtocol, order: NDArray[np.void]) -> NDArray[np.bool_]:
    partitions = protocol.slices if protocol.three_d else 1
    sampled = np.zeros((protocol.repetitions, partitions, protocol.lines), bool)
    lines = order[(order["role"] == Role.IMAGING) | (order["role"] == Role.IMAGING_AND_CALIBRATION)]
    sampled[lines["repetition"], lines["kz"], lines["ky"]] = True
    return sampled
