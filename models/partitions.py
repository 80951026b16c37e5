"""Volumes as slices, where the second phase encoding was sampled in full, and slices as volumes."""

from __future__ import annotations

from dataclasses import replace

from .measurements import Measurements
from .operators.fourier import FourierOperator


def partitions_alike(measurements: Measurements) -> bool:
    """Return whether every partition of volumes was sampled, and all in the same lines."""
    mask = measurements.mask
    return bool((mask == mask[:, :, :1]).all())


def as_slices(measurements: Measurements) -> Measurements:
    """Turn volumes into batches of slices by the inverse transform along kz.

    Exact where every partition kz was sampled alike: mask and maps act on each slice alone then. The transform is
    orthonormal, so the noise level stays.

    Parameters
    ----------
    measurements
        Slices, which are returned as they are, or volumes: k-space (batch, coils, kz, ky, kx).

    Returns
    -------
        K-space (batch times z, coils, ky, kx), slice by slice of each volume.

    Raises
    ------
    ValueError
        Partitions were left out, or differ in what was sampled.
    """
    if measurements.kspace.ndim == 4:
        return measurements
    mask = measurements.mask
    if not partitions_alike(measurements):
        rows = mask.flatten(3).any(dim=3)[0, 0]
        raise ValueError(
            f"{int(rows.sum())} of {len(rows)} partitions (kz) were sampled, or not all alike; reconstructing slice by "
            "slice needs kz sampled in full, with the same lines in each; CG-SENSE and samplers of volumes, volume-dds "
            "and mbir, take any sampling"
        )
    kspace = FourierOperator((-3,)).adjoint(measurements.kspace)
    return replace(
        measurements,
        kspace=kspace.transpose(1, 2).flatten(0, 1),
        mask=mask.transpose(1, 2).flatten(0, 1),
        maps=measurements.maps.transpose(1, 2).flatten(0, 1),
    )


def as_stacks(measurements: Measurements) -> Measurements:
    """Turn each slice of a batch into a volume of one partition; volumes are returned as they are."""
    if measurements.kspace.ndim == 5:
        return measurements
    return replace(
        measurements,
        kspace=measurements.kspace.unsqueeze(2),
        mask=measurements.mask.unsqueeze(2),
        maps=measurements.maps.unsqueeze(2),
    )
