"""``make bench``: every figure beside its own limit, measured in the same run. Nothing here is a test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import classical
import coil_maps
import diffusion
import diffusion_memory
import diffusion_quality
import diffusion_throughput
import idle
import memory
import onnx_runtime
import perturbation
import reconstruction
import startup
import throughput
import throughput_zmq
import trust
from figures import Figure, table
from machine import load, machine

FIGURES: dict[int, tuple[Callable[..., Figure], ...]] = {
    1: (throughput.null,),
    2: (throughput.recorded,),
    3: (throughput_zmq.null,),
    4: (reconstruction.scan,),
    5: (reconstruction.latency,),
    6: (memory.recording,),
    7: (idle.over_mrd, idle.over_zmq),
    8: (startup.help_text, startup.ready, startup.demo),
    9: classical.FIGURES,
    10: (coil_maps.espirit,),
    11: onnx_runtime.FIGURES,
    12: (diffusion_quality.beside_pc,),
    13: (diffusion.overhead,),
    14: diffusion.SEVERAL,
    15: (diffusion_memory.samples,),
    16: (diffusion_throughput.slices,),
    17: perturbation.FIGURES,
    18: (diffusion.default_ensemble,),
    19: (trust.judging,),
}
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


def main() -> int:
    """Measure, print, and write the page if asked to; 1 if a figure is out of reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, action="append", choices=sorted(FIGURES), help="this figure; repeatable")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and less data: a hint, no result")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    given = parser.parse_args()
    if given.write and (given.quick or given.only):
        parser.error("--write takes a full run: without --quick and --only")
    print(f"{machine()}\nload at the start: {load()}\n", flush=True)
    figures = list(_measured(given.only or sorted(FIGURES), quick=given.quick))
    text = table(figures)
    print(f"\n{text}")
    if given.write:
        _write(f"Machine: {machine()}.\n\n{text}")
    return int(any(figure.met is False for figure in figures))


def _measured(numbers: list[int], *, quick: bool) -> Iterator[Figure]:
    for number in numbers:
        for measure in FIGURES[number]:
            figure = measure(quick=quick)
            print(" | ".join(figure.cells), flush=True)
            yield figure


def _write(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
