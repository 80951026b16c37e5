"""What an evaluation found, written into the cards of the models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..model_card import Metric, read_card, write_card
from ..model_readme import write_readme
from .prior_report import SUBJECTS
from .summary import Summary


def record_metrics(folder: Path, summaries: Iterable[Summary]) -> None:
    """Put figures into a model's card and README, in the place of former ones of the same data, mask and acceleration.

    Parameters
    ----------
    folder
        The model's own.
    summaries
        Of this model.

    Raises
    ------
    ModelError
        The folder holds no card.
    OSError
        It cannot be written.
    """
    new: list[Metric] = []
    replaced: list[str] = []
    for row in summaries:
        case = f"{row.data}, {row.mask} lines, R = {row.acceleration:g}, "
        replaced.append(case)
        slices = f"{row.slices} slice{'s' if row.slices > 1 else ''}"
        figures = {"PSNR": row.psnr, "SSIM": row.ssim, "NRMSE": row.nrmse}
        new += [Metric(case=case + slices, metric=m, value=f.value, interval=f.interval) for m, f in figures.items()]
    _replace(folder, tuple(replaced), new)


def record_prior(folder: Path, metrics: Iterable[Metric]) -> None:
    """Put the figures of ``prior_metrics`` into a prior's card and README, in the place of all former ones.

    Parameters
    ----------
    folder
        The model's own.
    metrics
        Of this model.

    Raises
    ------
    ModelError
        The folder holds no card.
    OSError
        It cannot be written.
    """
    _replace(folder, SUBJECTS, metrics)


def _replace(folder: Path, cases: tuple[str, ...], metrics: Iterable[Metric]) -> None:
    """Write metrics into card and README, and leave out those there are whose case begins with one of ``cases``."""
    card = read_card(folder)
    kept = [metric for metric in card.metrics if not metric.case.startswith(cases)]
    written = card.model_copy(update={"metrics": (*kept, *metrics)})
    write_card(written, folder)
    write_readme(written, folder)
