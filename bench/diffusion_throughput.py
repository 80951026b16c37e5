"""Figure 16: slices a second on a GPU, and how much of what the card can do that is.

Alone: ``python bench/diffusion_throughput.py [--quick]``. Without a GPU the figure says so, and nothing is measured.
"""

from __future__ import annotations

import statistics
import sys
from functools import partial

import torch
from diffusion import COILS, PRIOR, SIZE, draw, fastest, loaded, seconds, undersampled_head
from figures import Figure, alternated, table
from torch.utils.flop_counter import FlopCounterMode

from echotrain.models.model_store import shared_store

BATCH = 32
_SIDE, _PRODUCTS = 8192, 10


def slices(*, quick: bool) -> Figure:
    """Draw BATCH images of a slice together; their network's operations beside those of a product of large matrices."""
    what = f"slices a second, batch {BATCH}, {SIZE} x {SIZE}, {COILS} coils, {fastest().evaluations} evaluations"
    if not torch.cuda.is_available():
        return Figure(number="16", what=what, measured="no GPU here", limit="-", ratio="-", reach="reported", met=None)
    prior = loaded("cuda")
    measurements = undersampled_head(SIZE, COILS).to(prior.device)
    pairs = alternated(
        partial(seconds, lambda: draw(measurements, prior, BATCH)),
        partial(seconds, partial(multiply, prior.device)),
        3 if quick else 9,
    )
    each = statistics.median(pairs.ours) / BATCH
    rate = fastest().evaluations * operations() / each
    peak = _PRODUCTS * 2 * _SIDE**3 / statistics.median(pairs.limits)
    return Figure(
        number="16",
        what=f"{what}, {torch.cuda.get_device_name()}",
        measured=f"{1 / each:.1f} slices/s: {rate / 1e12:.2f} TFLOP/s, {prior.provider}",
        limit=f"product of matrices in TF32 {peak / 1e12:.0f} TFLOP/s",
        ratio=f"{rate / peak:.3f}",
        reach="reported",
        met=None,
    )


def operations() -> int:
    """Count the floating point operations of one call of the network for one image."""
    network = shared_store().network(PRIOR).get_submodule("unet")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, SIZE, SIZE))
    return counter.get_total_flops()


def multiply(device: torch.device) -> None:
    """Multiply square matrices in TF32, as convolutions of float32 are computed: what the card reaches at its best."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        matrix = torch.randn(_SIDE, _SIDE, device=device)
        for _ in range(_PRODUCTS):
            torch.mm(matrix, matrix)
        torch.cuda.synchronize(device)
    finally:
        torch.set_float32_matmul_precision(before)


if __name__ == "__main__":
    print(table([slices(quick="--quick" in sys.argv)]))
