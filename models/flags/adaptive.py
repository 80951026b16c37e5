"""An attacker who knows the flags: a worst case that also looks like none to the flag that is for worst cases."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..coils.calibration_region import calibration_region
from ..measurements import Measurements
from ..perturbation.ascent import METHODS
from ..perturbation.attacked import Reconstruct
from ..perturbation.ball import ball_about, item_norm
from ..perturbation.control import perturbed
from ..perturbation.worst_case import climb
from .evidence import Evidence, Search
from .features import features
from .flag import Flag
from .kspace_features import NEIGHBOURS
from .residual_features import BANDS, radius

_LEAST = 1e-3
_OF_RESIDUALS = (
    "residual_low",
    "residual_middle",
    "residual_high",
    "residual_line",
    "residual_along_worst",
    "isolated_line",
    "isolated_line_contrast",
    "beside_centre",
)


def adaptive_worst_case(
    judged: Reconstruct,
    conventional: Reconstruct,
    measurements: Measurements,
    flag: Flag,
    search: Search | None = None,
    *,
    epsilon: float,
    iterations: int,
    evasion: float,
    generator: torch.Generator,
) -> Tensor:
    """Search a change of the data that changes the judged image much and raises the flag little.

    The objective is log(norm(f(y + delta) - f(y))) - evasion log(1 + exp(score)), score that of the flag: gradients go
    through the judged and the conventional reconstruction and through the features, of which those that barely change
    (acceleration, coils, noise) are held. No gradient goes through the search for the worst change that the flag looks
    along: the attacker takes the perturbation itself for what will be found. F. Tramer et al., NeurIPS 2020, say why a
    defence is to be judged by nothing less.

    Parameters
    ----------
    judged, conventional
        Differentiable, and what the flag's features are of.
    measurements
        A batch of one slice.
    flag
        Whose features are residuals of both, and what they scale with.
    search
        Finds the worst change, if the flag looks along it.
    epsilon, iterations, generator
        As for ``worst_case``.
    evasion
        How much more it is to evade than to harm; 0 is a worst case.

    Returns
    -------
        (1, coils, ky, kx) complex64.

    Raises
    ------
    ValueError
        The flag has a feature that has no gradient here.
    """
    with torch.no_grad():
        images = [method(measurements) for method in (judged, conventional)]
    change = None if search is None else search(measurements)
    held = Evidence(measurements, images[0][0].numpy(), images[1][0].numpy(), worst_change=change)
    constants = features(held)
    ball = ball_about(measurements, epsilon, "l2")

    def evaluate(delta: Tensor, gradient: bool) -> tuple[Tensor, Tensor]:
        delta = delta.detach().requires_grad_(gradient)
        with torch.set_grad_enabled(gradient):
            attacked = perturbed(measurements, delta)
            shown = [method(attacked) for method in (judged, conventional)]
            harm = item_norm(shown[0] - images[0]).flatten().log()
            score = flag_score(flag, attacked, shown[0], shown[1], held.noise, constants, delta)
            value = harm - evasion * torch.nn.functional.softplus(score)
        if not gradient:
            return value.detach(), torch.zeros_like(delta)
        (slope,) = torch.autograd.grad(value.sum(), delta)
        return value.detach(), slope

    with torch.inference_mode(mode=False), torch.enable_grad():
        best, _ = climb(evaluate, ball, ball.random(generator), METHODS["pgd"](ball), iterations)
    return best


def flag_score(
    flag: Flag,
    measurements: Measurements,
    judged: Tensor,
    conventional: Tensor,
    noise: float,
    constants: dict[str, float],
    worst_change: Tensor,
) -> Tensor:
    """Return a flag's score, (1,), differentiable in both images and in k-space; else as ``Flag.probability`` has it.

    Parameters
    ----------
    flag, measurements
        As above.
    judged, conventional
        (1, y, x) complex.
    noise
        Standard deviation of a sample's noise, held.
    constants
        Features that are held.
    worst_change
        (1, coils, ky, kx) complex, of any norm: residuals along it are features.

    Raises
    ------
    ValueError
        The flag has a feature that is of a residual and has no gradient here.
    """
    operator = measurements.operator()
    found: dict[str, Tensor] = {}
    for name, image in (("judged", judged), ("conventional", conventional)):
        residual = (operator(image) - measurements.kspace)[0] / noise
        change = worst_change.flatten()
        along = torch.vdot(change, residual.flatten()).abs() / torch.linalg.vector_norm(change).clamp(min=1e-30)
        of_residual = {**_of_residual(residual, measurements.mask[0, 0]), "residual_along_worst": _log(along)}
        found |= {f"{name}_{what}": value for what, value in of_residual.items()}
    score = torch.tensor(flag.intercept)
    for name, weight in flag.weights.items():
        if name not in found and "residual" in name:
            raise ValueError(f"the flag looks at {name}; expected {', '.join(_OF_RESIDUALS)} and what is no residual")
        score = score + weight * found.get(name, torch.tensor(constants[name]))
    return score.reshape(1)


def _of_residual(residual: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """(coils, ky, kx) in units of the noise: the features of ``band_ratios``, ``jumps`` and ``isolated_lines``."""
    _, height, width = residual.shape
    power = residual.real.square() + residual.imag.square()
    distance = torch.from_numpy(radius((height, width)))
    sampled_points = mask.expand(height, width)
    rings = {band: sampled_points & (distance >= low) & (distance < high) for band, (low, high) in BANDS.items()}
    lines = mask.any(dim=1)
    logs = torch.log1p(_root(power[:, lines].mean(dim=(0, 2))))
    reach = NEIGHBOURS // 2
    around = (
        torch.nn.functional.pad(logs[None], (reach, reach), mode="reflect")[0].unfold(0, NEIGHBOURS, 1).median(dim=1)
    )
    found = {f"residual_{band}": _log(_root(power[:, ring].mean())) for band, ring in rings.items() if ring.any()}
    found["residual_line"] = (logs - around.values).abs().max()

    sampled = np.asarray(lines)
    centre = calibration_region(sampled[None])[1]
    outside = sampled.copy()
    outside[max(0, centre.start - 1) : centre.stop + 1] = False
    inner = power[:, :, max(0, width // 2 - width // 8) : width // 2 + width // 8 + 1]
    level = _root(inner.mean(dim=(0, 2)))
    single = level[torch.from_numpy(outside)]
    near = np.zeros(height, np.bool_)
    near[max(0, centre.start - height // 10) : centre.stop + height // 10] = True
    middle = np.zeros(height, np.bool_)
    middle[centre] = sampled[centre]
    typical = single.quantile(0.5)
    return {
        **found,
        "isolated_line": _log(single.max()),
        "isolated_line_contrast": _log(single.max() / typical),
        "beside_centre": _log(level[torch.from_numpy(outside & near)].mean() / level[torch.from_numpy(middle)].mean()),
    }


def _root(power: Tensor) -> Tensor:
    return power.clamp(min=1e-12).sqrt()  # the root has no slope at 0


def _log(ratio: Tensor) -> Tensor:
    return ratio.clamp(min=_LEAST).log()
