"""The side of k-space that a scan left out."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["zero_fill", "homodyne", "pocs"]


def completed(
    data: NDArray[np.complex64], lines: NDArray[np.bool_], columns: slice, method: Method
) -> tuple[NDArray[np.complex64], str]:
    """Find the side that is missing, if one is.

    Parameters
    ----------
    data
        (coils, kz, ky, kx) complex64.
    lines
        (kz, ky) bool: lines that hold data.
    columns
        Columns that hold data.
    method
        How; ``zero_fill`` leaves k-space as it is.

    Returns
    -------
        K-space, and what was done, in words; no words if nothing was missing.

    Raises
    ------
    ValueError
        The centre was not acquired, or the method cannot do it.
    """
    held = np.nonzero(lines)
    sides = [slice(int(places.min()), int(places.max()) + 1) for places in held]
    fractions = [(s.stop - s.start) / n for s, n in zip(sides, lines.shape, strict=True)]
    first, last, _ = columns.indices(data.shape[-1])
    fractions.append((last - first) / data.shape[-1])
    missing = [f"{f:.2f} of k{axis}" for axis, f in zip("zyx", fractions, strict=True) if f < 1]
    if not missing:
        return data, ""
    what = f"partial Fourier, {' and '.join(missing)}"
    if method == "zero_fill":
        return data, f"{what}, zero-filled"
    if not lines[tuple(sides)].all():
        raise ValueError(f"k-space is no rectangle ({what}), which {method} needs: zero_fill takes any")
    import torch

    from ..models.classical.partial_fourier import homodyne, pocs

    acquired = [*sides, slice(first, last)]
    whole = torch.from_numpy(np.array(data, np.complex64, order="C"))
    if data.shape[1] == 1:
        whole, acquired = whole[:, 0], acquired[1:]
    found = {"homodyne": homodyne, "pocs": pocs}[method](whole, acquired)
    return found.numpy().reshape(data.shape), f"{what}, {method}"
