"""The one convention for priors: a denoiser at every noise level."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Prior(Protocol):
    """A distribution p(x) of images, known by the best denoiser of them (variance-exploding view).

    Noise is z ~ N(0, 1) in the real part, and in the imaginary part of complex images: ``sigma`` is the standard
    deviation of each part. The score of noisy images follows by Tweedie's formula (B. Efron, J. Am. Stat. Assoc. 106,
    1602 (2011)): grad log p_sigma(x) = (D(x, sigma) - x) / sigma^2, with parts taken as coordinates.

    Images are in the prior's own unit: of an intensity of about 1, see ``networks.network.image_scale``. Views of it
    for variance-preserving diffusion are in ``parametrisations``.
    """

    @property
    def sigmas(self) -> tuple[float, float]:
        """The lowest and the highest noise level that it knows; an exact prior knows all, (0, inf)."""
        ...

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return D(x, sigma) = E[x0 | x0 + sigma z = x].

        Differentiable in x, unless a runtime without gradients computes it. Each item depends on itself alone.

        Parameters
        ----------
        x
            (batch, ...) noisy images, (batch, y, x) complex64 for a network.
        sigma
            Noise level, real, () or (batch,).
        """
        ...


def per_item(sigma: Tensor, x: Tensor) -> Tensor:
    """Return a noise level, () or (batch,), in a shape that broadcasts over the items of x."""
    return sigma if sigma.ndim == 0 else sigma.reshape(-1, *(1,) * (x.ndim - 1))
