"""Whether a scan is like those that a model was trained on, by what it shows and not by how it was acquired."""

from __future__ import annotations

from ..classical.cg_sense import CGSense
from ..measurements import Measurements
from .evidence import Evidence
from .flag_model import DISTANCE, FlagModel
from .input_statistics import input_statistics
from .kinds import FlagKind

_KIND: FlagKind = "out_of_distribution"
_ITERATIONS = 30


def unlike_training(flags: FlagModel, measurements: Measurements) -> str | None:
    """Say that a scan's contrast, size and spectrum are not those of the training; None if they may be.

    By the flag ``out_of_distribution`` and the CG-SENSE image, whatever the acquisition: from the probability of a
    notice on, which at most a twentieth of clean scans exceeds.

    Parameters
    ----------
    flags
        Of the model.
    measurements
        Slices of one image; the most unlike one counts.
    """
    flag = flags.flags.get(_KIND)
    if flag is None:
        return None
    highest = max(_probability(flags, one) for one in measurements.to("cpu").split())
    if highest < flag.notice:
        return None
    return f"unlike the scans that it was trained on, probability {highest:.2f}"


def _probability(flags: FlagModel, one: Measurements) -> float:
    image = CGSense(iterations=_ITERATIONS)(one)[0].numpy()
    if not image.any():
        return 0.0  # there is nothing to be unlike anything
    found = {f"input_{name}": value for name, value in input_statistics(Evidence(one, image, image)).items()}
    return flags.flags[_KIND].probability({**found, DISTANCE: flags.typical.distance(found)})
