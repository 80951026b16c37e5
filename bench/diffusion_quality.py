"""Figure 12: the fastest sampler beside predictor-corrector sampling with a hundred times its evaluations.

On simulated validation scans, by ``echotrain diffusion-figures quality``. It takes minutes to hours: what its table
holds is not measured again, so that a run that was interrupted goes on. Alone, and with more data:
``python bench/diffusion_quality.py --slices 4 --matrix 192``.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from diffusion import ACCELERATION, FASTEST, PRIOR, SAMPLES, fastest
from figures import Figure, table

from echotrain.clients.cli.diffusion_figures import quality
from echotrain.clients.quality_file import read_qualities
from echotrain.clients.sampler_text import parse_sampler
from echotrain.models.evaluation.sampler_quality import Setting
from echotrain.models.model_store import shared_store
from echotrain.models.runtimes.onnx_cache import cache_folder
from echotrain.models.samplers.sampler import Sampler

SLICES, MATRIX = 1, 128
FOLDER = cache_folder().with_name("bench")
REACH_DECIBEL = -0.2


def beside_pc(
    *, quick: bool, slices: int = SLICES, matrix: int = MATRIX, steps: int = 1000, folder: Path = FOLDER
) -> Figure:
    """PSNR of the mean of SAMPLES samples, mean over slices; if quick, of a small slice beside a short run."""
    if quick:
        slices, matrix, steps = 1, 64, 25
    highest = shared_store().network(PRIOR).sigmas[1]  # published: 128, which not every prior was trained for
    reference = f"pc:sigma_max={highest},steps={steps}"
    pc = parse_sampler(reference).sampler
    ours = _psnr(FASTEST, fastest(), slices, matrix, folder)
    theirs = _psnr(reference, pc, slices, matrix, folder)
    return Figure(
        number="12",
        what=f"mean of {SAMPLES} samples in {fastest().evaluations} evaluations, R = {ACCELERATION:g}, "
        f"simulated {matrix} x {matrix}, slices: {slices}; PSNR",
        measured=f"{ours:.2f} dB",
        limit=f"`pc`, {pc.evaluations} evaluations: {theirs:.2f} dB",
        ratio=f"{ours - theirs:+.2f} dB",
        reach=f">= {REACH_DECIBEL} dB",
        met=ours - theirs >= REACH_DECIBEL,
    )


def _psnr(text: str, sampler: Sampler, slices: int, matrix: int, folder: Path) -> float:
    """Mean over the slices, in dB, from the table of ``folder`` once it is complete."""
    quality(
        output=folder,
        prior=PRIOR,
        sampler=[text],
        evaluations=str(sampler.evaluations),
        reference=0,
        count=SAMPLES,
        acceleration=ACCELERATION,
        slices=slices,
        matrix=matrix,
        weights=None,
        device="auto",
    )
    card = shared_store().card(PRIOR)
    known = read_qualities(folder / "diffusion_quality.csv")
    label, data = f"{card.label} ({card.sha256[:8]})", f"{slices} simulated slices of {matrix} x {matrix}"
    settings = (
        Setting(label, data, ACCELERATION, number, text, str(sampler), sampler.evaluations, SAMPLES)
        for number in range(slices)
    )
    return statistics.fmean(known[setting].psnr for setting in settings)


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small slice, and few evaluations of pc")
    parser.add_argument("--slices", type=int, default=SLICES, help="evenly spread over the validation images")
    parser.add_argument("--matrix", type=int, default=MATRIX, help="pixels a side")
    parser.add_argument("--steps", type=int, default=1000, help="of pc, two evaluations each")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the table that goes on")
    print(table([beside_pc(**vars(parser.parse_args()))]))


if __name__ == "__main__":
    main()
