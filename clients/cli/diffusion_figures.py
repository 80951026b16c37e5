"""``echotrain diffusion-figures``: how samplers come to an image, what samples are like, what evaluations buy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .evaluate import numbers
from .prior_figures import prior as _prior

if TYPE_CHECKING:
    import torch

    from ...models.evaluation.case import Case
    from ...models.measurements import Reconstructor
    from ...models.runtimes.loaded_prior import LoadedPrior
    from ...models.samplers.sampler import Sampler
    from ..sampler_text import SamplerText

diffusion_figures = typer.Typer(
    name="diffusion-figures",
    help="Draw how diffusion priors reconstruct: trajectories, samples, quality against evaluations.",
    no_args_is_help=True,
)
diffusion_figures.command("prior")(_prior)

_CONVENTIONAL = "dds:hot=true,sigma_max=0.4"
_SPREAD = "dds:eta=0.0,sigma_max=10.0"
_SEED = 0

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")]
Prior = Annotated[str, typer.Option(help="Diffusion prior.")]
Samplers = Annotated[
    list[str] | None,
    typer.Option(
        "--sampler",
        "-s",
        metavar="NAME[:KEY=VALUE,...]",
        help="Settings as in a chain; again for more.",
        show_default="a choice of them",
    ),
]
Scan = Annotated[str, typer.Option(help="Fully sampled scan of raw/.")]
Weights = Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")]


@diffusion_figures.command()
def trajectories(
    output: Output = Path("docs/figures"),
    prior: Prior = "brain-edm",
    sampler: Samplers = None,
    acceleration: Annotated[float, typer.Option("--acceleration", "-R")] = 8,
    shown: Annotated[int, typer.Option(min=2, help="Estimates of each run.")] = 6,
    scan: Scan = "brain_t1_7ch",
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Draw what samplers take for the image after each of some steps, on a real scan: diffusion_trajectories.png."""
    from rich.progress import track

    from ...models.evaluation.trajectory import draw_trajectories, trajectory
    from ..evaluation_methods import shipped_sampler

    with _refusals():
        loaded = _Priors(prior, weights, device)
        runs = loaded.checked(
            sampler or [shipped_sampler(), _CONVENTIONAL, _SPREAD, "heun", "ula", loaded.within("pc:steps=100")]
        )
        case = _scan_case(scan, acceleration, loaded.device)
        estimates = {
            _described(text, run.sampler): trajectory(
                case.measurements, loaded.of(run.name), run.sampler, start=loaded.start(run), seed=_SEED, shown=shown
            )
            for text, run in track(runs.items(), "sampling", transient=True)
        }
        file = _file(output, "trajectories.png")
        draw_trajectories(file, f"{scan}, R = {acceleration:g}, {loaded.label}", case.reference[0], estimates)
    typer.echo(file)


