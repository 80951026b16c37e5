"""Deep image prior: the image as the output of an untrained convolutional network.

D. Ulyanov, A. Vedaldi, V. Lempitsky, CVPR 2018. The network fits structure before noise and aliasing, so the fit must
stop early: when the error on held-out samples no longer falls (B. Yaman et al., ICLR 2022). At the end the data
have the last word, as in Darestani and Heckel, IEEE Trans. Comput. Imaging 7, 724 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..measurements import Measurements
from ..networks.network import as_complex, image_scale
from .conjugate_gradient import conjugate_gradient
from .convolutional_decoder import ConvolutionalDecoder


@dataclass(frozen=True, kw_only=True)
class DeepImagePrior:
    """Fit a convolutional decoder with a fixed random input to the k-space of each slice for itself.

    Nothing is learnt from other images, or from other slices of the batch. Slow: hundreds of steps a slice.
    """

    channels: int = 64
    """Channels of the decoder's layers."""
    layers: int = 6
    """Convolutions of the decoder."""
    iterations: int = 1000
    """Steps of Adam, at most."""
    learning_rate: float = 0.03
    held_out: float = 0.05
    """Part of the sampled k-space that the fit does not see, sample by sample; at least one sample."""
    patience: int = 100
    """Steps without a smaller error on held-out samples after which the fit stops; the best image is kept."""
    trust: float = 0.05
    """lambda of the last step, a least-squares fit that begins at the network's image: min norm(A x - y)^2 + lambda
    norm(x - network's)^2; small where the data are to count."""
    seed: int = 0
    """Of weights, input and held-out samples, the same for each slice."""

    def __call__(self, measurements: Measurements) -> Tensor:
        """Reconstruct a batch of slices: (batch, y, x) complex64; zeros for k-space of zeros.

        Raises
        ------
        ValueError
            The measurements are volumes.
        """
        kspace, mask, maps = measurements.kspace, measurements.mask, measurements.maps
        if kspace.ndim != 4:
            raise ValueError(f"k-space has {kspace.ndim} axes, expected slices: (batch, coils, ky, kx)")
        ones = (slice(n, n + 1) for n in range(len(kspace)))
        return torch.cat([self._fitted(Measurements(kspace[one], mask[one], maps[one])) for one in ones])

    def _fitted(self, slice_: Measurements) -> Tensor:
        kspace, operator = slice_.kspace, slice_.operator()
        if not kspace.any():
            return slice_.zero_filled()
        scale = image_scale(slice_.zero_filled())
        target = kspace / scale[..., None]
        generator = torch.Generator().manual_seed(self.seed)
        held = self._held_out(slice_.mask.expand(-1, -1, *kspace.shape[-2:]), generator)
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from the global generator
            torch.manual_seed(self.seed)
            network = ConvolutionalDecoder(self.channels, self.layers, kspace.shape[-2:]).to(kspace.device)
        source = torch.randn(1, self.channels, *network.start(kspace.shape[-2:]), generator=generator).to(kspace.device)
        optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate)
        best, lowest, waited = torch.zeros_like(slice_.maps[:, 0]), float("inf"), 0
        with torch.enable_grad():
            for _ in range(self.iterations):
                image = as_complex(network(source))
                power = (operator(image) - target).abs().square()
                unseen = float(power.detach()[held.expand_as(power)].sum())
                best, lowest, waited = (image.detach(), unseen, 0) if unseen < lowest else (best, lowest, waited + 1)
                if waited > self.patience:
                    break
                optimiser.zero_grad()
                (power * ~held).sum().backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        return self._consistent(slice_, best * scale)

    def _consistent(self, slice_: Measurements, image: Tensor) -> Tensor:
        """Put right what the network could not fit."""
        operator = slice_.operator()
        right = operator.adjoint(slice_.kspace) + self.trust * image
        return conjugate_gradient(lambda x: operator.normal(x) + self.trust * x, right, start=image, iterations=10)

    def _held_out(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Bool like the mask: samples that only judge the fit."""
        draws = torch.rand(mask.shape, generator=generator).to(mask.device).masked_fill(~mask, 1)
        limit = max(self.held_out, float(draws.min()))
        return mask & (draws <= limit)
