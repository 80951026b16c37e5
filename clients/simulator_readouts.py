"""MRD headers of simulated readouts and waveforms, made for the whole scan at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..engine.messages import Waveform
from ..engine.mrd_layout import ACQUISITION_DTYPE, WAVEFORM_DTYPE, AcquisitionFlag
from ..models.simulation import physiology
from ..models.simulation.simulated_acquisition import Role, first_and_last
from .simulator_header import WAVEFORM_SAMPLE, centre_sample, dropped_samples, line_range
from .simulator_protocol import ScanProtocol
from .simulator_truth import slice_positions

TICK = 0.0025
"""Seconds of one tick of a time stamp."""
START = 36_000.0
"""When every simulated scan starts: 10:00, in seconds since midnight."""
NOISE_INTERVAL = 0.01
"""Seconds from one noise readout to the next."""
WAVEFORM_PIECE = 160
"""Samples of one waveform message: 0.4 s."""

_F = AcquisitionFlag
_ENDS = (
    (_F.FIRST_IN_ENCODE_STEP1, _F.LAST_IN_ENCODE_STEP1, ("repetition", "average", "slice", "contrast", "kz")),
    (_F.FIRST_IN_ENCODE_STEP2, _F.LAST_IN_ENCODE_STEP2, ("repetition", "average", "slice", "contrast")),
    (_F.FIRST_IN_AVERAGE, _F.LAST_IN_AVERAGE, ("repetition", "average", "slice", "contrast")),
    (_F.FIRST_IN_SLICE, _F.LAST_IN_SLICE, ("repetition", "slice", "contrast")),
    (_F.FIRST_IN_CONTRAST, _F.LAST_IN_CONTRAST, ("repetition", "contrast")),
    (_F.FIRST_IN_REPETITION, _F.LAST_IN_REPETITION, ("repetition",)),
)
# which flags mark the first and the last readout of which group; averages of a slice are one group for FIRST_IN_SLICE


def measurement_uid(protocol: ScanProtocol) -> int:
    """Return the number that all messages of a scan carry."""
    return 1 + protocol.seed % (2**31)


def noise_headers(protocol: ScanProtocol) -> NDArray[np.void]:
    """Return the headers of the noise measurement, which comes first, (readouts,) of ``ACQUISITION_DTYPE``."""
    headers = _common(protocol, protocol.noise_readouts)
    headers["flags"] = _F.IS_NOISE_MEASUREMENT.bit
    headers["number_of_samples"] = protocol.noise_samples
    headers["sample_time_us"] = protocol.noise_dwell_us or protocol.dwell_us
    headers["scan_counter"] = np.arange(len(headers)) + 1
    _stamp(headers, np.arange(len(headers), dtype=np.float64) * NOISE_INTERVAL)
    return headers


def line_headers(protocol: ScanProtocol, order: NDArray[np.void]) -> NDArray[np.void]:
    """Return the headers of all other readouts.

    Parameters
    ----------
    protocol
        The scan.
    order
        (readouts,) of ``ORDER_DTYPE``.
    """
    headers = _common(protocol, len(order))
    headers["number_of_samples"] = protocol.readout_samples - dropped_samples(protocol)
    headers["center_sample"] = centre_sample(protocol)
    headers["trajectory_dimensions"] = 0 if protocol.cartesian else 2
    headers["sample_time_us"] = protocol.dwell_us
    headers["scan_counter"] = protocol.noise_readouts + np.arange(len(order)) + 1
    index = headers["idx"]
    index["kspace_encode_step_1"] = order["ky"] - line_range(protocol)[0]
    index["kspace_encode_step_2"] = order["kz"] if protocol.three_d else 0
    for name in ("average", "slice", "contrast", "repetition"):
        index[name] = order[name]
    if not protocol.three_d:
        headers["position"][:, 2] += slice_positions(protocol)[order["slice"]]
    _stamp(headers, scan_start(protocol) + order["time"])
    headers["flags"] = _flags(order)
    return headers


def scan_start(protocol: ScanProtocol) -> float:
    """Return when the first line is acquired, in seconds from the noise measurement's start."""
    return protocol.noise_readouts * NOISE_INTERVAL


