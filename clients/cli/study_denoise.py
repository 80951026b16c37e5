"""``echotrain study denoise``: one step of a diffusion prior against many."""

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


def denoise(
    quick: Quick = False,
    slices: Count = None,
    matrix: Matrix = None,
    scan: Scans = None,
    prior: Annotated[str, typer.Option(help="Diffusion prior.")] = "default-prior",
    output: Output = PAGES,
    processes: Processes = 1,
    seed: Seed = 0,
    again: Again = False,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Denoise by a diffusion prior in one step and in many, beside a denoiser trained without clean images.

    After L. Pfaff et al., No-New-Denoiser, MICCAI 2024: three noise schedules, two parametrisations, deterministic and
    stochastic, complex Gaussian noise of several levels; and the same on priors that are known exactly. Of a scan of
    your own it denoises the fully sampled image with noise added: what it is compared with has noise too.

    Goes on where it was interrupted.
    """
    from ...models.studies.denoise import DenoiseStudy

    with refusals():
        found = slices_of(
            scan, count=slices or (6 if quick else 56), matrix=matrix or (96 if quick else 128), seed=seed
        )
        study = DenoiseStudy(slices=found, prior=prior, folders=folders(weights), device=device, seed=seed)
        if quick:
            study = DenoiseStudy(
                slices=found,
                prior=prior,
                folders=folders(weights),
                levels=(0.2,),
                steps=(5, 20),
                samples=8,
                device=device,
                seed=seed,
            )
        carry_out(study, "One step or many", output, device=device, quick=quick, processes=processes, again=again)
