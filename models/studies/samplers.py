"""What samplers cost and what they give: seconds for a slice against evaluations of the prior against quality."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, cast

import torch

from ..defaults import own_name
from ..evaluation.case import Case
from ..evaluation.methods import find_method
from ..evaluation.metrics import scores
from ..evaluation.sampler_quality import ladder, measure
from ..measurements import Reconstructor
from ..model_store import ModelStore
from ..runtimes.device import find_device
from ..runtimes.runtime import RuntimeName
from ..samplers.build import DIFFERENTIATING, SAMPLERS, build_sampler, levels_within
from ..samplers.sampler import Sampler
from ..samplers.starts import start_of
from .slices import Slices
from .study import Report, Unit, weights_of

GROUNDS = ("zero-filled", "cg-sense", "tv")
"""Without a prior: what all that is to be compared with."""
_SLOW = frozenset({"pc", "langevin", "ald", "hfs", "dps", "smrd", "adadiff"})
"""Those that need hundreds of evaluations, or more."""


@dataclass(frozen=True)
class SamplerRow:
    """One sampler, or another method, on one slice."""

    method: str
    """Name of the sampler, with settings that are not default."""
    evaluations: int
    """Of the prior for one sample that were allowed; 0 for methods without one."""
    number: int
    """Of the slice."""
    taken: int
    """Evaluations of the prior for one sample; below those allowed where steps do not divide them."""
    steps: int
    seconds: float
    """For one sample; of several that are drawn together, their share."""
    psnr: float
    """Of the mean of the samples, dB."""
    sample_psnr: float
    spread: float
    """As ``Quality`` has it."""


@dataclass(frozen=True)
class Named:
    """A sampler as a chain would have it."""

    name: str
    settings: Mapping[str, Any]
    start: str | None = None
    """Method or model that it begins at; None for CG-SENSE, or for noise."""

    def label(self) -> str:
        """Return name and settings."""
        values = ",".join(f"{key}={value}" for key, value in self.settings.items())
        begun = f" from {self.start}" if self.start else ""
        return f"{self.name}{f' ({values})' if values else ''}{begun}"


@dataclass(frozen=True, kw_only=True)
class SamplerStudy:
    """Every sampler at several numbers of evaluations on every slice."""

    name: ClassVar[str] = "samplers"
    row: ClassVar[type[Any]] = SamplerRow
    slices: Slices
    prior: str
    supervised: str
    """Network that is compared with, and that one of the samplers begins at."""
    begun: Mapping[str, Any] = field(default_factory=lambda: {"eta": 1.0, "hot": True, "sigma_max": 0.1})
    """Settings of DDS there."""
    folders: tuple[Path, ...]
    acceleration: float = 8.0
    budgets: tuple[int, ...] = (10, 20, 50, 100)
    slow_budgets: tuple[int, ...] = (500, 2000)
    """More, for samplers that need them."""
    samples: int = 4
    device: str = "auto"
    seed: int = 0

    def settings(self) -> Mapping[str, Any]:
        """Return everything that rows depend on."""
        return {
            "slices": f"{self.slices.label} ({self.slices.digest()})",
            "weights": weights_of(ModelStore(*self.folders), self.prior, self.supervised),
            "begun": dict(self.begun),
            "acceleration": self.acceleration,
            "budgets": self.budgets,
            "slow_budgets": self.slow_budgets,
            "samples": self.samples,
            "device": str(find_device(self.device)),
            "seed": self.seed,
        }

    def samplers(self) -> list[Named]:
        """List every sampler of slices by its defaults, at noise levels that the prior knows, and two hot starts."""
        prior = ModelStore(*self.folders).load_prior(self.prior, device=self.device)
        own = [Named(name, levels_within(build_sampler(name, {}), prior)) for name in SAMPLERS]
        hot = Named("dds", {"eta": 1.0, "hot": True, "sigma_max": 0.4})
        return [Named("dds", self.begun, self.supervised), hot, *own]

    def units(self) -> Sequence[Unit]:
        """List (method, evaluations, number); samplers that take more at their fewest steps are left out there."""
        units: list[Unit] = []
        for named in self.samplers():
            budgets = (*self.budgets, *(self.slow_budgets if named.name in _SLOW else ()))
            runs = [budget for budget in budgets if self._runs(named, budget)]
            units += [(named.label(), budget, n) for budget, n in product(runs, range(len(self.slices)))]
        others = product((*GROUNDS, self.supervised), (0,), range(len(self.slices)))
        # slices one after the other, so that what is there of a run that was interrupted is whole slices
        return sorted([*others, *units], key=lambda unit: cast("int", unit[2]))

    def start(self) -> Callable[[Unit], list[SamplerRow]]:
        """Load the models."""
        store, where = ModelStore(*self.folders), find_device(self.device)
        named = {one.label(): one for one in self.samplers()}

        def compute(unit: Unit) -> list[SamplerRow]:
            method, budget, number = cast("tuple[str, int, int]", unit)
            case = self.slices.case(number, self.acceleration)
            case = Case(case.data, case.acceleration, case.mask, case.measurements.to(where), case.reference)
            if budget == 0:
                return [self._ground(unit, find_method(method, store, self.device), case)]
            sampler = self._runs(named[method], budget)
            assert sampler is not None  # it is one of the units
            kind: RuntimeName = "torch" if named[method].name in DIFFERENTIATING else "onnx"
            prior = store.load_prior(self.prior, device=self.device, runtime=kind)
            start = named[method].start
            begun = None if start is None else start_of(sampler, start, store, device=self.device)
            prior.denoise(case.measurements.zero_filled(), torch.ones((), device=where))  # what is prepared once
            before = time.perf_counter()
            quality = measure(sampler, prior, case, start=begun, samples=self.samples, seed=self.seed)
            seconds = (time.perf_counter() - before) / self.samples
            return [SamplerRow(method, budget, number, sampler.evaluations, sampler.steps, seconds, **asdict(quality))]

        return compute

    def _ground(self, unit: Unit, reconstruct: Reconstructor, case: Case) -> SamplerRow:
        method, _, number = cast("tuple[str, int, int]", unit)
        with torch.inference_mode():
            reconstruct(case.measurements)  # what is prepared once
            before = time.perf_counter()
            image = reconstruct(case.measurements).cpu()
        seconds = time.perf_counter() - before
        psnr = float(scores(image, case.reference).psnr)
        return SamplerRow(method, 0, number, 0, 0, seconds, psnr, psnr, float("nan"))

    def _runs(self, named: Named, budget: int) -> Sampler | None:
        return next(iter(ladder(build_sampler(named.name, named.settings), [budget])), None)

    def report(self, rows: Sequence[SamplerRow]) -> Report:
        """Judge; see ``samplers_report``."""
        from .samplers_report import samplers_report

        return samplers_report(rows, self)

    def draw(self, rows: Sequence[SamplerRow], path: Path) -> None:
        """Draw; see ``draw_samplers``."""
        from .samplers_figure import draw_samplers

        title = (
            f"{self.slices.label}, R = {self.acceleration:g}, mean of {self.samples} samples, {own_name(self.prior)}"
        )
        draw_samplers(rows, path, title)
