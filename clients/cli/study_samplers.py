"""``echotrain study samplers``: seconds against evaluations against quality."""

from __future__ import annotations

from typing import Annotated

import typer

from ..studies.study_command import (
    PAGES,
    Again,
    Count,
    Device,
    Matrix,
    Output,
    Processes,
    Quick,
    Scans,
    Seed,
    Weights,
    carry_out,
    folders,
    refusals,
    slices_of,
)


def samplers(
    quick: Quick = False,
    slices: Count = None,
    matrix: Matrix = None,
    scan: Scans = None,
    prior: Annotated[str, typer.Option(help="Diffusion prior.")] = "default-prior",
    supervised: Annotated[str, typer.Option(help="Network beside it, at whose image dds starts.")] = "admm-net",
    acceleration: Annotated[float, typer.Option("--acceleration", "-R", min=1)] = 8,
    output: Output = PAGES,
    processes: Processes = 1,
    seed: Seed = 0,
    again: Again = False,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Measure every sampler: seconds for a slice against evaluations of the prior against quality.

    On simulated scans, or on fully sampled ones of your own. Classical methods and a network stand beside. With several
    processes, times are those of processors that are busy with others.

    Goes on where it was interrupted.
    """
    from ...models.defaults import own_name
    from ...models.studies.samplers import SamplerStudy
    from ..evaluation_methods import shipped_ensemble

    with refusals():
        found = slices_of(scan, count=slices or (1 if quick else 4), matrix=matrix or (64 if quick else 128), seed=seed)
        study = SamplerStudy(
            slices=found,
            prior=prior,
            supervised=own_name(supervised),
            begun=shipped_ensemble().settings,
            folders=folders(weights),
            acceleration=acceleration,
            budgets=(10, 20) if quick else (10, 20, 50, 100),
            slow_budgets=(100,) if quick else (500, 2000),
            samples=2 if quick else 4,
            device=device,
            seed=seed,
        )
        carry_out(study, "Samplers", output, device=device, quick=quick, processes=processes, again=again)
