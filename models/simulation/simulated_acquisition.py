"""What a scan acquires, in which order, and the k-space that it sees."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from .phantom_grid import resize_centred


class Role(IntEnum):
    """What a readout is for."""

    IMAGING = 0
    CALIBRATION = 1
    """A calibration line among the imaging lines that the undersampling pattern would leave out."""
    IMAGING_AND_CALIBRATION = 2
    PRESCAN = 3
    """A line of a calibration scan before the imaging lines."""


ORDER_DTYPE = np.dtype(
    [
        ("repetition", "<i4"),
        ("average", "<i4"),
        ("slice", "<i4"),
        ("contrast", "<i4"),
        ("kz", "<i4"),
        ("ky", "<i4"),
        ("role", "<i4"),
        ("time", "<f8"),
    ]
)
"""A readout: indices on the encoded grid, its role, and its time in seconds from the scan's start."""


def coil_kspace(
    image: NDArray[np.complexfloating], maps: NDArray[np.complexfloating], columns: int
) -> NDArray[np.complex64]:
    """Return what coils see of an image: the centred orthonormal FFT of image times sensitivities.

    Parameters
    ----------
    image
        (y, x) or (z, y, x) complex.
    maps
        (coils, *image.shape) complex sensitivities.
    columns
        Encoded readout points, at least x: with oversampling the object is surrounded by nothing.

    Returns
    -------
    ndarray
        (coils, ky, columns) or (coils, kz, ky, columns) complex64, k = 0 at index n // 2.
    """
    axes = tuple(range(1, maps.ndim))
    kspace = np.empty((*maps.shape[:-1], columns), np.complex64)
    for coil, coil_map in enumerate(maps):
        seen = resize_centred((image * coil_map).astype(np.complex128), (image.shape[-2], columns))
        part = tuple(a - 1 for a in axes)
        kspace[coil] = fft.fftshift(fft.fftn(fft.ifftshift(seen, part), axes=part, norm="ortho"), part)
    return kspace


def coil_samples(
    image: NDArray[np.complexfloating], maps: NDArray[np.complexfloating], trajectory: NDArray[np.float64]
) -> NDArray[np.complex64]:
    """Return what coils see of an image along a trajectory, in the scale of ``coil_kspace`` without oversampling.

    Parameters
    ----------
    image
        (y, x) complex.
    maps
        (coils, y, x) complex sensitivities.
    trajectory
        (readouts, samples, 2) float64: (kx, ky) in cycles per pixel, -0.5 to 0.5.

    Returns
    -------
    ndarray
        (coils, readouts, samples) complex64, within 1e-6 of the sum over pixels.
    """
    import torch  # starts slowly: Cartesian scans do without

    from ..operators.nonuniform_fourier import NonuniformFourierOperator

    operator = NonuniformFourierOperator(torch.from_numpy(trajectory.reshape(-1, 2)), image.shape, width=8)
    samples = np.empty((len(maps), *trajectory.shape[:2]), np.complex64)
    for coil, coil_map in enumerate(maps):
        seen = torch.from_numpy((image * coil_map).astype(np.complex128))
        samples[coil] = operator(seen).numpy().reshape(trajectory.shape[:2])
    return samples


def acquisition_order(
    masks: Sequence[NDArray[np.bool_]],
    calibration: NDArray[np.bool_],
    *,
    prescan: bool,
    averages: int,
    slices: Sequence[int],
    contrasts: int,
    slices_in_turn: bool,
    tr: float,
    echo_spacing: float,
) -> NDArray[np.void]:
    """List the readouts of a scan in the order of acquisition.

    Repetitions are outermost and contrasts (echoes of one excitation) innermost. Between, slices come one after
    another, each with all its averages and lines; or, with ``slices_in_turn``, all slices are excited in turn within
    each repetition time and lines advance once a round.

    Parameters
    ----------
    masks
        One (kz, ky) bool for each repetition: the lines of the undersampling pattern.
    calibration
        (kz, ky) bool: lines of the calibration region; none if there is no calibration.
    prescan
        Whether calibration lines come in a scan of their own, before the first repetition, or among the imaging lines.
    averages, contrasts
        How many.
    slices
        Slice numbers in the order in which they are excited.
    slices_in_turn
        See above.
    tr
        Time from one excitation of a slice to the next, in s.
    echo_spacing
        Time from one contrast's readout to the next, in s.

    Returns
    -------
    ndarray
        (readouts,) of ``ORDER_DTYPE``.
    """
    parts = []
    if prescan:
        lines = np.argwhere(calibration)
        roles = np.full(len(lines), Role.PRESCAN.value)
        parts.append(_nested(0, lines, roles, 1, slices, contrasts, slices_in_turn=slices_in_turn))
    for repetition, mask in enumerate(masks):
        among = np.zeros_like(mask) if prescan else calibration
        lines = np.argwhere(mask | among)
        where = (lines[:, 0], lines[:, 1])
        within = np.where(mask[where], Role.IMAGING_AND_CALIBRATION.value, Role.CALIBRATION.value)
        roles = np.where(among[where], within, Role.IMAGING.value)
        parts.append(_nested(repetition, lines, roles, averages, slices, contrasts, slices_in_turn=slices_in_turn))
    order = np.concatenate(parts)
    excitation = np.arange(len(order)) // contrasts
    step = tr / len(slices) if slices_in_turn else tr
    order["time"] = excitation * step + order["contrast"] * echo_spacing
    return order


def first_and_last(order: NDArray[np.void], names: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the first and of the last readout of each group that shares the named fields."""
    key = np.zeros(len(order), np.int64)
    for name in names:
        key = key * (int(order[name].max(initial=0)) + 1) + order[name]
    _, first = np.unique(key, return_index=True)
    _, back = np.unique(key[::-1], return_index=True)
    return first, len(key) - 1 - back


def interleaved(slices: int) -> list[int]:
    """Return 0, 2, 4 ... 1, 3, 5 ...: neighbours are excited far apart in time."""
    return [*range(0, slices, 2), *range(1, slices, 2)]


def _nested(
    repetition: int,
    lines: NDArray[np.intp],
    roles: NDArray[np.int64],
    averages: int,
    slices: Sequence[int],
    contrasts: int,
    *,
    slices_in_turn: bool,
) -> NDArray[np.void]:
    loops = {"slice": np.array(slices), "average": np.arange(averages), "line": np.arange(len(lines))}
    nesting = ("average", "line", "slice") if slices_in_turn else ("slice", "average", "line")
    grids = np.meshgrid(*(loops[name] for name in nesting), np.arange(contrasts), indexing="ij")
    index = dict(zip((*nesting, "contrast"), (g.ravel() for g in grids), strict=True))
    order = np.zeros(len(index["line"]), ORDER_DTYPE)
    order["repetition"] = repetition
    for name in ("average", "slice", "contrast"):
        order[name] = index[name]
    order["kz"], order["ky"] = lines[index["line"]].T
    order["role"] = roles[index["line"]]
    return order
