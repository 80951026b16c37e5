"""``echotrain study transfer``: perturbations made for one reconstruction, on others."""

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


def transfer(
    quick: Quick = False,
    slices: Count = None,
    matrix: Matrix = None,
    scan: Scans = None,
    networks: Annotated[str, typer.Option(metavar="NAME,NAME...", help="That are attacked.")] = "irim-r8,resunetpp-r8",
    prior: Annotated[str, typer.Option(help="Diffusion prior that is not attacked.")] = "brain-ve",
    sampler: Annotated[
        str, typer.Option(metavar="NAME[:KEY=VALUE,...]", help="How it reconstructs, settings as in a chain.")
    ] = "dds:steps=10",
    iterations: Annotated[int, typer.Option(min=1, help="Steps of the attack at each epsilon.")] = 10,
    together: Annotated[int | None, typer.Option(min=1, help="Slices attacked at once; 1 on a CPU.")] = None,
    output: Output = PAGES,
    processes: Processes = 1,
    seed: Seed = 0,
    again: Again = False,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Perturb reconstructions by worst cases of two networks, and by random noise of the same norm.

    After T. Han et al., MICCAI 2024, figure 3: {networks, diffusion, zero-filled, CG-SENSE, total variation} x
    perturbation x epsilon x acceleration, on simulated scans, or on fully sampled ones of your own.

    Goes on where it was interrupted.
    """
    from ...engine.errors import ConfigurationError
    from ...models.runtimes.device import find_device
    from ...models.studies.transfer import TransferStudy
    from ..sampler_text import parse_sampler

    with refusals():
        found = slices_of(
            scan, count=slices or (4 if quick else 56), matrix=matrix or (96 if quick else 192), seed=seed
        )
        at_once = 1 if scan or find_device(device).type == "cpu" else 16
        written = parse_sampler(sampler)
        if written.start is not None:
            raise ConfigurationError(f"--sampler begins at {written.start}, expected noise or CG-SENSE")
        study = TransferStudy(
            slices=found,
            networks=tuple(networks.split(",")),
            prior=prior,
            sampler=written.sampler,
            folders=folders(weights),
            epsilons=(0.01, 0.02, 0.04) if quick else (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08),
            accelerations=(8.0,) if quick else (4.0, 8.0, 12.0),
            iterations=iterations,
            together=together or at_once,
            device=device,
            seed=seed,
        )
        title = "Do worst cases of one reconstruction harm others?"
        carry_out(study, title, output, device=device, quick=quick, processes=processes, again=again)
