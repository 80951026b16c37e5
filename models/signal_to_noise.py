"""How strong a scan's signal is over its noise, as far as the zero-filled image tells."""

from __future__ import annotations

from .measurements import Measurements

_BODY = 0.1  # of the brightest pixel: what is above counts as body


def body_snr(measurements: Measurements) -> float | None:
    """Return the mean magnitude of the zero-filled image over its body, over the noise of a fully sampled image.

    An estimate: undersampling spreads signal, so that it is low by up to a half.

    Returns
    -------
        None where the noise is unknown or there is no signal.
    """
    if not measurements.noise:
        return None
    magnitude = measurements.zero_filled().abs()
    peak = magnitude.amax()
    if not peak > 0:
        return None
    return float(magnitude[magnitude >= _BODY * peak].mean()) / measurements.noise
