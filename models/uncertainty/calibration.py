"""Risk control: how far intervals must be stretched to miss no more of the truth than was promised.

S. Bates et al., Distribution-free, risk-controlling prediction sets, Journal of the ACM 68, 43 (2021); A. Angelopoulos
et al., Image-to-image regression with distribution-free uncertainty quantification, ICML 2022.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .hoeffding_bentkus import upper_bound

SCALES: NDArray[np.float64] = np.geomspace(1e3, 1e-2, 1001)
"""The lambdas that are tried, descending; neighbours differ by 1.2 %, which is what intervals may be too wide by."""


class CalibrationError(ValueError):
    """Images that no calibration can be had from; ``str()`` of it says what would help."""


@dataclass(frozen=True)
class Calibration:
    """A promise: of the next image like those calibrated on, at most alpha of the pixels are expected outside.

    The expectation is over images, and the promise holds with a probability of 1 - delta over the choice of those
    calibrated on, if they and the next are independent draws from one distribution. It holds on the average over
    pixels and over images, for no single pixel and no single image.
    """

    scale: float
    """Lambda: what half-widths of intervals are to be multiplied by."""
    alpha: float
    delta: float
    images: int
    """How many it rests on."""
    risk: float
    """Mean share of pixels outside, on those images."""
    bound: float
    """Hoeffding-Bentkus upper bound of it at delta; at most alpha."""


def images_needed(alpha: float, delta: float) -> int:
    """Return the smallest number of images that can show a risk of at most alpha: if no pixel of any is outside."""
    return math.ceil(math.log(delta) / math.log1p(-alpha))


def check_promise(images: int, alpha: float, delta: float) -> None:
    """Refuse a promise that so many images cannot show, before anything is computed for it.

    Raises
    ------
    ValueError
        Alpha or delta is no probability.
    CalibrationError
        There are too few images.
    """
    if not 0 < alpha < 1 or not 0 < delta < 1:
        raise ValueError(f"alpha is {alpha}, delta is {delta}; expected both between 0 and 1")
    if images < (least := images_needed(alpha, delta)):
        raise CalibrationError(
            f"{images} images can show no risk of {alpha:g} with a confidence of {1 - delta:g}: expected at least "
            f"{least}, and more for narrow intervals"
        )


def risk_curve(needed: Tensor, scales: NDArray[np.float64] = SCALES) -> NDArray[np.float64]:
    """Return the share of an image's pixels that lie outside their intervals, at each scale.

    Parameters
    ----------
    needed
        (pixels,) real: the scale at which each one's interval begins to hold the truth (``Intervals.needed_scale``).
    scales
        (scales,).

    Raises
    ------
    ValueError
        There are no pixels.
    """
    if not needed.numel():
        raise ValueError("there are no pixels to take a share of; leave empty slices out")
    ordered = np.sort(needed.detach().cpu().double().numpy())
    inside = np.searchsorted(ordered, scales, side="right")
    return np.asarray(1 - inside / len(ordered), np.float64)


def calibrate(
    risks: NDArray[np.float64],
    *,
    alpha: float = 0.1,
    delta: float = 0.1,
    scales: NDArray[np.float64] = SCALES,
) -> Calibration:
    """Find the last scale, from the widest intervals down, whose bound of the risk is at most alpha.

    Parameters
    ----------
    risks
        (images, scales) each in [0, 1], not falling along scales: a ``risk_curve`` for each image.
    alpha
        Risk that is to be kept, in (0, 1).
    delta
        Probability that the calibration may fail to, in (0, 1).
    scales
        (scales,) descending.

    Raises
    ------
    ValueError
        Alpha or delta is no probability, or shapes do not fit.
    CalibrationError
        There are too few images, or no scale is wide enough.
    """
    check_promise(len(risks), alpha, delta)
    if risks.ndim != 2 or risks.shape[1] != len(scales):
        raise ValueError(f"risks are {risks.shape}, expected (images, {len(scales)})")
    n, means = len(risks), risks.mean(axis=0)

    def bound(number: int) -> float:
        return upper_bound(float(min(means[number], 1.0)), n, delta)

    # intervals shrink with the scale, so that the risk, and its bound, only grow: the last is found by halving
    passed = bisect_right(range(len(scales)), alpha, key=bound)
    if not passed:
        raise CalibrationError(
            f"at {scales[0]:g} times their width, intervals miss {means[0]:.3g} of the truth, which is at most "
            f"{bound(0):.3g} by {n} images; expected at most {alpha:g}: the ensemble does not know where it is wrong "
            "(other members, wider intervals where it has no spread), or alpha is to be larger"
        )
    last = passed - 1
    return Calibration(float(scales[last]), alpha, delta, n, float(means[last]), bound(last))
