"""Denoising by a diffusion prior in one step and in many: L. Pfaff et al., No-New-Denoiser, MICCAI 2024.

In one step a prior gives the mean of all images that the noisy one may be; in many steps one of them, a sample, which
has up to twice the mean's squared error: 3.01 dB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from torch import Tensor

from ..defaults import own_name
from ..evaluation.metrics import scores
from ..image_measurements import image_measurements
from ..model_store import ModelStore
from ..operators.fourier import FourierOperator
from ..priors.gaussian import GaussianPrior
from ..priors.parametrisations import VariancePreserving, predicted
from ..priors.prior import Prior
from ..runtimes.device import find_device
from ..samplers.ddim import Ddim
from ..samplers.draw import draw
from ..samplers.inverse_problem import InverseProblem
from ..samplers.noise import batch_noise
from ..samplers.sampler import Sampler
from ..samplers.schedules import ScheduleName
from ..samplers.tweedie import Tweedie
from .slices import Slices
from .study import Report, Unit, weights_of

SCHEDULES: tuple[ScheduleName, ...] = ("linear", "constant", "uniform")
PREDICTIONS: tuple[Literal["x0", "epsilon"], ...] = ("x0", "epsilon")
WHITE, FALLING, IMAGES = "white Gaussian", "falling Gaussian", "images"
GAUSSIAN_LEVEL = 0.75
"""Noise of the exact priors, whose pixels have a variance of 1 in each part."""
EXACT_STEPS = 100
_SIDE, _DRAWS, _BATCHES = 8, 100, 4  # of Gaussian images: pixels a side; at once; times
_DEVIATES: Mapping[str, float] = {"deterministic": 0.0, "stochastic": 1.0}
_MEAN_STEPS = 20


@dataclass(frozen=True)
class DenoiseRow:
    """One way of denoising one noisy image."""

    data: str
    """``images``, or one of the exact priors."""
    level: float
    """Standard deviation of the noise in each part, in the unit of the prior."""
    number: int
    """Of the image; of Gaussian ones, of a batch."""
    method: str
    """``noisy``, ``sure``, ``one step``, ``deterministic``, ``stochastic``, or ``mean`` of stochastic samples."""
    schedule: str
    prediction: str
    steps: int
    samples: int
    psnr: float
    """Of magnitudes, dB; of Gaussian images, their variance over the squared error."""
    error: float
    """Root mean square error of the complex image, over that of the noisy one."""
    distance: float
    """Root mean square distance from the result of one step, in the same unit."""


@dataclass(frozen=True, kw_only=True)
class DenoiseStudy:
    """Every schedule, prediction and number of steps on every image at every level."""

    name: ClassVar[str] = "denoise"
    row: ClassVar[type[Any]] = DenoiseRow
    slices: Slices
    prior: str
    denoiser: str = "sure-denoiser"
    """The network that was trained without clean images."""
    folders: tuple[Path, ...]
    """Of the model store."""
    levels: tuple[float, ...] = (0.1, 0.2, 0.4)
    steps: tuple[int, ...] = (5, 20, 100)
    """Beside 1."""
    samples: int = 16
    """Whose mean is taken, a power of 2."""
    both: int = 8
    """Images, at least one, that are denoised by way of epsilon, too: the same network, which knows the same."""
    device: str = "auto"
    seed: int = 0

    def settings(self) -> Mapping[str, Any]:
        """Return everything that rows depend on."""
        store = ModelStore(*self.folders)
        return {
            "slices": f"{self.slices.label} ({self.slices.digest()})",
            "weights": weights_of(store, self.prior, self.denoiser),
            "levels": self.levels,
            "steps": self.steps,
            "samples": self.samples,
            "both": self.both,
            "seed": self.seed,
        }

    def units(self) -> Sequence[Unit]:
        """List (data, level, number)."""
        exact = product((WHITE, FALLING), (GAUSSIAN_LEVEL,), range(_BATCHES))
        return [*exact, *((IMAGES, level, n) for n in range(len(self.slices)) for level in self.levels)]

    def start(self) -> Callable[[Unit], list[DenoiseRow]]:
        """Load the models."""
        store = ModelStore(*self.folders)
        prior = store.load_prior(self.prior, device=self.device)
        denoiser = store.load(self.denoiser, device=self.device)

        def sure(noisy: Tensor, level: float) -> Tensor:
            return denoiser(image_measurements(noisy, level * math.sqrt(2)))

        def compute(unit: Unit) -> list[DenoiseRow]:
            data, level, number = cast("tuple[str, float, int]", unit)
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
            if data == IMAGES:
                clean = self.slices.image(number)
                z = batch_noise(generator)(clean)
                where = find_device(self.device)
                return list(self._rows(unit, clean.to(where), z.to(where), prior, partial(sure, level=level)))
            spectrum = _spectrum(data)
            z = batch_noise(generator)(torch.zeros(2, _DRAWS, _SIDE, _SIDE, dtype=torch.complex128))
            clean = torch.fft.ifft2(torch.fft.fft2(z[0], norm="ortho") * spectrum.sqrt(), norm="ortho")
            return list(self._rows(unit, clean, z[1], exact_prior(spectrum), None))

        return compute

    def _rows(
        self, unit: Unit, clean: Tensor, z: Tensor, prior: Prior, sure: Callable[[Tensor], Tensor] | None
    ) -> Iterator[DenoiseRow]:
        data, level, number = cast("tuple[str, float, int]", unit)
        noisy = clean + level * z
        transform = FourierOperator((-2, -1))
        problem = InverseProblem(transform, transform(noisy), level, tuple(clean.shape))

        def drawn(sampler: Sampler, by: Prior, problem: InverseProblem = problem) -> Tensor:
            generator = torch.Generator(clean.device).manual_seed(self.seed + 1)
            return draw(sampler, problem, by, batch_noise(generator)).images

        one = drawn(Tweedie(), prior)
        several = self.steps if data == IMAGES else (EXACT_STEPS,)
        views = PREDICTIONS if data == IMAGES and number < self.both else PREDICTIONS[:1]

        def row(
            image: Tensor, method: str, schedule: str = "", prediction: str = "", steps: int = 1, samples: int = 1
        ) -> DenoiseRow:
            wrong, apart = (_rms(image - other) / _rms(noisy - clean) for other in (clean, one))
            psnr = _psnr(image, clean) if data == IMAGES else -20 * math.log10(_rms(image - clean) / math.sqrt(2))
            return DenoiseRow(data, level, number, method, schedule, prediction, steps, samples, psnr, wrong, apart)

        yield row(noisy, "noisy", steps=0)
        if sure is not None:
            yield row(sure(noisy), "sure")
        for prediction in views:
            by = _viewed(prior, prediction)
            yield row(drawn(Tweedie(), by), "one step", "", prediction)
            for schedule, steps, (method, eta) in product(SCHEDULES, several, _DEVIATES.items()):
                image = drawn(Ddim(steps=steps, eta=eta, schedule=schedule), by)
                yield row(image, method, schedule, prediction, steps)
        if data == IMAGES:
            many = problem.repeated(self.samples)
            images = drawn(Ddim(steps=_MEAN_STEPS, eta=1.0, schedule="uniform"), prior, many)
            for power in range(int(math.log2(self.samples)) + 1):
                mean = images[: 2**power].mean(dim=0, keepdim=True)
                yield row(mean, "mean", "uniform", "x0", _MEAN_STEPS, 2**power)

    def report(self, rows: Sequence[DenoiseRow]) -> Report:
        """Judge; see ``denoise_report``."""
        from .denoise_report import denoise_report

        return denoise_report(rows, self)

    def draw(self, rows: Sequence[DenoiseRow], path: Path) -> None:
        """Draw; see ``draw_denoise``."""
        from .denoise_figure import draw_denoise

        draw_denoise(rows, path, f"{self.slices.label}, {own_name(self.prior)}")


def exact_prior(spectrum: Tensor) -> GaussianPrior:
    """Return the prior of periodic Gaussian images whose Fourier coefficients have these variances, (y, x)."""
    first = torch.fft.ifft2(spectrum).real  # covariance of each pixel with that in the corner
    side = len(first)
    index = torch.arange(side)
    shift = (index[:, None] - index) % side
    covariance = first[shift[:, None, :, None], shift[None, :, None, :]].reshape(side**2, side**2)
    return GaussianPrior(torch.zeros(side**2, dtype=covariance.dtype), covariance)


def gaussian_losses(data: str, level: float) -> tuple[float, float]:
    """Return how far endless deterministic and stochastic denoising are below one step, dB, in closed form.

    One step leaves v s^2 / (v + s^2) of a coefficient of variance v in noise s^2. The deterministic flow multiplies it
    by sqrt(v / (v + s^2)), which leaves 2 v (1 - that); a sample of the posterior has twice what one step leaves.
    """
    v = _spectrum(data)
    least = (v * level**2 / (v + level**2)).sum()
    flow = (2 * v * (1 - (v / (v + level**2)).sqrt())).sum()
    return 10 * math.log10(float(flow / least)), 10 * math.log10(2)


def _spectrum(data: str) -> Tensor:
    if data == WHITE:
        return torch.ones(_SIDE, _SIDE, dtype=torch.float64)
    k = torch.fft.fftfreq(_SIDE, 1 / _SIDE, dtype=torch.float64)
    power = 1 / (1 + k[:, None].square() + k.square())
    return power / power.mean()


def _viewed(prior: Prior, prediction: Literal["x0", "epsilon"]) -> Prior:
    if prediction == "x0":
        return prior

    def network(x: Tensor, abar: Tensor) -> Tensor:
        return predicted(prior, prediction, x, abar)

    return VariancePreserving(network=network, predicts=prediction, sigmas=prior.sigmas)


def _psnr(image: Tensor, clean: Tensor) -> float:
    return float(scores(image.cpu(), clean.cpu()).psnr)


def _rms(image: Tensor) -> float:
    return float(np.sqrt(image.abs().double().square().mean().cpu().numpy()))
