"""The MRD XML header of a simulated scan, in the schema's order of elements."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from ..engine.messages import Header
from ..models.simulation.sampling_masks import partial_fourier_start
from .simulator_protocol import ScanProtocol

Content = str | float | Sequence[tuple[str, "Content"]]
"""What an element holds: a text or number, or elements (name, content) in order."""

WAVEFORM_SAMPLE = 0.0025
"""Seconds of one waveform sample."""

_WAVEFORMS = (("ECG", "ecg"), ("PULS", "pulse"), ("RESP", "respiratory"))
_RESONANCE_HZ = 123_200_000  # of protons at 2.89 T, a usual "3 T" magnet


def simulated_header(protocol: ScanProtocol) -> Header:
    """Write the header that the scanner of such a protocol would send."""
    body = _write(
        [
            ("measurementInformation", _measurement(protocol)),
            (
                "acquisitionSystemInformation",
                [
                    ("systemVendor", "echotrain"),
                    ("systemModel", "simulator"),
                    ("systemFieldStrength_T", 2.89),
                    ("relativeReceiverNoiseBandwidth", protocol.noise_bandwidth),
                    ("receiverChannels", protocol.coils),
                ],
            ),
            ("experimentalConditions", [("H1resonanceFrequency_Hz", _RESONANCE_HZ)]),
            ("encoding", _encoding(protocol)),
            ("sequenceParameters", _sequence(protocol)),
            ("userParameters", [("userParameterString", [("name", "phantom"), ("value", protocol.phantom)])]),
            *(_waveforms() if protocol.waveforms else ()),
        ],
        1,
    )
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">\n{body}</ismrmrdHeader>\n'
    return Header(xml.encode())


def line_range(protocol: ScanProtocol) -> tuple[int, int]:
    """Return the first acquired line on the encoded grid, and how many there are from it on.

    Phase encoding steps are counted from the first line, and the limits' centre says where k = 0 is.
    """
    if not protocol.cartesian:
        return 0, protocol.lines
    lines = protocol.matrix[1]
    first = partial_fourier_start(lines, protocol.partial_fourier)
    return first, lines - first


def dropped_samples(protocol: ScanProtocol) -> int:
    """Return how many samples at the start of a readout an asymmetric echo leaves out."""
    return partial_fourier_start(protocol.readout_samples, protocol.asymmetric_echo)


def centre_sample(protocol: ScanProtocol) -> int:
    """Return which sample of a readout lies at the centre of k-space."""
    return 0 if protocol.trajectory == "spiral" else protocol.readout_samples // 2 - dropped_samples(protocol)


def _measurement(protocol: ScanProtocol) -> Content:
    return [
        ("measurementID", protocol.measurement_id),
        ("patientPosition", "HFS"),
        ("protocolName", f"simulated_{protocol.phantom}_{protocol.trajectory}"),
        ("seriesDescription", f"simulated {protocol.phantom} {protocol.weighting} R={protocol.acceleration}"),
        ("frameOfReferenceUID", "echotrain.simulator"),
    ]


def _encoding(protocol: ScanProtocol) -> Content:
    nx, ny = protocol.matrix
    fx, fy = protocol.field_of_view_mm
    three_d = protocol.three_d
    nz = protocol.slices if three_d else 1
    fz = nz * protocol.slice_thickness_mm
    first, lines = line_range(protocol)
    columns = protocol.readout_samples
    dropped = dropped_samples(protocol)
    # spokes and spirals are placed by their trajectories, in cycles per pixel, which oversampling leaves as they are
    wider = protocol.oversampling if protocol.cartesian else 1
    counters = [
        ("kspace_encoding_step_0", _limit(columns - dropped, centre_sample(protocol))),
        ("kspace_encoding_step_1", _limit(lines, ny // 2 - first if protocol.cartesian else 0)),
        ("kspace_encoding_step_2", _limit(nz, nz // 2)),
        ("average", _limit(protocol.averages)),
        ("slice", _limit(1 if three_d else protocol.slices)),
        ("contrast", _limit(protocol.contrasts)),
        ("phase", _limit(1)),
        ("repetition", _limit(protocol.repetitions)),
        ("set", _limit(1)),
        ("segment", _limit(1)),
    ]
    parallel: list[tuple[str, Content]] = []
    if protocol.accelerated:
        factor = [
            ("kspace_encoding_step_1", protocol.acceleration),
            ("kspace_encoding_step_2", protocol.acceleration_z),
        ]
        mode: list[tuple[str, Content]] = []
        if protocol.calibration:
            mode = [("calibrationMode", protocol.calibration_mode)]
        parallel = [("parallelImaging", [("accelerationFactor", factor), *mode])]
    return [
        ("encodedSpace", _space((nx * wider, ny, nz), (fx * wider, fy, fz))),
        ("reconSpace", _space((nx, ny, nz), (fx, fy, fz))),
        ("encodingLimits", counters),
        ("trajectory", "cartesian" if protocol.cartesian else protocol.trajectory),
        *parallel,
    ]


def _sequence(protocol: ScanProtocol) -> Content:
    echoes = [protocol.te_ms + n * protocol.echo_spacing_ms for n in range(protocol.contrasts)]
    return [
        ("TR", protocol.tr_ms),
        *(("TE", te) for te in echoes),
        ("flipAngle_deg", protocol.flip_angle_deg),
        *([("echo_spacing", protocol.echo_spacing_ms)] if protocol.contrasts > 1 else []),
    ]


def _waveforms() -> list[tuple[str, Content]]:
    # the schema's readers insist on userParameters here, which leaves room for what else there is to know
    rate: Content = [("userParameterDouble", [("name", "sampling_rate_Hz"), ("value", 1 / WAVEFORM_SAMPLE)])]
    return [
        ("waveformInformation", [("waveformName", name), ("waveformType", kind), ("userParameters", rate)])
        for name, kind in _WAVEFORMS
    ]


def _space(matrix: tuple[int, int, int], fov: tuple[float, float, float]) -> Content:
    return [
        ("matrixSize", list(zip("xyz", matrix, strict=True))),
        ("fieldOfView_mm", list(zip("xyz", fov, strict=True))),
    ]


def _limit(count: int, centre: int = 0) -> Content:
    return [("minimum", 0), ("maximum", count - 1), ("center", centre)]


def _write(elements: Sequence[tuple[str, Content]], depth: int) -> str:
    pad, lines = "  " * depth, []
    for name, content in elements:
        if isinstance(content, str):
            lines.append(f"{pad}<{name}>{escape(content)}</{name}>\n")
        elif isinstance(content, int | float | np.number):
            lines.append(f"{pad}<{name}>{content}</{name}>\n")
        else:
            lines.append(f"{pad}<{name}>\n{_write(content, depth + 1)}{pad}</{name}>\n")
    return "".join(lines)
