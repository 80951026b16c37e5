"""Figure 17: bytes a second through a chain that perturbs every readout, beside the chain ``null``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from figures import Figure, alternated, rate
from mrd_sender import run_sender
from scans import bench_scan
from served import Served

from echotrain.engine.messages import ConfigText
from echotrain.engine.mrd_codec import encode_bytes

BLOCK = 128
"""Readouts of 32 KiB that are sent over and over."""
REACH = 0.50
_CHAIN = """
[[chain]]
gadget = "{gadget}"
perturbation = {perturbation}

[[chain]]
gadget = "discard"
"""
PERTURBATIONS = {
    "white Gaussian noise": ("add_noise", "{level = 1}"),
    "spikes": ("corrupt_readouts", '{kind = "spikes", share = 0.01, size = 1, unit = "absolute"}'),
    "interference": ("corrupt_readouts", '{kind = "interference", frequency = 0.1, size = 1, unit = "absolute"}'),
    "motion": ("corrupt_readouts", '{kind = "motion", every = 16, distance = 2}'),
    "lost readouts": ("corrupt_readouts", '{kind = "dropped", share = 0.01}'),
    "clipping": ("corrupt_readouts", '{kind = "clipping", size = 1}'),
}


def _perturbed(what: str, *, quick: bool) -> Figure:
    scan = bench_scan(1)
    gadget, perturbation = PERTURBATIONS[what]
    data = encode_bytes(scan.lines[:BLOCK])
    text = _CHAIN.format(gadget=gadget, perturbation=perturbation)
    starts = {"null": scan.start("null"), "perturbed": encode_bytes(ConfigText(text)) + encode_bytes(scan.header)}
    repeats = (128 if quick else 512) * 2**20 * 4 // len(data)
    total = len(data) * repeats
    with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as name:
        folder = Path(name)
        (folder / "data").write_bytes(data)
        for start, content in starts.items():
            (folder / start).write_bytes(content)

        def sent(start: str) -> float:
            sent = run_sender(engine.mrd[1], folder / start, folder / "data", repeats)
            if "readouts dropped" not in sent.head:
                raise RuntimeError(f"the engine did not take the readouts:\n{sent.head}\n{engine.log}")
            return total / sent.seconds

        with Served() as engine:
            pairs = alternated(partial(sent, "perturbed"), partial(sent, "null"), 3 if quick else 9)
    return Figure(
        number="17",
        what=f"MRD/TCP, 32 KiB readouts, {what}",
        measured=f"{rate(pairs.ours)}",
        limit=f"chain `null` {rate(pairs.limits)}",
        ratio=pairs.spread,
        reach=f">= {REACH:.2f}",
        met=pairs.ratio >= REACH,
    )


FIGURES: tuple[Callable[..., Figure], ...] = tuple(partial(_perturbed, what) for what in PERTURBATIONS)
