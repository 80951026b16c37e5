"""``echotrain study shift``: what calibrated uncertainty is worth on scans of another kind."""

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
    real_scans,
    refusals,
)


def shift(
    quick: Quick = False,
    slices: Count = None,
    matrix: Matrix = None,
    scan: Scans = None,
    members: Annotated[
        str, typer.Option(metavar="NAME,NAME...", help="Of the supervised ensemble.")
    ] = "admm-net,modl,varnet",
    prior: Annotated[str, typer.Option(help="Of the diffusion ensemble.")] = "default-prior",
    output: Output = PAGES,
    processes: Processes = 1,
    seed: Seed = 0,
    again: Again = False,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Calibrate two ensembles, and see what is left of coverage under shift of contrast, mask, acceleration and coils.

    Coverage at 90 % before and after calibration, and how well uncertainty follows errors, of networks and of samples
    of a diffusion prior; and what adapting the prior to the scan (SCD) recovers. Scans of your own are one more shift.

    Goes on where it was interrupted.
    """
    from ...models.defaults import own_name
    from ...models.shared_data import read_images, split_images
    from ...models.studies.shift import ShiftStudy
    from ...models.studies.slices import spread
    from ..evaluation_cases import IMAGES
    from ..evaluation_methods import shipped_ensemble
    from .calibrate import HELD_OUT, HELD_OUT_FILE

    shipped = shipped_ensemble()
    assert shipped.start_from is not None  # its samples begin at a network
    with refusals():
        side, count = matrix or (96 if quick else 192), slices or (6 if quick else 56)
        held_out = split_images(HELD_OUT_FILE, HELD_OUT)[1]
        seen = spread(held_out, 48 if quick else len(held_out))
        study = ShiftStudy(
            seen=seen,
            unseen=spread(read_images(IMAGES), count),
            label=f"{len(seen)} of {HELD_OUT_FILE} ({', '.join(HELD_OUT)}), {count} of {IMAGES}",
            scans=real_scans(scan) if scan else None,
            members=tuple(own_name(name) for name in members.split(",")),
            prior=prior,
            begin=own_name(shipped.start_from),
            settings_of_samples={**shipped.settings, "steps": 10 if quick else shipped.steps},
            folders=folders(weights),
            matrix=side,
            samples=3 if quick else shipped.samples,
            adapted=1 if quick else 6,
            device=device,
            seed=seed,
        )
        title = "Uncertainty under shift"
        carry_out(study, title, output, device=device, quick=quick, processes=processes, again=again)