def waveforms(protocol: ScanProtocol, duration: float) -> Iterator[tuple[float, Waveform]]:
    """Give ECG (id 0), pulse (1) and breathing (2) in pieces, each with the time of its end in seconds.

    ECG and pulse have a second channel that is 16384 at a trigger, as Siemens scanners send it; curves are about 2048.
    """
    piece = WAVEFORM_PIECE * WAVEFORM_SAMPLE
    for number in range(int(np.ceil(duration / piece))):
        time = number * piece + np.arange(WAVEFORM_PIECE, dtype=np.float64) * WAVEFORM_SAMPLE
        trigger = 16384 * (time % physiology.HEART_PERIOD < WAVEFORM_SAMPLE - 1e-9)
        curves = (
            np.stack([2048 + 1000 * physiology.electrocardiogram(time), trigger]),
            np.stack([2048 + 1000 * physiology.pulse(time), trigger]),
            2048 + 1000 * physiology.respiration(time)[None],
        )
        for kind, curve in enumerate(curves):
            header = np.zeros((), WAVEFORM_DTYPE)
            header["version"] = 1
            header["measurement_uid"] = measurement_uid(protocol)
            header["scan_counter"] = 3 * number + kind + 1
            header["time_stamp"] = _ticks(time[0])
            header["channels"], header["number_of_samples"] = curve.shape
            header["sample_time_us"] = WAVEFORM_SAMPLE * 1e6
            header["waveform_id"] = kind
            yield float(time[0]) + piece, Waveform(header, np.rint(curve).astype(np.uint32))


def _common(protocol: ScanProtocol, count: int) -> NDArray[np.void]:
    headers = np.zeros(count, ACQUISITION_DTYPE)
    headers["version"] = 1
    headers["measurement_uid"] = measurement_uid(protocol)
    headers["available_channels"] = headers["active_channels"] = protocol.coils
    for word in range(4):
        headers["channel_mask"][:, word] = (1 << min(64, max(0, protocol.coils - 64 * word))) - 1
    # transverse: the patient's front is at row 0 and the right side at column 0; axes are left, back, head
    headers["position"] = protocol.centre_mm
    headers["read_dir"] = (1, 0, 0)
    headers["phase_dir"] = (0, 1, 0)
    headers["slice_dir"] = (0, 0, 1)
    return headers


def _stamp(headers: NDArray[np.void], time: NDArray[np.float64]) -> None:
    headers["acquisition_time_stamp"] = _ticks(time)
    headers["physiology_time_stamp"][:, 0] = time % physiology.HEART_PERIOD / TICK
    headers["physiology_time_stamp"][:, 1] = (time - 0.25) % physiology.HEART_PERIOD / TICK
    headers["physiology_time_stamp"][:, 2] = time % physiology.BREATH_PERIOD / TICK


def _ticks(time: NDArray[np.float64] | float) -> NDArray[np.uint32]:
    return np.asarray((START + np.asarray(time)) / TICK + 1e-6).astype(np.uint32)


def _flags(order: NDArray[np.void]) -> NDArray[np.uint64]:
    flags = np.zeros(len(order), np.uint64)
    role = order["role"]
    flags[(role == Role.CALIBRATION) | (role == Role.PRESCAN)] |= np.uint64(_F.IS_PARALLEL_CALIBRATION.bit)
    flags[role == Role.IMAGING_AND_CALIBRATION] |= np.uint64(_F.IS_PARALLEL_CALIBRATION_AND_IMAGING.bit)
    scan = np.flatnonzero(role != Role.PRESCAN)  # a calibration scan completes no image
    for first_flag, last_flag, names in _ENDS:
        first, last = first_and_last(order[scan], names)
        flags[scan[first]] |= np.uint64(first_flag.bit)
        flags[scan[last]] |= np.uint64(last_flag.bit)
    flags[-1] |= np.uint64(_F.LAST_IN_MEASUREMENT.bit)
    return flags