@diffusion_figures.command()
def samples(
    output: Output = Path("docs/figures"),
    prior: Prior = "brain-edm",
    sampler: Samplers = None,
    accelerations: Annotated[str, typer.Option("--accelerations", "-R", metavar="R,R...")] = "4,8",
    count: Annotated[int, typer.Option("--samples", min=3, help="Samples of each ensemble.")] = 8,
    scan: Scan = "brain_t1_7ch",
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Draw ensembles of samples of a real scan, with error and spread: diffusion_samples_rR.png for each R."""
    from rich.progress import track

    from ...models.classical.cg_sense import CGSense
    from ...models.samplers.diffusion_reconstruction import sample, sample_seeds
    from ...models.uncertainty.ensemble_figure import draw_ensembles
    from ..evaluation_methods import shipped_sampler

    with _refusals():
        loaded = _Priors(prior, weights, device)
        runs = loaded.checked(sampler or [shipped_sampler(), _CONVENTIONAL, _SPREAD])
        seeds = sample_seeds(_SEED, (), count)
        for acceleration in numbers(accelerations):
            case = _scan_case(scan, acceleration, loaded.device)
            ensembles = {
                _described(text, run.sampler): sample(
                    case.measurements, loaded.of(run.name), run.sampler, seeds=seeds, start=loaded.start(run)
                ).images.cpu()
                for text, run in track(runs.items(), f"R = {acceleration:g}", transient=True)
            }
            conventional = ("CG-SENSE", CGSense()(case.measurements)[0].cpu())
            file = _file(output, f"samples_r{acceleration:g}.png")
            title = f"{scan}, R = {acceleration:g}, {loaded.label}"
            draw_ensembles(file, title, case.reference[0], conventional, ensembles)
            typer.echo(file)


@diffusion_figures.command()
def quality(
    output: Output = Path("docs/figures"),
    prior: Prior = "brain-edm",
    sampler: Samplers = None,
    evaluations: Annotated[
        str, typer.Option(metavar="N,N...", help="Steps are as many as each allows.")
    ] = "10,20,50,100",
    reference: Annotated[
        int, typer.Option(min=0, help="Evaluations of one more run of pc, the slow one; 0 for none.")
    ] = 2000,
    count: Annotated[int, typer.Option("--samples", min=2, help="Samples whose mean is judged.")] = 4,
    acceleration: Annotated[float, typer.Option("--acceleration", "-R")] = 8,
    slices: Annotated[int, typer.Option(min=1, help="Simulated slices, evenly spread.")] = 1,
    matrix: Annotated[int, typer.Option(min=32, help="Pixels a side, at the lower resolution of that.")] = 128,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Measure and draw PSNR and spread against evaluations, on simulated scans: diffusion_quality.csv and .png.

    What the CSV file holds already is not measured again: a run that was interrupted goes on where it was.
    """
    from rich.progress import track

    from ...models.classical.cg_sense import CGSense
    from ...models.evaluation.metrics import scores
    from ...models.evaluation.quality_figure import draw_quality
    from ...models.evaluation.sampler_quality import Setting, ladder, measure
    from ...models.samplers.build import SAMPLERS
    from ..evaluation_methods import shipped_sampler
    from ..quality_file import append_quality, read_qualities

    with _refusals():
        loaded = _Priors(prior, weights, device)
        budgets = [int(n) for n in numbers(evaluations)]
        runs = [
            (text, written, run)
            for text, written in loaded.checked(
                sampler or [shipped_sampler(), _SPREAD, *map(loaded.within, SAMPLERS)]
            ).items()
            for run in ladder(written.sampler, [*budgets, reference] if written.name == "pc" else budgets)
        ]
        cases = _simulated_cases(slices, matrix, acceleration, loaded.device)
        table = _file(output, "quality.csv")
        data = f"{slices} simulated slices of {matrix} x {matrix}"  # which they are depends on how many
        known, points = read_qualities(table), {}
        for text, written, run in track(runs, "sampling", transient=True):
            for number, case in enumerate(cases):
                setting = Setting(loaded.label, data, acceleration, number, text, str(run), run.evaluations, count)
                if setting not in known:
                    known[setting] = measure(
                        run, loaded.of(written.name), case, start=loaded.start(written), samples=count, seed=_SEED
                    )
                    append_quality(table, setting, known[setting])
                points[setting] = known[setting]
        conventional = [float(scores(CGSense()(case.measurements).cpu(), case.reference).psnr) for case in cases]
        title = f"{data}, R = {acceleration:g}, {count} samples, {loaded.label}"
        draw_quality(
            picture := _file(output, "quality.png"),
            title,
            points,
            {"CG-SENSE": sum(conventional) / len(conventional)},
            ideal=(count / (count + 1)) ** 0.5,
        )
    typer.echo(f"{table}\n{picture}")


class _Priors:
    """One prior, by the runtime that each sampler needs."""

    def __init__(self, name: str, weights: Path | None, device: str) -> None:
        from ...models.model_store import SHIPPED, ModelStore
        from ...models.runtimes.device import find_device

        self._store = ModelStore(*([weights] if weights is not None else []), SHIPPED)
        self._name, self._device = name, device
        card = self._store.card(name)
        self.label = f"{card.label} ({card.sha256[:8]})"
        self.device = find_device(device)

    def of(self, sampler: str) -> LoadedPrior:
        from ...models.samplers.build import DIFFERENTIATING

        if sampler in DIFFERENTIATING:
            return self._store.load_prior(self._name, device=self._device, runtime="torch")
        return self._store.load_prior(self._name, device=self._device)

    def within(self, text: str) -> str:
        """Return a sampler with the settings that bring its noise levels into what the prior knows, if it needs any."""
        from ...models.samplers.build import levels_within
        from ..sampler_text import parse_sampler

        name, made, _ = parse_sampler(text)
        needed = [f"{setting}={value}" for setting, value in levels_within(made, self.of(name)).items()]
        return f"{text}{',' if ':' in text else ':'}{','.join(needed)}" if needed else text

    def start(self, run: SamplerText) -> Reconstructor | None:
        """Return what a hot start begins at; None for CG-SENSE."""
        from ...models.samplers.starts import start_of

        return None if run.start is None else start_of(run.sampler, run.start, self._store, device=self._device)

    def checked(self, texts: list[str]) -> dict[str, SamplerText]:
        """Return samplers, by how they are written, that the prior knows the noise levels of."""
        from ...models.samplers.build import check_levels
        from ..sampler_text import parse_sampler

        runs = {text: parse_sampler(text) for text in texts}
        for run in runs.values():
            check_levels(run.sampler, self.of(run.name))
            self.start(run)
        return runs


def _described(text: str, sampler: Sampler) -> str:
    """Return a few lines, for the margin of a picture."""
    from textwrap import fill

    name, _, settings = text.partition(":")
    return "\n".join(
        line for line in (name, fill(settings.replace(",", ", "), 28), f"{sampler.evaluations} evaluations") if line
    )


def _file(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"diffusion_{name}"


def _scan_case(scan: str, acceleration: float, device: torch.device) -> Case:
    from dataclasses import replace

    from ..evaluation_cases import Cases

    case = next(iter(Cases((scan,), (acceleration,))))
    return replace(case, measurements=case.measurements.to(device))


def _simulated_cases(slices: int, matrix: int, acceleration: float, device: torch.device) -> list[Case]:
    from dataclasses import replace

    import numpy as np

    from ...models.evaluation.simulated_cases import simulated_cases
    from ...models.shared_data import read_images
    from ...models.uncertainty.calibration_cases import resampled
    from ..evaluation_cases import IMAGES

    images = read_images(IMAGES)
    chosen = np.linspace(0, len(images) - 1, slices + 2).round().astype(int)[1:-1]  # the ends hold little brain
    smaller = np.stack([resampled(images[n], (matrix, matrix)) for n in chosen])
    found = simulated_cases(smaller, acceleration)
    return [replace(case, measurements=case.measurements.to(device)) for case in found]


@contextmanager
def _refusals() -> Iterator[None]:
    from ...engine.errors import ConfigurationError
    from ...models.model_card import ModelError

    try:
        yield
    except (ModelError, OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
