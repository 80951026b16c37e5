"""What later gadgets need to know of the measurements that an image was made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..engine.messages import MetaValue

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from ..models.flags.flag_model import FlagModel
    from ..models.measurements import Measurements
    from ..models.trained_range import TrainedRange

MEASURED, ESTIMATED = "measured", "estimated from the scan"


def scan_figures(measurements: Measurements, noise: float | None = None) -> Mapping[str, MetaValue]:
    """Return metadata that tell the scan's noise, acceleration and SNR, numbers as ``repr`` writes them.

    - ``EchotrainNoiseLevel``: ``measured``, or ``estimated from the scan`` where there was no noise measurement.
    - ``EchotrainNoiseFloor``: standard deviation that the noise gives a magnitude where all of k-space is sampled, in
      the unit of the image: what no uncertainty is below (``uncertainty.intervals.noise_floor``).
    - ``EchotrainAcceleration``: grid points over sampled ones, calibration lines counted.
    - ``EchotrainCoils``: number of coils, after compression.
    - ``EchotrainSnr``: as ``body_snr``; left out where there is no signal, or no noise.

    Parameters
    ----------
    measurements
        Slices of one image.
    noise
        As ``Measurements.noise``: the level that was assumed, where somebody has estimated it already.
    """
    from ..models.scan_facts import scan_facts

    facts = scan_facts(measurements, noise)
    return {
        "EchotrainNoiseLevel": MEASURED if facts.measured else ESTIMATED,
        "EchotrainNoiseFloor": repr(facts.noise / math.sqrt(2)),
        "EchotrainAcceleration": repr(facts.acceleration),
        "EchotrainCoils": str(facts.coils),
        **({} if facts.snr is None else {"EchotrainSnr": repr(facts.snr)}),
    }


def beyond_training(
    trained: TrainedRange,
    measurements: Measurements,
    figures: Mapping[str, MetaValue],
    flags: FlagModel | None = None,
) -> tuple[str, ...]:
    """Say in what a scan lies outside what a supervised model was trained for.

    Parameters
    ----------
    trained
        Of the model's card.
    measurements
        Slices of one image, or a volume that is reconstructed slice by slice.
    figures
        ``scan_figures`` of them.
    flags
        Of the model, if it has some: whether what the scan shows is like what it was trained on.
    """
    from ..models.flags.unlike import unlike_training
    from ..models.partitions import as_slices

    height, width = measurements.maps.shape[-2:]
    snr = figures.get("EchotrainSnr")
    reasons = trained.outside(
        acceleration=float(str(figures["EchotrainAcceleration"])),
        matrix=(height, width),
        coils=measurements.kspace.shape[1],
        snr=None if snr is None else float(str(snr)),
    )
    unlike = None if flags is None else unlike_training(flags, as_slices(measurements))
    return reasons if unlike is None else (*reasons, unlike)
