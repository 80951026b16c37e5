"""What calibrated uncertainty is worth where scans are unlike those that it was calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..evaluation.case import Case
from ..evaluation.metrics import scores
from ..model_store import ModelStore
from ..noise_level import estimated_noise
from ..runtimes.device import find_device
from ..trained_range import TrainedRange
from ..uncertainty.body import body_mask
from ..uncertainty.calibration import risk_curve
from ..uncertainty.calibration_cases import calibration_cases
from ..uncertainty.case_intervals import case_intervals
from ..uncertainty.interval_scores import rank_correlation
from ..uncertainty.named_ensemble import NamedEnsemble, named_ensemble_of_methods, named_ensemble_of_samples
from ..uncertainty.running_ensemble import NOMINAL
from .slices import RealScans
from .study import Report, Unit, weights_of

SCALES: NDArray[np.float64] = np.geomspace(30, 0.03, 121)
"""The lambdas that risks are kept at, descending: neighbours differ by 6 %, by which intervals may be too wide."""
ALPHA, DELTA = 0.1, 0.1
SUPERVISED, DIFFUSION, SCD = "supervised", "diffusion", "diffusion, adapted (SCD)"
SEEN, UNSEEN, CONTRAST, MASK, FASTER, FEWER, SCAN = (
    "calibrated on",
    "other subjects",
    "contrast",
    "mask",
    "acceleration",
    "coils",
    "real scan",
)
_SCOPE = TrainedRange(acceleration=(4, 8), matrix=(192, 192), coils=(6, 12), snr=(20, 80), masks=("uniform",))
SHIFTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        UNSEEN: {},
        CONTRAST: {},  # of the images
        MASK: {"masks": ("equispaced",)},
        FASTER: {"acceleration": (11, 12)},
        FEWER: {"coils": (2, 3)},
    }
)
"""What is different from the scans that are calibrated on, one thing at a time, and always the subjects."""


@dataclass(frozen=True)
class ShiftRow:
    """The intervals of one ensemble on one slice."""

    ensemble: str
    condition: str
    number: int
    """Of the slice; the same in all of ``SHIFTS`` are paired."""
    risk: float
    """Share of the body's pixels whose truth lies outside intervals as they come, for 90 %."""
    correlation: float
    """Spearman's, of |error| with the half-width, in the body."""
    size: float
    """Mean width at lambda 1 over mean truth."""
    psnr: float
    """Of the mean image, dB."""
    curve: str
    """Risk at each of ``SCALES``, a space between two."""

    def risks(self) -> NDArray[np.float64]:
        """Return the risk at each of ``SCALES``."""
        return np.array(self.curve.split(), np.float64)


