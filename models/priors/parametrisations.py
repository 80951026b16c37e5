"""One prior in other words: what networks predict instead of the denoised image, and variance-preserving noise.

With sigma the noise of the variance-exploding view, x = x0 + sigma z, the variance-preserving one is

    x_vp = sqrt(abar) x = sqrt(abar) x0 + sqrt(1 - abar) z,  abar = 1 / (1 + sigma^2),

and each of these says the same about x:

    epsilon = E[z | x] = (x - D) / sigma           J. Ho et al., NeurIPS 2020 (arXiv:2006.11239)
    x0 = D = E[x0 | x]
    v = sqrt(abar) epsilon - sqrt(1 - abar) x0     T. Salimans and J. Ho, ICLR 2022 (arXiv:2202.00512)
    score = grad log p(x) = -epsilon / sigma       of x_vp: -epsilon / sqrt(1 - abar); Tweedie's formula

Which of them a network was trained to predict changes how its errors are spread over noise levels, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from torch import Tensor

from .prior import Prior, per_item

Prediction = Literal["epsilon", "x0", "v", "score"]


def abar_of(sigma: Tensor) -> Tensor:
    """Return abar = 1 / (1 + sigma^2)."""
    return 1 / (1 + sigma.square())


def sigma_of(abar: Tensor) -> Tensor:
    """Return sigma = sqrt((1 - abar) / abar)."""
    return ((1 - abar) / abar).sqrt()


@dataclass(frozen=True, kw_only=True)
class VarianceExploding:
    """A network of x = x0 + sigma z as a ``Prior``."""

    network: Callable[[Tensor, Tensor], Tensor]
    """(batch, ...) noisy images and sigma, () or (batch,), to what is predicted."""
    predicts: Literal["epsilon", "x0", "score"]
    """What."""
    sigmas: tuple[float, float]
    """The noise levels that it knows, lowest and highest."""

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[x0 | x]; see ``Prior``."""
        prediction, noise = self.network(x, sigma), per_item(sigma, x)
        match self.predicts:
            case "epsilon":
                return x - noise * prediction
            case "x0":
                return prediction
            case "score":
                return x + noise.square() * prediction
            case unknown:
                assert_never(unknown)


@dataclass(frozen=True, kw_only=True)
class VariancePreserving:
    """A network of x_vp = sqrt(abar) x0 + sqrt(1 - abar) z as a ``Prior``."""

    network: Callable[[Tensor, Tensor], Tensor]
    """(batch, ...) images x_vp and abar, () or (batch,), to what is predicted. One that wants the number of a step gets
    it from abar: ``samplers.schedules.chain_step``."""
    predicts: Prediction
    """What; ``score`` is that of x_vp."""
    sigmas: tuple[float, float]
    """The noise levels sqrt((1 - abar) / abar) that it knows, lowest and highest."""

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[x0 | x]; see ``Prior``."""
        noise = per_item(sigma, x)
        signal = (1 + noise.square()).rsqrt()
        prediction = self.network(signal * x, abar_of(sigma))
        match self.predicts:
            case "epsilon":
                return x - noise * prediction
            case "x0":
                return prediction
            case "v":  # of x_vp = signal x, and sqrt(1 - abar) = signal noise
                return signal * (signal * x - noise * prediction)
            case "score":
                return x + signal * noise.square() * prediction
            case unknown:
                assert_never(unknown)


def predicted(prior: Prior, prediction: Prediction, x_vp: Tensor, abar: Tensor) -> Tensor:
    """Return what a variance-preserving network would predict, from a prior.

    Parameters
    ----------
    prior
        The prior.
    prediction
        What to return, of the shape of x_vp.
    x_vp
        (batch, ...) noisy images sqrt(abar) x0 + sqrt(1 - abar) z.
    abar
        Below 1, () or (batch,); in float64, as 1 - abar of little noise has few digits left in single precision.
    """
    sigma = sigma_of(abar).to(x_vp.real.dtype)
    signal, noise = per_item(abar.sqrt().to(sigma.dtype), x_vp), per_item(sigma, x_vp)
    x = x_vp / signal
    x0 = prior.denoise(x, sigma)
    epsilon = (x - x0) / noise
    match prediction:
        case "epsilon":
            return epsilon
        case "x0":
            return x0
        case "v":
            return signal * (epsilon - noise * x0)
        case "score":
            return -epsilon / (signal * noise)
        case unknown:
            assert_never(unknown)
