"""How far off denoised images are, as their measurements tell."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operators.inner_product import inner
from .inverse_problem import InverseProblem
from .noise import Noise

_PROBES = 4


class Innovation:
    """Estimates r^2, the variance of each part of E[x0 | x] - x0, of each item at each noise level.

    What A x0 leaves of the measurements, y - A E[x0 | x], has the covariance sigma_y^2 I + A Cov[x0 | x] A^H if x and y
    come from one image: the innovation of data assimilation (G. Desroziers et al., Q. J. R. Meteorol. Soc. 131, 3385
    (2005), eq. 1). Its power gives r^2 as a mean over the directions that are measured. No knowledge of the prior is
    needed, and where a prior does not suit the images r^2 is larger, as it should be. An estimate from few measurements
    is as uncertain as the power of few random numbers: these are images, of thousands.

    Parameters
    ----------
    problem
        Measurements and their noise; values that are 0 count as not sampled.
    zero_filled
        A^H y.
    noise
        Random numbers, for the trace of A^H A: M. F. Hutchinson, Commun. Stat. Simul. 18, 1059 (1989).
    """

    def __init__(self, problem: InverseProblem, zero_filled: Tensor, noise: Noise) -> None:
        parts = 2 if zero_filled.is_complex() else 1
        self._zero_filled = zero_filled
        expected = parts * problem.sigma**2 * (problem.y != 0).flatten(1).sum(dim=1)
        self._power = inner(problem.y, problem.y, dtype=torch.float64) - expected
        probes = (noise(zero_filled) for _ in range(_PROBES))
        trace = torch.stack([inner(z, problem.operator.normal(z), dtype=torch.float64) for z in probes]).mean(dim=0)
        self._trace = trace.clamp(min=torch.finfo(trace.dtype).tiny)

    def variance(self, x0: Tensor, misfit: Tensor, sigma: float) -> Tensor:
        """Return r^2 of denoised images, (batch, 1, ...) real, between .01 sigma^2 / (1 + sigma^2) and sigma^2.

        Parameters
        ----------
        x0
            (batch, ...) E[x0 | x].
        misfit
            A^H (y - A x0).
        sigma
            Noise level of x.
        """
        # ||y - A x0||^2, without going back to measurements; sums in double precision, as large terms cancel
        power = self._power - inner(x0, self._zero_filled + misfit, dtype=torch.float64)
        variance = (power / self._trace).clamp(0.01 * sigma**2 / (1 + sigma**2), sigma**2)
        return variance.to(x0.real.dtype).reshape(-1, *(1,) * (x0.ndim - 1))
