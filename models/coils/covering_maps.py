"""ESPIRiT maps that cover the body: its patches made smaller where few calibration lines cannot span the signal."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .calibration import low_resolution_images
from .espirit import espirit_maps

_SIGNAL = 0.1  # of the brightest pixel of the low-resolution image: less is no body
_FAILED = 0.2  # share of the body without maps: of 10 lines, kernels of 6 leave up to .19 out at no loss, dark rims
_COVERED = 0.05
_LEAST = 3


def covering_maps(
    calibration: Tensor, shape: Sequence[int], *, kernel: int = 6, threshold: float = 0.03, crop: float = 0.8
) -> tuple[Tensor, int]:
    """Estimate maps by ``espirit_maps``, with smaller patches if a fifth of the body would be taken for background.

    Many coils about a body that fills the field of view need more positions of the patch than few calibration lines
    have: of 10 lines of 16 coils about a phantom, a kernel of 6 lost a quarter of it. Large patches are kept where they
    work: they tell background from body better.

    Parameters
    ----------
    calibration, shape, threshold, crop
        As ``espirit_maps`` takes them.
    kernel
        Largest edge of the patches. If it fails, the next smaller one that leaves a twentieth of the body without maps
        is taken, down to 3, and if none does, the one that leaves least.

    Returns
    -------
    maps
        (batch, coils, [z,] y, x) complex64, as ``espirit_maps`` returns them.
    kernel
        Edge that they were made with.

    Raises
    ------
    ValueError
        As ``espirit_maps``.
    """
    signal = low_resolution_images(calibration, shape).abs().square().sum(dim=1).sqrt()
    body = signal > _SIGNAL * signal.flatten(1).amax(dim=1).view(-1, *[1] * len(shape))
    best: tuple[float, Tensor, int] | None = None
    for edge in range(kernel, min(kernel, _LEAST) - 1, -1):
        maps, _ = espirit_maps(calibration, shape, kernel=edge, threshold=threshold, crop=crop)
        lost = float((body & (maps == 0).all(dim=1)).sum() / body.sum().clamp(min=1))
        if lost <= (_FAILED if edge == kernel else _COVERED):
            return maps, edge
        if best is None or lost < best[0]:
            best = (lost, maps, edge)
    assert best is not None
    return best[1], best[2]
