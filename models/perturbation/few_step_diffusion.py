"""A diffusion reconstruction that can be differentiated: few steps, with the prior's activations computed anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..classical.cg_sense import CGSense
from ..measurements import Measurements
from ..priors.prior import Prior
from ..samplers.noise import item_noise
from ..samplers.posed import pose
from ..samplers.sampler import Sampler


@dataclass(frozen=True)
class FewStepDiffusion:
    """Samples of each slice, by the same random numbers in every call, differentiable in k-space.

    An attack on it takes the expectation over its seeds. What it finds holds for samples of other seeds as far as
    seeds do not matter: that is measured with others. Of a network evaluation only the argument is kept for the
    gradient, so that memory grows with the steps by images alone, for one more evaluation a step. The unit of the
    prior and the noise level, which are estimated from the scan, are those of the perturbed scan, but the gradient does
    not see that they depend on it.
    """

    prior: Prior
    """One with gradients: PyTorch computes it."""
    sampler: Sampler
    """Of few steps: time and memory grow with them."""
    seeds: tuple[int, ...]
    """One for each sample of a slice."""

    def __call__(self, measurements: Measurements) -> Tensor:
        """Sample slices: (batch, samples, y, x) complex64."""
        return torch.stack([self._samples(one) for one in measurements.split()])

    def _samples(self, one: Measurements) -> Tensor:
        with torch.no_grad():
            posed = pose(replace(one, kspace=one.kspace.detach()))
        start = CGSense()(one) / posed.scale if getattr(self.sampler, "hot", False) else None
        problem = replace(posed.problem, y=one.kspace / posed.scale, start=start)
        generators = [torch.Generator(one.kspace.device).manual_seed(seed) for seed in self.seeds]
        images = None
        for estimate in self.sampler(
            problem.repeated(len(generators)), _Checkpointed(self.prior), item_noise(generators)
        ):
            images = estimate
        assert images is not None  # a sampler takes at least one step
        inside = one.maps.abs().amax(dim=1) > 0
        return images * posed.scale * inside


@dataclass(frozen=True)
class _Checkpointed:
    """A ``Prior`` that keeps no activations for the gradient."""

    prior: Prior

    @property
    def sigmas(self) -> tuple[float, float]:
        return self.prior.sigmas

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self.prior.denoise(x, sigma)
        image: Tensor = checkpoint(self.prior.denoise, x, sigma, use_reentrant=False, preserve_rng_state=False)
        return image
