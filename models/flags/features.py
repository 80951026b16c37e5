"""All features of one slice, by name."""

from __future__ import annotations

import math

import numpy as np

from ..noise_level import estimated_noise
from .evidence import Complex, Evidence
from .image_features import peak_over_median, root_mean_square, roughness, smoothed
from .input_statistics import input_statistics
from .kspace_features import coil_dropout, column_ratio, jumps, line_coherence, line_levels, spike_ratio
from .residual_features import band_ratios, evened, excess_kurtosis, isolated_lines, lag_correlations, spectral_flatness

_LEAST = 1e-3
_ALONG = "residual_along_worst"
ALONG_WORST = tuple(f"{name}_{_ALONG}" for name in ("judged", "conventional"))
"""Features that need a ``worst_change``."""
_LINES = ("isolated_line", "isolated_line_contrast", "beside_centre")


def features(evidence: Evidence) -> dict[str, float]:
    """Compute every feature that needs no truth.

    Ratios are natural logarithms: what is twice as much is as far off as what is half. All are finite and the same
    whatever unit k-space has.

    Returns
    -------
        By name. Those of more methods, of posterior samples, of the
        sensitivity and of the worst change are there where the evidence has them.
    """
    found = {
        **_of_residuals(evidence),
        **_of_kspace(evidence),
        **_of_images(evidence),
        **{f"input_{name}": value for name, value in input_statistics(evidence).items()},
        "log_acceleration": _log(evidence.acceleration),
        "log_coils": _log(len(evidence.kspace)),
        "log_snr": _log(root_mean_square(evidence.conventional, evidence.body) / evidence.noise),
    }
    if evidence.deviation is not None:
        found |= _of_spread(evidence)
    for name, image in evidence.others.items():
        apart = smoothed(evidence.judged - image) / evidence.image_noise
        found[f"{name}_disagreement_peak"] = _log(float(apart[evidence.body].max()))
        found[f"{name}_disagreement_contrast"] = _log(peak_over_median(apart, evidence.body))
    if evidence.sensitivity is not None:
        found["sensitivity"] = _log(evidence.sensitivity)
    if evidence.worst_change is not None:
        found |= _along_worst(evidence, evidence.worst_change)
    return found


def _of_residuals(evidence: Evidence) -> dict[str, float]:
    found = {}
    for name, residual in evidence.residuals.items():
        ratios = band_ratios(residual, evidence.sampled)
        for band, coils in ratios.items():
            found[f"{name}_residual_{band}"] = _log(float(np.sqrt(np.mean(coils**2))))
        worst = max(float(coils.max() / max(np.median(coils), _LEAST)) for coils in ratios.values())
        found[f"{name}_residual_worst_coil"] = _log(worst)
        even = evened(residual, evidence.sampled)
        along_ky, along_kx = lag_correlations(even, evidence.sampled)
        found[f"{name}_residual_correlation_ky"] = along_ky
        found[f"{name}_residual_correlation_kx"] = along_kx
        found[f"{name}_residual_kurtosis"] = math.log1p(max(excess_kurtosis(even[:, evidence.sampled]), -0.9))
        found[f"{name}_residual_spike"] = _log(spike_ratio(residual, evidence.sampled))
        found[f"{name}_residual_column"] = _log(column_ratio(residual, evidence.sampled))
        for what, ratio in zip(_LINES, isolated_lines(residual, evidence.sampled), strict=True):
            found[f"{name}_{what}"] = _log(ratio)
        uneven = jumps(line_levels(residual, evidence.sampled))
        found[f"{name}_residual_line"] = float(uneven.max(initial=0))
    found["residual_flatness"] = spectral_flatness(evidence.misfit)
    return found


def _of_kspace(evidence: Evidence) -> dict[str, float]:
    uneven = jumps(line_levels(evidence.kspace, evidence.sampled))
    measured = evidence.measurements.noise
    excess = 1.0 if not measured else estimated_noise(evidence.measurements) / measured
    return {
        "noise_excess": _log(excess),
        "kspace_spike": _log(spike_ratio(evidence.kspace, evidence.sampled)),
        "line_jump": float(uneven.max(initial=0)),
        "line_unevenness": float(np.mean(uneven)) if len(uneven) else 0.0,
        "line_coherence": line_coherence(evidence.kspace, evidence.sampled),
        "coil_dropout": coil_dropout(evidence.kspace),
    }


def _of_images(evidence: Evidence) -> dict[str, float]:
    body, unit = evidence.body, evidence.image_noise
    apart = (evidence.judged - evidence.conventional) / np.float32(unit)
    found = {}
    for name, image in (("disagreement", apart), ("misfit", evidence.misfit)):
        filtered = smoothed(image)
        found[f"{name}_level"] = _log(root_mean_square(image, body))
        found[f"{name}_peak"] = _log(float(filtered[body].max()))
        found[f"{name}_contrast"] = _log(peak_over_median(filtered, body))
        found[f"{name}_kurtosis"] = math.log1p(max(excess_kurtosis(image[body]), -0.9))
    found["disagreement_flatness"] = spectral_flatness(apart)
    for name, image in (("judged", evidence.judged), ("conventional", evidence.conventional)):
        found[f"{name}_roughness"] = _log(roughness(image, body) / unit)
    return found


def _of_spread(evidence: Evidence) -> dict[str, float]:
    assert evidence.deviation is not None
    body, unit = evidence.body, evidence.image_noise
    spread = evidence.deviation / np.float32(unit)
    apart = np.abs(evidence.judged - evidence.conventional) / np.hypot(evidence.deviation, np.float32(unit))
    return {
        "spread_level": _log(root_mean_square(spread.astype(np.complex64), body)),
        "spread_peak": _log(float(spread[body].max())),
        "disagreement_over_spread": _log(float(np.quantile(apart[body], 0.99))),
    }


def _along_worst(evidence: Evidence, change: Complex) -> dict[str, float]:
    """Residuals along the worst change, in units of the noise: of white noise, .9 along a change that ignores it."""
    size = float(np.linalg.norm(change)) or 1.0
    return {
        f"{name}_{_ALONG}": _log(float(abs(np.vdot(change, residual))) / size)
        for name, residual in evidence.residuals.items()
    }


def _log(ratio: float) -> float:
    return math.log(max(ratio, _LEAST))
