"""Whether perturbations that were made for one reconstruction harm others.

T. Han et al., On Instabilities of Unsupervised Denoising Diffusion Models in MRI Reconstruction, MICCAI 2024, figure 3:
worst cases of two supervised networks, and random noise of the same norm, on these networks and on a diffusion model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from ..defaults import own_name
from ..evaluation.methods import find_method
from ..evaluation.metrics import Scores, scores
from ..measurements import Measurements, Reconstructor, joined
from ..model_store import ModelStore
from ..perturbation.ascent import normalised_gradient
from ..perturbation.attacked import Attacked, Reconstruct
from ..perturbation.ball import ball_about
from ..perturbation.control import relative_norm
from ..perturbation.white_box import white_box
from ..perturbation.worst_case import climb, perturbed, random_control
from ..runtimes.device import find_device
from ..samplers.build import levels_within
from ..samplers.diffusion_reconstruction import sample, sample_seeds
from ..samplers.sampler import Sampler
from .slices import Slices
from .study import Report, Unit, weights_of

CONTROLS = ("zero-filled", "cg-sense", "tv")
RANDOM = "random"
NONE = "none"
"""The source of a perturbation of zero."""


@dataclass(frozen=True)
class TransferRow:
    """One reconstruction of one perturbed slice."""

    acceleration: float
    group: int
    """Of slices that are computed together."""
    number: int
    """Of the slice."""
    source: str
    """What the perturbation was made for; ``random`` of the same norm, ``none`` at epsilon 0."""
    epsilon: float
    """Norm of the perturbation over that of the sampled data, at most."""
    method: str
    norm: float
    """As found."""
    change: float
    """norm(f(y + delta) - f(y)) / norm(f(y)), complex images."""
    psnr: float
    """Against the truth, dB."""
    ssim: float
    psnr_lost: float
    """PSNR of the clean slice minus that of the perturbed one, dB."""
    ssim_lost: float


@dataclass(frozen=True, kw_only=True)
class TransferStudy:
    """Every source on every method at every epsilon and acceleration, slice by slice."""

    name: ClassVar[str] = "transfer"
    row: ClassVar[type[Any]] = TransferRow
    slices: Slices
    networks: tuple[str, ...] = ("irim-r8", "resunetpp-r8")
    """Attacked with their own gradients, and what others are perturbed by."""
    prior: str = "brain-ve"
    sampler: Sampler
    """Of one sample a slice; noise levels that the prior does not know are brought into its range."""
    folders: tuple[Path, ...]
    epsilons: tuple[float, ...] = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)
    """Rising; beside 0."""
    accelerations: tuple[float, ...] = (4.0, 8.0, 12.0)
    iterations: int = 10
    """Steps of the attack at each epsilon, from what the epsilon below has found."""
    together: int = 1
    """Slices, all of one shape, that are attacked at once: more than one saves time on a GPU."""
    device: str = "auto"
    seed: int = 0

    @property
    def methods(self) -> tuple[str, ...]:
        """Everything that is perturbed."""
        return (*self.networks, own_name(self.prior), *CONTROLS)

    @property
    def sources(self) -> tuple[str, ...]:
        """Everything that it is perturbed by."""
        return (*self.networks, RANDOM)

    def settings(self) -> Mapping[str, Any]:
        """Return everything that rows depend on."""
        return {
            "slices": f"{self.slices.label} ({self.slices.digest()})",
            "weights": weights_of(ModelStore(*self.folders), *self.networks, self.prior),
            "sampler": str(self.sampler),
            "epsilons": self.epsilons,
            "accelerations": self.accelerations,
            "iterations": self.iterations,
            "together": self.together,
            "seed": self.seed,
        }

    def units(self) -> Sequence[Unit]:
        """List (acceleration, group), all accelerations of a group one after the other."""
        groups = range(-(-len(self.slices) // self.together))
        return [(acceleration, group) for group, acceleration in product(groups, self.accelerations)]

    def start(self) -> Callable[[Unit], list[TransferRow]]:
        """Load the models."""
        store, where = ModelStore(*self.folders), find_device(self.device)
        attacked = {name: white_box(name, store, device=self.device) for name in self.networks}
        methods: dict[str, Reconstructor] = {
            name: find_method(name, store, self.device) for name in (*self.networks, *CONTROLS)
        }
        methods[own_name(self.prior)] = self._diffusion(store)

        def compute(unit: Unit) -> list[TransferRow]:
            acceleration, group = cast("tuple[float, int]", unit)
            first = group * self.together
            numbers = range(first, min(first + self.together, len(self.slices)))
            cases = [self.slices.case(number, acceleration) for number in numbers]
            measurements = joined([case.measurements for case in cases]).to(where)
            reference = torch.cat([case.reference for case in cases])
            with torch.inference_mode():
                clean = {name: methods[name](measurements) for name in self.methods}
            before = {name: scores(image.cpu(), reference) for name, image in clean.items()}
            rows = []
            for source, epsilon, delta in self._perturbations(attacked, measurements, numbers):
                norms = relative_norm(measurements, delta).tolist()
                changed = perturbed(measurements, delta)
                for name in self.methods:
                    with torch.inference_mode():
                        image = methods[name](changed)
                    harms = _harms(image, clean[name], reference, before[name])
                    rows += [
                        TransferRow(acceleration, group, number, source, epsilon, name, norm, *harm)
                        for number, norm, harm in zip(numbers, norms, harms, strict=True)
                    ]
            return rows

        return compute

    def _perturbations(
        self, attacked: Mapping[str, Reconstruct], measurements: Measurements, numbers: Sequence[int]
    ) -> Iterator[tuple[str, float, Tensor]]:
        yield NONE, 0.0, torch.zeros_like(measurements.kspace)
        # one direction at all epsilons, where attacks begin, too; a slice's own, whatever it is computed together with
        direction = torch.cat(
            [
                random_control(one, 1.0, torch.Generator().manual_seed(self.seed * 1_000_003 + number))
                for one, number in zip(measurements.split(), numbers, strict=True)
            ]
        )
        for epsilon in self.epsilons:
            yield RANDOM, epsilon, epsilon * direction
        for source in self.networks:
            searched = Attacked(attacked[source], measurements)
            delta, before = direction, 1.0
            for epsilon in self.epsilons:
                ball = ball_about(measurements, epsilon, "l2")
                first = ball.project(delta * (epsilon / before))
                delta, _ = climb(searched.evaluate, ball, first, normalised_gradient(ball), self.iterations)
                before = epsilon
                yield source, epsilon, delta

    def _diffusion(self, store: ModelStore) -> Reconstructor:
        """Return one sample a slice, by the same random numbers for clean and perturbed slices."""
        prior = store.load_prior(self.prior, device=self.device)
        levels = levels_within(self.sampler, prior)
        sampler = cast("Sampler", replace(cast("Any", self.sampler), **levels))
        seeds = sample_seeds(self.seed, (), 1)

        def reconstruct(measurements: Measurements, /) -> Tensor:
            return torch.cat([sample(one, prior, sampler, seeds=seeds).images for one in measurements.split()])

        return reconstruct

    def report(self, rows: Sequence[TransferRow]) -> Report:
        """Judge; see ``transfer_report``."""
        from .transfer_report import transfer_report

        return transfer_report(rows, self)

    def draw(self, rows: Sequence[TransferRow], path: Path) -> None:
        """Draw; see ``draw_transfer``."""
        from .transfer_figure import draw_transfer

        draw_transfer(rows, path, f"{self.slices.label}; diffusion: {own_name(self.prior)}")


def _harms(image: Tensor, clean: Tensor, reference: Tensor, before: Scores) -> list[tuple[float, ...]]:
    """Return change, PSNR, SSIM, and the losses of both, of each slice."""
    image, clean = image.cpu(), clean.cpu()
    change = (image - clean).flatten(1).norm(dim=1) / clean.flatten(1).norm(dim=1)
    now = scores(image, reference)
    columns = (change, now.psnr, now.ssim, before.psnr - now.psnr, before.ssim - now.ssim)
    return list(zip(*(column.tolist() for column in columns), strict=True))
