"""A raw data file in memory, ready to be sent many times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConfigurationError, EchotrainError
from ..engine.messages import ConfigName, Header, Message, Parameters, Readouts, Text
from ..engine.session import parse_parameters
from .replay_latency import ImageKeys
from .replay_pacing import Pace, pace
from .scan_file import Scan, read_scan
from .undersampled_scan import MaskName, undersampled_scan

if TYPE_CHECKING:
    from ..models.perturbation.specification import Perturbation

DEFAULT_CHAIN = "default"


@dataclass(frozen=True, kw_only=True)
class ReplayScan:
    """What every session of one file sends. Sessions share the arrays; nobody writes to them."""

    source: str
    header: Header
    chain: str
    """Name of a chain or a chain's TOML text."""
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """``"gadget.field"`` -> value, set in the chain."""
    messages: tuple[Message, ...]
    """Blocks of readouts and whatever else the file holds, in order."""
    firsts: tuple[int, ...]
    """For each message, how many readouts come before it."""
    keys: ImageKeys
    pace: Pace | None
    """When each readout is due, or None to send as fast as the engine takes it."""
    readouts: int
    nbytes: int
    """Bytes of all readouts' headers, samples and trajectories."""
    run: str = "clean"
    """``clean``, ``perturbed`` or ``control``."""
    perturbations: tuple[str, ...] = ()
    """What was done to the file's readouts, as JSON."""
    size: float | None = None
    """norm(difference) / norm of the samples; None where other readouts are sent."""


def load_scan(
    path: Path,
    *,
    chain: str | None,
    speed: float | None,
    tr_ms: float | None,
    undersample: float | None = None,
    mask: MaskName = "uniform",
    perturb: Sequence[Perturbation] = (),
    control: bool = False,
    seed: int = 0,
) -> tuple[ReplayScan, ...]:
    """Read a file once, in bulk, for every run of it: clean, perturbed, and with noise of the same norm.

    Parameters
    ----------
    path
        An MRD HDF5 file or a file of MRD stream bytes.
    chain
        Name of a chain or a chain's TOML text; None for the one that the file asks for, with its parameters, and for
        ``default`` if it asks for none.
    speed, tr_ms
        As for ``replay_pacing.pace``.
    undersample, mask
        As for ``undersampled_scan``; None for the scan as it is.
    perturb, seed
        As for ``perturbed_scan``; none for the clean run alone. Undersampled scans are perturbed, not perturbed ones
        undersampled.
    control
        Whether there is a run with white noise of each perturbation's norm, too.

    Raises
    ------
    ConfigurationError
        The file cannot be read, holds no readout, its readouts' times are not known, it cannot be undersampled or
        perturbed, or a perturbation has no norm.
    """
    scan = read_scan(path)
    if undersample is not None:
        scan = undersampled_scan(scan, undersample, mask=mask)
    clean = prepare_scan(scan, chain=chain, speed=speed, tr_ms=tr_ms)
    if not perturb:
        return (clean,)
    from .perturbed_scan import control_of, difference, perturbed_scan, told_whole  # slow, and few need it

    def run(name: str, changed: Scan, done: Sequence[Perturbation]) -> ReplayScan:
        found = difference(scan, changed)
        return replace(
            prepare_scan(replace(changed, source=f"{scan.source} ({name})"), chain=chain, speed=speed, tr_ms=tr_ms),
            run=name,
            perturbations=tuple(perturbation.to_text() for perturbation in done),
            size=None if found is None else found.relative,
        )

    scan = replace(scan, messages=tuple(scan.messages))
    steps = [scan]
    done = [told_whole(perturbation, seed) for perturbation in perturb]
    for perturbation in done:
        steps.append(perturbed_scan(steps[-1], [perturbation]))
    runs = [clean, run("perturbed", steps[-1], done)]
    if control:
        controls = [control_of(p, before, after) for p, (before, after) in zip(done, pairwise(steps), strict=True)]
        runs.append(run("control", perturbed_scan(scan, controls), controls))
    return tuple(runs)


def prepare_scan(scan: Scan, *, chain: str | None, speed: float | None, tr_ms: float | None) -> ReplayScan:
    """Read a scan into memory; parameters and errors as for ``load_scan``."""
    messages, parameters = _without_parameters(list(scan.messages), scan.source)
    blocks = [m for m in messages if isinstance(m, Readouts)]
    counts = [len(m) if isinstance(m, Readouts) else 0 for m in messages]
    if not sum(counts):
        raise ConfigurationError(f"{scan.source} holds no readouts: there is nothing to replay")
    headers: NDArray[np.void] = np.concatenate([block.headers for block in blocks])
    if chain is None:
        chosen, overrides = _own_chain(scan, parameters)
    else:
        chosen, overrides = chain, {}  # the file's parameters belong to the chain that it asked for
    return ReplayScan(
        source=scan.source,
        header=scan.header,
        chain=chosen,
        parameters=MappingProxyType(dict(overrides)),
        messages=tuple(messages),
        firsts=tuple(int(n) for n in np.cumsum([0, *counts[:-1]])),
        keys=ImageKeys(headers),
        pace=None if speed is None else pace(headers, scan.header, speed=speed, tr_ms=tr_ms, source=scan.source),
        readouts=sum(counts),
        nbytes=sum(block.nbytes for block in blocks),
    )


def _without_parameters(messages: list[Message], source: str) -> tuple[list[Message], Parameters | None]:
    """Take out the parameters that may follow the header: the client sends them as part of its handshake."""
    first = messages[0] if messages else None
    if isinstance(first, Parameters):
        return messages[1:], first
    if isinstance(first, Text):
        try:
            parameters = parse_parameters(first.text)
        except EchotrainError as error:
            raise ConfigurationError(f"{source}: {error}") from error
        if parameters is not None:
            return messages[1:], parameters
    return messages, None


def _own_chain(scan: Scan, parameters: Parameters | None) -> tuple[str, Mapping[str, Any]]:
    chain = DEFAULT_CHAIN
    if scan.config is not None:
        chain = scan.config.name if isinstance(scan.config, ConfigName) else scan.config.text
    if parameters is None:
        return chain, {}
    return parameters.config or chain, parameters.overrides
