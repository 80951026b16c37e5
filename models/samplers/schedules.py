"""Noise schedules: at which noise levels a sampler evaluates its prior."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from ..priors.parametrisations import sigma_of

ScheduleName = Literal["geometric", "edm", "ddpm", "cosine", "linear", "constant", "uniform"]

_TRAINED = 1000
"""Steps of the chains that variance-preserving priors are trained with."""


def noise_levels(schedule: ScheduleName, steps: int, high: float, low: float) -> Tensor:
    """Return the noise levels of a run: (steps,) float64, falling from ``high`` to ``low``; one step is ``high``.

    Every schedule is equidistant in a function t(sigma) of its own. So a run of fewer steps has the same first and last
    level, and the levels of a part of a run are those of a run between its ends.

    Parameters
    ----------
    schedule
        What t is, as a function of sigma or of abar = 1 / (1 + sigma^2); or, what t is equidistant in:

        - ``geometric``: log sigma. Y. Song et al., ICLR 2021 (arXiv:2011.13456), the variance-exploding SDE.
        - ``edm``: sigma^(1/7). T. Karras et al., NeurIPS 2022 (arXiv:2206.00364), eq. 5.
        - ``ddpm``: the number of a step in a chain of 1000 whose beta rises linearly from 1e-4 to .02. J. Ho et al.,
          NeurIPS 2020 (arXiv:2006.11239); steps are selected from it as by J. Song et al., ICLR 2021 (DDIM).
        - ``cosine``: t of abar = cos^2(pi/2 (t + .008) / 1.008). A. Nichol and P. Dhariwal, ICML 2021
          (arXiv:2102.09672), eq. 17.
        - ``linear``, ``constant``, ``uniform``: noise whose variance per step rises linearly, by the factor of DDPM's
          chain (.02 / 1e-4), from the cleanest to the noisiest; whose variance per step is constant (equidistant
          sigma^2); whose levels are uniform (equidistant sigma). For denoising from a measured level down: after
          L. Pfaff et al., No-New-Denoiser, MICCAI 2024, which compares schedules of these names. What formulae it has
          for them is not open to us: these are the simplest that deserve the names.
    steps
        At least 1.
    high, low
        Above 0, and ``low`` at most ``high``. For ``ddpm``, ``high`` is at most 157.

    Raises
    ------
    ValueError
        There is no such schedule, or it holds no such levels.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}, expected one of {', '.join(SCHEDULES)}")
    if steps < 1 or not 0 < low <= high:
        raise ValueError(f"{steps} steps from {high:g} to {low:g}, expected at least 1 step and 0 < low <= high")
    levels = SCHEDULES[schedule](steps, high, low)
    levels[-1] = low  # exactly, whatever rounding does to a function and its inverse
    levels[0] = high
    return levels


def descent(schedule: ScheduleName, steps: int, high: float, low: float) -> list[float]:
    """Return the levels of a run and the 0 that it ends at: steps + 1. A run that begins below ``low`` stays there."""
    return [*noise_levels(schedule, steps, high, min(low, high)).tolist(), 0.0]


def chain_step(abar: Tensor, chain: Tensor) -> Tensor:
    """Return which step of a chain has this abar, 0 for the first: a real number between steps, of the shape of abar.

    Networks that embed the number of a step, as DDPM's do, take real numbers too.
    """
    lost = _lost(chain.to(abar.device))
    return _interpolate(-abar.double().log(), lost, _times(lost)) - 1


def ddpm_chain(steps: int = _TRAINED) -> Tensor:
    """Return abar of each step of DDPM's chain: (steps,) float64, falling. Step t of the paper is item t - 1."""
    return (1 - torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)).cumprod(dim=0)


def cosine_chain(steps: int = _TRAINED) -> Tensor:
    """Return abar of each step of the cosine chain: (steps,) float64, falling; beta is at most .999."""
    abar = (torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008).mul(math.pi / 2 / 1.008).cos().square()
    return (abar[1:] / abar[:-1]).clamp(min=0.001).cumprod(dim=0)


def _powers(exponent: float) -> Callable[[int, float, float], Tensor]:
    def schedule(steps: int, high: float, low: float) -> Tensor:
        return _between(high**exponent, low**exponent, steps) ** (1 / exponent)

    return schedule


def _geometric(steps: int, high: float, low: float) -> Tensor:
    return _between(math.log(high), math.log(low), steps).exp()


def _linear(steps: int, high: float, low: float) -> Tensor:
    # d(sigma^2) / dt = 1 + 199 t, with t from 0 to 1 as sigma goes from 0 to high: its integral, and the inverse of it
    total, slope = 100.5, 199.0
    last = (math.sqrt(1 + 2 * slope * total * (low / high) ** 2) - 1) / slope
    t = _between(1.0, last, steps)
    return high * ((t + slope / 2 * t.square()) / total).sqrt()


def _of_chain(abar: Tensor) -> Callable[[int, float, float], Tensor]:
    lost = _lost(abar)

    def schedule(steps: int, high: float, low: float) -> Tensor:
        first, last = (
            _interpolate(torch.tensor(math.log1p(end**2), dtype=torch.float64), lost, _times(lost))
            for end in (high, low)
        )
        if first > len(abar) + 1e-6:
            raise ValueError(f"noise from {high:g}, this schedule has at most {float(sigma_of(abar[-1])):g}")
        return _interpolate(_between(float(first), float(last), steps), _times(lost), lost).expm1().sqrt()

    return schedule


def _lost(chain: Tensor) -> Tensor:
    """-log abar = log(1 + sigma^2) before the first and after each step, rising from 0."""
    return torch.cat((chain.new_zeros(1), -chain.log()))


def _times(like: Tensor) -> Tensor:
    return torch.arange(len(like), dtype=like.dtype, device=like.device)


def _between(first: float, last: float, steps: int) -> Tensor:
    return torch.linspace(first, last, steps, dtype=torch.float64)


def _interpolate(x: Tensor, at: Tensor, values: Tensor) -> Tensor:
    """Interpolate linearly between values at rising positions, and beyond the last."""
    right = torch.searchsorted(at, x).clamp(1, len(at) - 1)
    weight = (x - at[right - 1]) / (at[right] - at[right - 1])
    return values[right - 1] + weight * (values[right] - values[right - 1])


SCHEDULES: Mapping[ScheduleName, Callable[[int, float, float], Tensor]] = {
    "geometric": _geometric,
    "edm": _powers(1 / 7),
    "ddpm": _of_chain(ddpm_chain()),
    "cosine": _of_chain(cosine_chain()),
    "linear": _linear,
    "constant": _powers(2.0),
    "uniform": _powers(1.0),
}
assert set(SCHEDULES) == set(get_args(ScheduleName))
