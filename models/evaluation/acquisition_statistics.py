"""What fully sampled scans are like, simulated and real: numbers by which one is compared with the other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..measurements import Measurements
from ..noise_level import estimated_noise
from ..simulation.acquisition_range import AcquisitionRange
from ..simulation.noisy_kspace import noisy_kspace
from ..simulation.random_coils import random_sensitivities
from ..simulation.random_contrast import random_contrast
from ..simulation.random_phase import random_phase, tissue_phase
from ..simulation.simulated_slices import random_view
from ..uncertainty.body import body_mask
from .case import maps_of
from .coil_statistics import coil_statistics
from .kspace_statistics import edge_power, noise_correlation
from .phase_roughness import WIDTHS, phase_roughness


def acquisition_statistics(
    kspace: NDArray[np.complex64], magnitude: NDArray[np.float32] | None = None
) -> dict[str, float]:
    """Return all statistics of one slice by name, units included.

    The image is the coil images combined by ESPIRiT maps of all of k-space, for simulated scans as for real ones.

    Parameters
    ----------
    kspace
        (coils, ky, kx) complex64, fully sampled; two coils or more, ky divisible by 4.
    magnitude
        (y, x) for the power at the edges of k-space, if there is an image that noise has no part in.

    Raises
    ------
    ValueError
        The scan is too small for ESPIRiT, or ky is not divisible by 4.
    """
    data = torch.from_numpy(kspace)[None]
    everything = torch.ones(1, 1, kspace.shape[1], 1, dtype=torch.bool)
    measurements = Measurements(data, everything, maps_of(data, everything))
    image = measurements.zero_filled()
    body = body_mask(image.abs())
    coils = coil_statistics(measurements.maps[0], body[0])
    correlation, spread = noise_correlation(kspace)
    along_y, along_x = edge_power(image[0].abs().numpy() if magnitude is None else magnitude)
    rough = {width: phase_roughness(image[0].numpy(), width) for width in WIDTHS}
    return {
        **{f"phase roughness at {width} px, rms, rad": values[0] for width, values in rough.items()},
        **{f"phase roughness at {width} px, robust SD, rad": values[1] for width, values in rough.items()},
        "turn of the maps, rad a field of view": coils.turn,
        "slope of the maps' moduli, rad a field of view": coils.slope,
        "coils": float(len(kspace)),
        "effective coils": coils.effective,
        "median g-factor at R = 4": coils.g_median,
        "95th percentile of the g-factor at R = 4": coils.g_high,
        "SNR of the body": float(image.abs()[body].mean()) / max(estimated_noise(measurements), 1e-30),
        "correlation of noise between coils": correlation,
        "noise of the noisiest coil over the quietest": spread,
        "power at the edges of ky, dB": along_y,
        "power at the edges of kx, dB": along_x,
    }


def drawn_acquisition(
    pixels: NDArray[np.uint8],
    drawn: AcquisitionRange,
    shape: tuple[int, int],
    snr: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """Simulate a fully sampled scan as ``SimulatedSlices`` does, of a stated matrix and SNR, by two coils or more.

    Parameters
    ----------
    pixels
        (y, x) uint8: a magnitude image.
    drawn
        Where view, contrast, phase and coils come from.
    shape
        Matrix (y, x).
    snr
        Mean signal of the body over the noise of an image; infinite for no noise.
    rng
        Source of randomness.

    Returns
    -------
    kspace
        (coils, ky, kx) complex64.
    magnitude
        (y, x) float32: what was imaged.
    """
    coils = max(round(np.exp(rng.uniform(*np.log(drawn.coils)))), 2)
    magnitude = random_view(pixels, shape, rng.uniform(*drawn.window), rng)
    if drawn.contrast:
        magnitude = random_contrast(magnitude, rng)
    image = magnitude * random_phase(shape, rng)
    if drawn.phase[1] > 0:
        image *= tissue_phase(magnitude, rng, rng.uniform(*drawn.phase))
    sensitivities = random_sensitivities(
        coils, shape, rng, rng.uniform(*drawn.distance), rng.uniform(*drawn.correlation)
    )
    return noisy_kspace(image, sensitivities, snr, rng)[1], magnitude
