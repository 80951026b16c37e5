"""Figure 19: what flags and sensitivity cost, beside the reconstructions that they judge.

Alone: ``python bench/trust.py [--quick]``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from diffusion import THREADS, threads
from figures import Figure, alternated, table

from echotrain.clients.simulator import simulate
from echotrain.clients.simulator_protocol import ScanProtocol
from echotrain.engine.chain_config import ChainLibrary, ChainSpec
from echotrain.engine.gadget import Context
from echotrain.engine.messages import Image
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.registry import Registry

CHAIN = "trusted"
JUDGING = ("estimate_sensitivity", "flag_artifacts", "decide", "draw_overlay")
SIZE, COILS, ACCELERATION = 192, 8, 4
REACH = 1.25


def judging(*, quick: bool) -> Figure:
    """Seconds of a slice through the chain, beside the same chain without the gadgets that judge."""
    scan = simulate(
        ScanProtocol(
            matrix=(SIZE, SIZE),
            slices=1,
            coils=COILS,
            mask="random",
            acceleration=ACCELERATION,
            calibration=24,
            snr=30.0,
        )
    )
    messages, header = list(scan.messages()), parse_header(scan.header.xml)
    whole = ChainLibrary().get(CHAIN)
    bare = ChainSpec(f"{CHAIN} without judgement", tuple(_bare(step) for step in whole.steps if step[0] not in JUDGING))

    def seconds(spec: ChainSpec) -> float:
        chain, digest = spec.build(Registry())
        chain.start(Context(header=header, chain=spec.name, chain_hash=digest))
        began = time.perf_counter()
        made = [out for message in messages for out in chain.feed(message)] + list(chain.finish())
        took = time.perf_counter() - began
        if not any(isinstance(one, Image) for one in made):
            raise RuntimeError(f"the chain {spec.name} gave no image")
        return took

    with threads():
        pairs = alternated(partial(seconds, whole), partial(seconds, bare), 2 if quick else 7)
    return Figure(
        number="19",
        what=f"chain {CHAIN}, a slice of {SIZE} x {SIZE}, {COILS} coils, R = {ACCELERATION}, CPU, {THREADS} threads",
        measured=f"{sorted(pairs.ours)[len(pairs.ours) // 2]:.1f} s",
        limit=f"without {', '.join(JUDGING)}: {sorted(pairs.limits)[len(pairs.limits) // 2]:.1f} s",
        ratio=pairs.spread,
        reach=f"<= {REACH}",
        met=pairs.ratio <= REACH,
    )


def _bare(step: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Return a step, with nothing passed on for gadgets that are left out."""
    name, fields = step
    return (name, {**fields, "keep_kspace": False}) if name == "reconstruct_diffusion" else step


if __name__ == "__main__":
    print(table([judging(quick="--quick" in sys.argv)]))