@dataclass(frozen=True, kw_only=True)
class ShiftStudy:
    """Every ensemble in every condition on every slice."""

    name: ClassVar[str] = "shift"
    row: ClassVar[type[Any]] = ShiftRow
    seen: NDArray[np.uint8] = field(repr=False)
    """(N, y, x) images to calibrate on."""
    unseen: NDArray[np.uint8] = field(repr=False)
    """(N, y, x) images of other subjects."""
    label: str
    """What these are."""
    scans: RealScans | None = None
    """Scans of somebody's own, at the accelerations of the scope's ends."""
    members: tuple[str, ...]
    """Of the supervised ensemble."""
    prior: str
    begin: str
    """What the prior's samples begin at: a supervised model."""
    settings_of_samples: Mapping[str, Any]
    folders: tuple[Path, ...]
    matrix: int = 192
    samples: int = 8
    adapted: int = 6
    """Slices of each condition that SCD is run on: it takes ten times as long."""
    device: str = "auto"
    seed: int = 0

    def settings(self) -> Mapping[str, Any]:
        """Return everything that rows depend on."""
        return {
            "slices": self.label,
            "scans": "" if self.scans is None else f"{self.scans.label} ({self.scans.digest()})",
            "weights": weights_of(ModelStore(*self.folders), *self.members, self.prior, self.begin),
            "begin": self.begin,
            "samples": {"number": self.samples, **self.settings_of_samples},
            "matrix": self.matrix,
            "adapted": self.adapted,
            "seed": self.seed,
        }

    def units(self) -> Sequence[Unit]:
        """List (ensemble, condition, number)."""
        both = (SUPERVISED, DIFFUSION)
        units: list[Unit] = [*product(both, (SEEN,), range(len(self.seen)))]
        units += product(both, SHIFTS, range(len(self.unseen)))
        units += product((SCD,), SHIFTS, range(min(self.adapted, len(self.unseen))))
        if self.scans is not None:
            units += product((*both, SCD), (SCAN,), range(2 * len(self.scans)))
        return units

    def start(self) -> Callable[[Unit], list[ShiftRow]]:
        """Load the models, of each ensemble when it is first asked for."""
        where = find_device(self.device)
        loaded: dict[str, NamedEnsemble] = {}

        def compute(unit: Unit) -> list[ShiftRow]:
            name, condition, number = cast("tuple[str, str, int]", unit)
            if name not in loaded:
                loaded[name] = self._ensemble(name)
            found = case_intervals(loaded[name].ensemble, self.case(condition, number), "deviation", device=where)
            needed, intervals, truth, body = found.needed(), found.intervals, found.truth, found.body
            error = (intervals.prediction - truth).abs()[body].double().numpy()
            half = (intervals.below + intervals.above)[body].double()
            return [
                ShiftRow(
                    name,
                    condition,
                    number,
                    float((needed > NOMINAL["deviation"]).double().mean()),
                    rank_correlation(error, half.numpy()),
                    float(half.mean() / truth[body].double().mean()),
                    float(scores(intervals.prediction, truth).psnr),
                    " ".join(f"{risk:.4f}" for risk in risk_curve(needed, SCALES)),
                )
            ]

        return compute

    def case(self, condition: str, number: int) -> Case:
        """Return a slice in a condition; in all of ``SHIFTS`` it is the same but for what is shifted."""
        if condition == SCAN:
            assert self.scans is not None  # it is one of the units
            case = self.scans.case(number // 2, _SCOPE.acceleration[number % 2])
            measurements = replace(case.measurements, noise=estimated_noise(case.measurements))
            return replace(case, measurements=measurements)
        images = self.seen if condition == SEEN else self.unseen
        image = inverted(images[number]) if condition == CONTRAST else images[number]
        wanted = {"matrix": (self.matrix, self.matrix), **SHIFTS.get(condition, {})}
        scope = TrainedRange.model_validate({**_SCOPE.model_dump(), **wanted})
        seed = int(np.random.SeedSequence([self.seed, condition == SEEN, number]).generate_state(1)[0])
        return next(calibration_cases(image[None], scope, seed=seed))

    def _ensemble(self, name: str) -> NamedEnsemble:
        store = ModelStore(*self.folders)
        if name == SUPERVISED:
            return named_ensemble_of_methods(store, self.members, {}, device=self.device)
        sampler = "scd" if name == SCD else "dds"
        settings, device = self.settings_of_samples, self.device
        return named_ensemble_of_samples(
            store, self.prior, sampler, settings, self.samples, start=self.begin, device=device
        )

    def report(self, rows: Sequence[ShiftRow]) -> Report:
        """Judge; see ``shift_report``."""
        from .shift_report import shift_report

        return shift_report(rows, self)

    def draw(self, rows: Sequence[ShiftRow], path: Path) -> None:
        """Draw; see ``draw_shift``."""
        from .shift_figure import draw_shift

        draw_shift(rows, path, f"{self.label}, simulated, {self.matrix} x {self.matrix}")


def inverted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image (y, x) whose greys are inverted inside the head: a contrast that no sequence trained on has."""
    inside = body_mask(torch.from_numpy(image.astype(np.float32))[None])[0].numpy()
    return np.where(inside, image.max() - image, image).astype(np.uint8)
