"""What an evaluation found, written into the cards of the models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..model_card import Metric, read_card, write_card
from ..model_readme import model_readme
from .evaluate import Summary


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
    card = read_card(folder)
    new: list[Metric] = []
    replaced: list[str] = []
    for row in summaries:
        case = f"{row.data}, {row.mask} lines, R = {row.acceleration:g}, "
        replaced.append(case)
        slices = f"{row.slices} slice{'s' if row.slices > 1 else ''}"
        figures = {"PSNR": row.psnr, "SSIM": row.ssim, "NRMSE": row.nrmse}
        new += [Metric(case=case + slices, metric=m, value=f.value, interval=f.interval) for m, f in figures.items()]
    kept = [metric for metric in card.metrics if not metric.case.startswith(tuple(replaced))]
    written = card.model_copy(update={"metrics": (*kept, *new)})
    write_card(written, folder)
    readme = model_readme(written, curves=(folder / "curves.png").is_file())
    (folder / "README.md").write_text(readme, encoding="utf-8")
