"""What a training leaves behind: the model's folder, with weights, card and curves."""

from __future__ import annotations

import datetime as dt
import platform
import shutil
from pathlib import Path

import torch

from ..attributions import ATTRIBUTIONS
from ..model_card import Metric, ModelCard, Source, read_card
from ..model_store import write_model
from ..networks.diffusion_prior import DiffusionPrior
from ..shared_data import read_sources
from ..simulation.acquisition_range import AcquisitionRange
from ..trained_range import TrainedRange
from .trainer import Trainer

_LIMITS = (
    "Trained on scans that were simulated from magnitude images of brains, some of them filtered or interpolated by a "
    "scanner or a publisher: figures on such scans are optimistic (Shimron et al., PNAS 2022). Single Cartesian slices "
    "with whole readouts sampled. Not tested on other anatomy. Not for clinical use."
)
_PRIOR_LIMITS = (
    "Trained on magnitude images of brains, some of them filtered or interpolated by a scanner or a publisher, with "
    "simulated phase and shading: noise-free beyond what those images hold. Samples may show structures that are not "
    "there. Not tested on other anatomy. Not for clinical use."
)


def next_version(folder: Path) -> int:
    """Return the version of a model that is yet to be trained into a folder."""
    return read_card(folder).version + 1 if (folder / "card.toml").is_file() else 1


def publish(trainer: Trainer, folder: Path, *, recipe: str) -> ModelCard:
    """Write the weights that validated best, with what is known of them.

    Parameters
    ----------
    trainer
        After its run.
    folder
        The model's; made. What is there is replaced.
    recipe
        What ``echotrain train`` is to be given to make the model again.
    """
    state, used = trainer.state, trainer.state.recipe
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("curves.csv", "curves.png"):
        if (trainer.folder / name).is_file():
            shutil.copyfile(trainer.folder / name, folder / name)
    card = ModelCard(
        name=used.model.name,
        version=state.version,
        kind="prior" if isinstance(trainer.learner.network, DiffusionPrior) else "supervised",
        architecture=used.model.architecture,
        options=used.model.options,
        trained=_trained(used.acquisition),
        data=tuple(_attributed(source) for source in read_sources(used.data.images)),
        recipe=recipe,
        start=state.start,
        seed=used.training.seed,
        hardware=hardware(trainer.learner.device),
        steps=state.best_step,
        wall_seconds=state.wall_seconds,
        cpu_seconds=state.cpu_seconds,
        torch=str(torch.__version__),
        date=dt.datetime.now(dt.UTC).date(),
        metrics=(
            _psnr("reconstruction", state.best_psnr or 0.0),
            _psnr("zero-filled", trainer.validation.zero_filled),
        ),
        limits=_PRIOR_LIMITS if isinstance(trainer.learner.network, DiffusionPrior) else _LIMITS,
    )
    return write_model(folder, trainer.best, card, storage=used.model.storage)


def hardware(device: torch.device) -> str:
    """Name what computes."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    file = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    threads = torch.get_num_threads()
    return f"{next(models, platform.machine())}, {threads} thread{'s' if threads > 1 else ''}"


def _attributed(source: str) -> Source:
    return ATTRIBUTIONS.get(source) or Source(title=source, licence="unknown: these images are not of the shared data")


def _trained(drawn: AcquisitionRange) -> TrainedRange:
    return TrainedRange(
        acceleration=drawn.acceleration, matrix=drawn.crop, coils=drawn.coils, snr=drawn.snr, masks=drawn.masks
    )


def _psnr(what: str, value: float) -> Metric:
    return Metric(case=f"{what} of the recipe's validation scans (simulated, fixed)", metric="PSNR", value=value)
