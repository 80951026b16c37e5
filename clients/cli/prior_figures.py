"""``echotrain diffusion-figures prior``: what a prior takes for an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SEED = 20_260_101


def prior(
    name: Annotated[str, typer.Argument(help="Diffusion prior.")] = "default-prior",
    count: Annotated[int, typer.Option("--samples", min=2, help="Unconditional samples.")] = 16,
    steps: Annotated[
        int, typer.Option(min=1, help="Of Heun's method, two evaluations each; fewer than 36 make images too bright.")
    ] = 36,  # of an exact Gaussian prior the standard deviation is 1 to 2 % too high, with 18 steps 3 to 10 %
    matrix: Annotated[int, typer.Option(min=16, help="Pixels a side, a multiple of 8.")] = 160,
    images: Annotated[int, typer.Option(min=2, help="Of data, held out and trained on, each.")] = 128,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the picture, unless it goes to the model's.")
    ] = Path("docs/figures"),
    write: Annotated[
        bool, typer.Option("--write", help="Write samples.png, card and README in the model's folder.")
    ] = False,
    recipe: Annotated[
        str | None, typer.Option(help="Recipe (TOML or name) that says how data are prepared; the card's else.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder of models of your own, NAME/card.toml.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")] = "auto",
) -> None:
    """Draw samples of a prior alone beside data that it has never seen, prepared as in training, and compare them.

    Statistics of both, and of training images: as much as these differ from held-out ones, images of other people do.
    Then the error of its denoising of held-out images, and how far its highest noise level is from noise alone.
    """
    import torch
    from rich.progress import track

    from ...engine.allocator import keep_freed_memory
    from ...engine.errors import ConfigurationError
    from ...models.evaluation.card_metrics import record_prior
    from ...models.evaluation.denoising_error import LEVELS, denoising_errors
    from ...models.evaluation.prior_figure import draw_prior
    from ...models.evaluation.prior_images import training_images, unconditional_samples
    from ...models.evaluation.prior_report import Compared, prior_metrics
    from ...models.model_card import ModelError
    from ...models.model_store import SHIPPED, ModelStore
    from ...models.samplers.diffusion_reconstruction import sample_seeds
    from ...models.samplers.heun import Heun
    from ...models.shared_data import read_images, split_images
    from ...models.training.errors import TrainingError
    from ...models.training.recipe import load_recipe
    from ..evaluation_cases import IMAGES
    from ..prior_display import show_prior
    from .train import recipe_file

    keep_freed_memory()
    store = ModelStore(*([weights] if weights is not None else []), SHIPPED)
    try:
        if matrix % 8:
            raise ConfigurationError(f"--matrix is {matrix}, expected a multiple of 8")
        card, loaded = store.card(name), store.load_prior(name, device=device)
        wanted = load_recipe(recipe_file(recipe or card.recipe.split()[0]))  # a seed may follow
        seen, _ = split_images(wanted.data.images, wanted.data.validation)
        held_out, training = (
            training_images(slices, wanted.acquisition, side=matrix, count=images, seed=_SEED)
            for slices in (read_images(IMAGES), seen)
        )
        low, high = loaded.sigmas
        sampler = Heun(steps=steps, iterations=0, sigma_max=high, sigma_min=low, hot=False, churn=0.0)
        like = torch.empty((), dtype=torch.complex64, device=loaded.device)
        samples = torch.cat(
            [
                unconditional_samples(loaded, sampler, (matrix, matrix), seeds=[seed], like=like).cpu()
                for seed in track(sample_seeds(_SEED, (), count), "sampling", transient=True)
            ]
        )
        errors = denoising_errors(
            loaded, held_out[:count].to(loaded.device), levels=[level for level in LEVELS if low <= level <= high]
        )
        how = f"Heun, {steps} steps, {matrix} x {matrix}"
        metrics = prior_metrics(Compared(samples, held_out, training, how, IMAGES), errors, high)
        folder = store.folder(name) if write else output
        folder.mkdir(parents=True, exist_ok=True)
        picture = folder / ("samples.png" if write else f"diffusion_prior_{card.name}.png")
        title = f"{card.label} ({card.sha256[:8]}): unconditional samples ({how}); images of {IMAGES}"
        draw_prior(picture, title, samples, held_out[:count])
        if write:
            record_prior(folder, metrics)
    except (ModelError, TrainingError, OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
    show_prior(metrics)
    typer.echo(picture)
