"""Methods on cases: what each scores, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from ..measurements import Reconstructor
from .bootstrap import bootstrap_interval
from .case import Case
from .metrics import scores

METRICS = ("psnr", "ssim", "nrmse")


@dataclass(frozen=True)
class Result:
    """One method on one slice."""

    method: str
    data: str
    mask: str
    acceleration: float
    """That was asked for."""
    psnr: float
    """dB"""
    ssim: float
    nrmse: float
    seconds: float
    """Of the reconstruction alone; a method's first may hold what it prepares once."""


@dataclass(frozen=True)
class Mean:
    """A mean over slices, and its 95 % bootstrap interval; None of one slice."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Summary:
    """One method on all slices of one data set at one acceleration."""

    method: str
    data: str
    mask: str
    acceleration: float
    slices: int
    psnr: Mean
    ssim: Mean
    nrmse: Mean
    seconds: float
    """Median over slices."""


def evaluate(method: str, reconstruct: Reconstructor, case: Case, device: torch.device) -> tuple[list[Result], Tensor]:
    """Reconstruct a case and compare it with its reference.

    Returns
    -------
    results
        One a slice.
    images
        (batch, y, x) complex64 on the CPU.

    Raises
    ------
    ValueError
        The method cannot reconstruct such a case.
    """
    measurements = case.measurements.to(device)
    _wait(device)
    start = time.perf_counter()
    with torch.inference_mode():
        images = reconstruct(measurements)
    _wait(device)
    seconds = (time.perf_counter() - start) / len(measurements)
    images = images.cpu()
    found = scores(images, case.reference)
    each = zip(found.psnr.tolist(), found.ssim.tolist(), found.nrmse.tolist(), strict=True)
    results = [Result(method, case.data, case.mask, case.acceleration, *values, seconds) for values in each]
    return results, images


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Average over slices: a row for each data set, mask, acceleration and method, in the order they first came in."""
    order = {key: number for number, key in enumerate(dict.fromkeys(_key(r) for r in results))}
    rows = []
    for (data, mask, acceleration, method), group in groupby(sorted(results, key=lambda r: order[_key(r)]), _key):
        members = list(group)
        psnr, ssim, nrmse = (_mean(np.array([getattr(r, name) for r in members])) for name in METRICS)
        seconds = float(np.median([r.seconds for r in members]))
        rows.append(Summary(method, data, mask, acceleration, len(members), psnr, ssim, nrmse, seconds))
    return rows


def _key(result: Result) -> tuple[str, str, float, str]:
    return result.data, result.mask, result.acceleration, result.method


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Mean:
    return Mean(float(values.mean()), bootstrap_interval(values))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
