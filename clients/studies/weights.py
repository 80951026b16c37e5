"""Where reconstructions lose, and to what: the measurements of docs/studies/weights.md."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from ...models.evaluation.case import Case
from ...models.evaluation.causes import cause_cases
from ...models.evaluation.error_regions import REGIONS, region_errors
from ...models.evaluation.error_spectrum import BANDS, spectral_errors
from ...models.evaluation.metrics import scores
from ...models.evaluation.simulated_cases import simulated_cases
from ...models.measurements import Reconstructor
from ...models.model_store import WEIGHTS, ModelStore
from ...models.shared_data import shared_data
from ..evaluation_cases import IMAGES
from ..fully_sampled import fully_sampled_kspace
from .finding import Finding
from .subgroups import DETAILED, Subgroup, spread
from .weights_page import ARCHITECTURES

_TIMED = 3  # slices
_SIDE = 192
_BRAIN = "brain_t1_7ch"
_CAUSES = "PSNR by cause, real brain, dB"

Figures = defaultdict[tuple[str, str, str], list[float]]
"""Values by table, row and column."""


def losses(
    methods: Mapping[str, Reconstructor], groups: Iterable[Subgroup], known: Collection[Finding], label: str
) -> Iterator[list[Finding]]:
    """Score methods by subgroup, and their errors by spatial frequency and by region: means over slices.

    Parameters
    ----------
    methods
        By name.
    groups
        Such as ``subgroups`` lists.
    known
        What need not be measured again.
    label
        Of the findings.

    Yields
    ------
        What is found of each subgroup.
    """
    done = {(f.table, f.row, f.column) for f in known if f.label == label}
    for group in groups:
        wanted = {(_psnr(table), row) for rows in group.rows for table, row in rows}
        missing = {name: m for name, m in methods.items() if not all((*key, name) in done for key in wanted)}
        figures: Figures = defaultdict(list)
        for rows, case in zip(group.rows, group.cases, strict=True) if missing else ():
            for name, method in missing.items():
                image = _image(method, case)
                psnr = float(scores(image, case.reference).psnr)
                for table, row in rows:
                    figures[_psnr(table), row, name].append(psnr)
                if group.detail is not None:
                    _detail(figures, group.detail, name, image, case.reference)
        yield _findings(figures, label)


def _psnr(varied: str) -> str:
    return f"PSNR by {varied}, dB"


def _detail(figures: Figures, row: str, method: str, image: Tensor, reference: Tensor) -> None:
    lower = 0.0
    for upper, value in zip(BANDS, spectral_errors(image, reference)[0].tolist(), strict=True):
        band = f"{row}, {lower:g} to {upper:g} cycles/pixel"
        figures["error by spatial frequency, % of the reference's energy in the band", band, method].append(100 * value)
        lower = upper
    for region, value in zip(REGIONS, region_errors(image, reference)[0].tolist(), strict=True):
        figures["error by region, % of the body's rms", f"{row}, {region}", method].append(100 * value)


def causes(methods: Mapping[str, Reconstructor], known: Collection[Finding], label: str) -> Iterator[list[Finding]]:
    """Score methods on the real brain, and with one thing at a time of it simulated; see ``losses``."""
    kspace = fully_sampled_kspace(shared_data() / "raw" / f"{_BRAIN}.h5")
    done = {(f.row, f.column) for f in known if f.label == label and f.table == _CAUSES}
    for r in DETAILED:
        for cause, case in cause_cases(kspace, r, data=_BRAIN):
            row = f"R = {r:g}: {cause}"
            yield [
                Finding(label, _CAUSES, row, name, float(scores(_image(method, case), case.reference).psnr))
                for name, method in methods.items()
                if (row, name) not in done
            ]


def architectures(store: ModelStore, label: str) -> list[Finding]:
    """Return size, speed, quality and training time of every supervised model that reconstructs.

    Quality is what the cards say of all validation slices; speed is measured here, in processor time of one thread.
    """
    images = spread(IMAGES, _TIMED).images
    low = (images.shape[1] - _SIDE) // 2
    cut = np.ascontiguousarray(images[:, low : low + _SIDE, low : low + _SIDE])
    cases = list(simulated_cases(cut, 4.0))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    figures: Figures = defaultdict(list)
    for name in store.names("supervised"):
        card = store.card(name)
        quality = {m.case: m.value for m in card.metrics if m.metric == "PSNR" and m.case.startswith("simulated, uni")}
        if not quality:  # a denoiser
            continue
        columns = {
            "parameters": float(card.parameters),
            "MiB": (store.folder(name) / WEIGHTS).stat().st_size / 2**20,
            f"ms a slice of {_SIDE} x {_SIDE}": 1e3 * _seconds(store.load(name, device="cpu"), cases),
            "training, CPU min": card.cpu_seconds / 60,
        }
        for r in DETAILED:
            columns[f"PSNR at R = {r:g}, dB"] = next(v for c, v in quality.items() if f"R = {r:g}," in c)
        for column, value in columns.items():
            figures[ARCHITECTURES, f"{card.label} ({card.architecture})", column].append(value)
    torch.set_num_threads(threads)
    return _findings(figures, label)


def _seconds(method: Reconstructor, cases: list[Case]) -> float:
    """Processor time a slice, the least of all: others on the machine can only add to it."""
    _image(method, cases[0])  # what it prepares once
    spent = []
    for case in cases:
        start = time.process_time()
        _image(method, case)
        spent.append(time.process_time() - start)
    return min(spent)


def _image(method: Reconstructor, case: Case) -> Tensor:
    with torch.inference_mode():
        return method(case.measurements).cpu()


def _findings(figures: Figures, label: str) -> list[Finding]:
    return [Finding(label, *key, fmean(values)) for key, values in figures.items()]
