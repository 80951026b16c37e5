"""Methods on cases: what each scores, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..flags.unlike import unlike_training
from ..measurements import Measurements
from ..scan_facts import outside_training, scan_facts
from .case import Case
from .method import Method
from .metrics import scores


@dataclass(frozen=True)
class Result:
    """One method on one slice."""

    method: str
    made_by: str
    """Settings and weights."""
    data: str
    mask: str
    acceleration: float
    """That was asked for."""
    number: int
    """Of the slice in its data."""
    psnr: float
    """dB"""
    ssim: float
    nrmse: float
    seconds: float | None
    """Of the reconstruction alone; a method's first may hold what it prepares once. None of an image that comes with
    another's."""
    out_of_range: str = ""
    """In what the scan lies outside what the models in the method were trained for."""
    judged_by: str = ""
    """By which flags, besides the models' cards."""


def evaluate(method: Method, case: Case, device: torch.device) -> tuple[list[Result], dict[str, Tensor]]:
    """Reconstruct a case and compare it with its reference.

    Returns
    -------
    results
        For each image of the method, one a slice.
    images
        By their names: (batch, y, x) complex64 on the CPU.

    Raises
    ------
    ValueError
        The method cannot reconstruct such a case.
    """
    measurements = case.measurements.to(device)
    _wait(device)
    start = time.perf_counter()
    with torch.no_grad():
        made = method.reconstruct(measurements)
    _wait(device)
    seconds = (time.perf_counter() - start) / len(measurements)
    images = {name: image.cpu() for name, image in zip(method.names, made, strict=True)}
    outside = "; ".join(_outside(method, measurements))
    place = (case.data, case.mask, case.acceleration)
    results = []
    for name, image in images.items():
        found = scores(image, case.reference)
        spent = seconds if name == method.names[0] else None
        each = zip(found.psnr.tolist(), found.ssim.tolist(), found.nrmse.tolist(), strict=True)
        results += [
            Result(name, method.made_by, *place, case.number + n, *values, spent, outside, method.judged_by)
            for n, values in enumerate(each)
        ]
    return results, images


def judged_again(method: Method, case: Case, results: Sequence[Result]) -> list[Result]:
    """Say of results from earlier whether the case is out of range by the flags that the method's models have now."""
    outside = "; ".join(_outside(method, case.measurements))
    return [replace(result, out_of_range=outside, judged_by=method.judged_by) for result in results]


def _outside(method: Method, measurements: Measurements) -> tuple[str, ...]:
    if not method.cards:
        return ()
    unlike = (unlike_training(flags, measurements) for flags in method.flags)
    return (*outside_training(method.cards, scan_facts(measurements)), *(reason for reason in unlike if reason))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
