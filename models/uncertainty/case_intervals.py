"""An ensemble's intervals for a case whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..evaluation.case import Case
from .body import body_mask
from .ensemble import Ensemble
from .intervals import Intervals, noise_floor
from .running_ensemble import Construction, RunningEnsemble


@dataclass(frozen=True)
class CaseIntervals:
    """Intervals beside what they are to hold, of a batch of slices, on the CPU."""

    intervals: Intervals
    """(batch, y, x)"""
    truth: Tensor
    """(batch, y, x) real magnitude in the intervals' unit."""
    body: Tensor
    """(batch, y, x) bool."""

    def needed(self) -> Tensor:
        """Return the scale that each pixel of the body needs, (pixels,)."""
        return self.intervals.needed_scale(self.truth)[self.body]


def case_intervals(
    ensemble: Ensemble, case: Case, construction: Construction, *, device: torch.device, seed: int = 0
) -> CaseIntervals:
    """Reconstruct a case by an ensemble.

    Parameters
    ----------
    ensemble
        Works on the device.
    case
        Its reference is in the unit of its k-space, as that of simulated cases is.
    construction
        How half-widths are made of the spread.
    device
        Where to compute.
    seed
        Chooses which images quantiles are taken of, where they are many.

    Raises
    ------
    ValueError
        The noise of the case is not known, or a method cannot reconstruct it.
    """
    measurements = case.measurements.to(device)
    running = RunningEnsemble(torch.Generator().manual_seed(seed))
    with torch.no_grad():  # not in inference mode: some samplers adapt their prior, with gradients of their own
        for image in ensemble(measurements):
            running.add(image)
        intervals = running.intervals(construction, noise_floor(measurements)).cpu()
    return CaseIntervals(intervals, case.reference, body_mask(case.reference))
