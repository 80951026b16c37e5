"""MoDL with the denoiser of a diffusion prior, from the image of an ADMM-Net."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ..coils.maps_of_image import with_maps_of_image
from ..measurements import Measurements
from ..noise_level import estimated_noise
from .admm_net import ADMMNet
from .diffusion_prior import DiffusionPrior
from .network import Block, Network, image_scale
from .tikhonov import nearest_consistent

_Width = Annotated[int, Field(ge=1)]
_NUMBERS = {"log_error": 0.04, "log_noise": 0.4, "log_spread": 0.06, "log_weight": 0.03}
"""Of every unroll, until they are trained: about what an ADMM-Net and its noise leave, and the prior knows."""
_MOMENTUM = 0.4
_UNIT = 10.0
"""Of these numbers as they are learnt: Adam moves all weights alike, and they have further to go than a network's."""


class PriorMoDL(Network):
    """MoDL (H. K. Aggarwal et al., IEEE Trans. Med. Imaging 38, 394 (2019), equations 8 and 9) with a prior's denoiser.

    From the image x of an ADMM-Net, in units of ``image_scale``, in each unroll::

        z <- D(x + beta (x - x'), sigma)
        x, x' <- (A^H A + lambda)^-1 (A^H y + lambda z), x

    D, the same in all unrolls as in the paper, is the network of a ``DiffusionPrior``. Begun with a prior's weights it
    is a good denoiser before the first step of training (plug and play: S. V. Venkatakrishnan et al., GlobalSIP 2013);
    what is left to learn is what a prior is not made for, errors that are no white noise. x' is the image before x, at
    first x itself, and beta momentum (Y. Nesterov, Dokl. Akad. Nauk SSSR 269, 543 (1983)): six unrolls with it do what
    nine do without. The noise level that D is told and lambda follow the noise n of the scan, that of each part of its
    image were it fully sampled::

        sigma^2 = error^2 + (noise n)^2
        lambda = weight + (n / spread)^2

    with error, noise, weight and spread learnt for each unroll, and beta too. lambda is the ratio of variances if the
    image is Gaussian about z. Where no noise level is known it is estimated from the scan (``estimated_noise``). The
    ADMM-Net, of small networks, removes most of the aliasing: from A^H y, D would need many more unrolls.

    With more than one pass the unrolls go on from the image, by coil maps that were estimated again from it where few
    central lines were measured (``with_maps_of_image``). In training there is one: maps would take longer than the
    rest. Gradients take new maps for given ones.

    Parameters
    ----------
    unrolls
        Number of unrolls.
    passes
        How many times they are gone through.
    iterations
        Of conjugate gradients in each unroll.
    channels, blocks, embedding, sigma_data
        Of D, see ``DiffusionPrior``.
    start_stages, start_iterations, start_channels, start_pools
        Of the ADMM-Net, see ``ADMMNet``.
    """

    def __init__(
        self,
        *,
        unrolls: Annotated[int, Field(ge=1)] = 6,
        passes: Annotated[int, Field(ge=1)] = 1,
        iterations: Annotated[int, Field(ge=1)] = 5,
        channels: Annotated[tuple[_Width, ...], Field(min_length=1)] = (48, 96, 144),
        blocks: Annotated[int, Field(ge=1)] = 2,
        embedding: Annotated[int, Field(ge=1)] = 64,
        sigma_data: Annotated[float, Field(gt=0)] = 0.4,
        start_stages: Annotated[int, Field(ge=1)] = 6,
        start_iterations: Annotated[int, Field(ge=1)] = 6,
        start_channels: Annotated[int, Field(ge=1)] = 12,
        start_pools: Annotated[int, Field(ge=1)] = 3,
    ) -> None:
        super().__init__()
        self.iterations, self.passes = iterations, passes
        self.start = ADMMNet(
            stages=start_stages, iterations=start_iterations, channels=start_channels, pools=start_pools
        )
        self.denoiser = DiffusionPrior(channels=channels, blocks=blocks, embedding=embedding, sigma_data=sigma_data)
        for name, value in _NUMBERS.items():
            self.register_parameter(name, nn.Parameter(torch.full((unrolls,), value).log() / _UNIT))
        self.momentum = nn.Parameter(torch.full((unrolls,), _MOMENTUM / _UNIT))

    def forward(self, measurements: Measurements) -> Tensor:
        """Reconstruct: (batch, y, x) complex64."""
        image = self._unrolled(measurements, self.start(measurements))
        for _ in range(0 if self.training else self.passes - 1):
            measurements = with_maps_of_image(measurements, image)
            image = self._unrolled(measurements, image)
        return image

    def _unrolled(self, measurements: Measurements, image: Tensor) -> Tensor:
        operator = measurements.operator()
        scale = image_scale(image)
        back_projected = operator.adjoint(measurements.kspace) / scale
        x = before = image / scale
        noise = _noise(measurements) * 0.5**0.5 / scale
        numbers = [(_UNIT * self.get_parameter(name)).exp() for name in _NUMBERS]
        for error, share, spread, weight, momentum in zip(*numbers, _UNIT * self.momentum, strict=True):
            sigma = (error.square() + (share * noise).square()).sqrt()
            z = self.denoiser.denoise(x + momentum * (x - before), sigma.flatten())
            before = x
            x = nearest_consistent(operator, back_projected, z, weight + (noise / spread).square(), self.iterations)
        signal = (image != 0).flatten(1).any(dim=1)[:, None, None]
        return torch.where(signal, scale * x, 0)  # D, told of noise, makes something of nothing

    def blocks(self) -> tuple[Block, ...]:
        """List the ADMM-Net's proximal maps and D."""
        parts = (("start", self.start), ("denoiser", self.denoiser))
        return tuple(block._replace(path=f"{name}.{block.path}") for name, part in parts for block in part.blocks())


def _noise(measurements: Measurements) -> Tensor:
    """Return the standard deviation of the complex noise of a k-space sample, (batch, 1, 1)."""
    if measurements.noise is not None:
        levels = [measurements.noise] * len(measurements)
    else:
        levels = [estimated_noise(one) for one in measurements.split()]
    return torch.tensor(levels, device=measurements.kspace.device)[:, None, None]
